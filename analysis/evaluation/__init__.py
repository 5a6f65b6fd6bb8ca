"""Score classification against events whose cause is known."""
