"""The way to a real Vault: a client for its REST API, and the pull that fills the store from it."""

from ingest.vault.client import VaultClient
from ingest.vault.credentials import ApiToken, Credentials, OAuth, Password
from ingest.vault.pull import pull

__all__ = ["ApiToken", "Credentials", "OAuth", "Password", "VaultClient", "pull"]
