"""Check the loaded configuration for known misconfigurations. Each rule is one .sql file."""
