"""Issues from failed syncs that no error event explains."""
