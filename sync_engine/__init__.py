"""The reference engine for Vault CRM mobile sync."""
