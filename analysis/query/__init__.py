"""Read a store: filters, the reference time, and queries over filtered relations."""
