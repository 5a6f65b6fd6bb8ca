"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.append import append
from ingest.batches import BatchReport
from ingest.contracts import CONTRACTS, Contract
from ingest.errors import IngestError, StoreLocked, StoreMissing, StoreTooNew, StoreUnusable
from ingest.store import migrate, open_store

__all__ = [
    "CONTRACTS",
    "BatchReport",
    "Contract",
    "IngestError",
    "StoreLocked",
    "StoreMissing",
    "StoreTooNew",
    "StoreUnusable",
    "append",
    "migrate",
    "open_store",
]
