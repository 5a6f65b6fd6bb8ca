"""The Vault side of the engine, stored in one SQLite database.

It has the records, permissions and sync scopes, and replies to devices.
"""

from sync_engine.vault.server import Vault, handle_request

__all__ = ["Vault", "handle_request"]
