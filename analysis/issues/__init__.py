"""List, search and inspect issues."""
