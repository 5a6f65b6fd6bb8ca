"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.append import append
from ingest.batches import BatchReport
from ingest.contracts import CONTRACTS, Contract
from ingest.errors import (
    IngestError,
    MappingInvalid,
    SourceMissing,
    SourceUnreadable,
    StoreLocked,
    StoreMissing,
    StoreTooNew,
    StoreUnusable,
    UnknownColumns,
    UnknownKind,
)
from ingest.load import load
from ingest.store import migrate, open_store
from ingest.values import Manner

__all__ = [
    "CONTRACTS",
    "BatchReport",
    "Contract",
    "IngestError",
    "Manner",
    "MappingInvalid",
    "SourceMissing",
    "SourceUnreadable",
    "StoreLocked",
    "StoreMissing",
    "StoreTooNew",
    "StoreUnusable",
    "UnknownColumns",
    "UnknownKind",
    "append",
    "load",
    "migrate",
    "open_store",
]
