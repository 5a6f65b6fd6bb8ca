"""Map source columns to the columns of the store."""
