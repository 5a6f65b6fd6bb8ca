"""One module for each group of commands; `synclens.cli` puts them together."""
