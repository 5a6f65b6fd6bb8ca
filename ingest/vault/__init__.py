"""Read from a Vault: a REST API client, and the pull that fills the store with it."""
