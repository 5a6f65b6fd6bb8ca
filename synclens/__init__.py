"""The command line, which connects all other packages."""
