"""`python -m synclens` is `synclens`."""

from synclens.cli import main

main()
