"""Run the command line with `python -m synclens`."""

from synclens.cli import main

main()
