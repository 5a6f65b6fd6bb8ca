"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.append import append
from ingest.batches import BatchReport
from ingest.contracts import CONTRACTS, Contract
from ingest.errors import (
    ArchiveUnsafe,
    IngestError,
    MappingInvalid,
    PullIncomplete,
    SignInRefused,
    SourceMissing,
    SourceUnreadable,
    StoreLocked,
    StoreMissing,
    StoreTooNew,
    StoreUnusable,
    UnknownColumns,
    UnknownKind,
    VaultRefused,
    VaultUnreachable,
    WrongVault,
)
from ingest.load import load, load_all
from ingest.store import migrate, open_store
from ingest.values import Manner
from ingest.vault import ApiToken, OAuth, Password, VaultClient, pull

__all__ = [
    "CONTRACTS",
    "ApiToken",
    "ArchiveUnsafe",
    "BatchReport",
    "Contract",
    "IngestError",
    "Manner",
    "MappingInvalid",
    "OAuth",
    "Password",
    "PullIncomplete",
    "SignInRefused",
    "SourceMissing",
    "SourceUnreadable",
    "StoreLocked",
    "StoreMissing",
    "StoreTooNew",
    "StoreUnusable",
    "UnknownColumns",
    "UnknownKind",
    "VaultClient",
    "VaultRefused",
    "VaultUnreachable",
    "WrongVault",
    "append",
    "load",
    "load_all",
    "migrate",
    "open_store",
    "pull",
]
