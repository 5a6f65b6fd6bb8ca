"""What the codes of other systems mean: one table per family of codes, in TOML files."""
