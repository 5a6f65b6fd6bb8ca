"""The Vault side: records, permissions, scope and the answers to devices, all in one SQLite database."""

from sync_engine.vault.server import Vault, handle_request

__all__ = ["Vault", "handle_request"]
