"""One module per command or command group. `synclens.cli` lists them."""
