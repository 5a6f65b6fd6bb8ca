"""The way to a real Vault: a client for its REST API, and the pull that fills the store from it."""

from ingest.vault.client import VaultClient
from ingest.vault.credentials import ApiToken, Credentials, OAuth, Password
from ingest.vault.direct_data import Fetched, direct_data_applied, direct_data_reached, fetch_direct_data
from ingest.vault.pull import pull

__all__ = [
    "ApiToken",
    "Credentials",
    "Fetched",
    "OAuth",
    "Password",
    "VaultClient",
    "direct_data_applied",
    "direct_data_reached",
    "fetch_direct_data",
    "pull",
]
