"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.errors import IngestError, StoreLocked, StoreMissing, StoreTooNew, StoreUnusable
from ingest.store import migrate, open_store

__all__ = [
    "IngestError",
    "StoreLocked",
    "StoreMissing",
    "StoreTooNew",
    "StoreUnusable",
    "migrate",
    "open_store",
]
