"""The composition root: the command line and the settings; the only package that knows all the others."""
