"""Group error messages into issues by content, independent of their order."""
