"""Stage rows in DuckDB and validate them against a contract."""
