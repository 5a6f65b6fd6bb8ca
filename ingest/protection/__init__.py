"""Keep secrets and names out of the store: every staged row passes through here before it is merged."""
