"""Row contracts: what a row must contain before the store accepts it."""
