"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.append import append
from ingest.batches import BatchReport
from ingest.contracts import CONTRACTS, Contract
from ingest.differences import tell_differences
from ingest.errors import (
    ArchiveUnsafe,
    IngestError,
    LakeInTheWay,
    MappingInvalid,
    PartDamaged,
    PullIncomplete,
    SignInRefused,
    SourceMissing,
    SourceUnreadable,
    StoreFailed,
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
from ingest.lake import export_lake
from ingest.load import load, load_all
from ingest.masking import Mask, local_key
from ingest.rejected import Rejected, dismiss_rejected, rejected, retry_rejected
from ingest.store import migrate, open_store
from ingest.values import Manner
from ingest.vault import (
    ApiToken,
    OAuth,
    Password,
    VaultClient,
    direct_data_applied,
    direct_data_reached,
    fetch_direct_data,
    pull,
)

__all__ = [
    "CONTRACTS",
    "ApiToken",
    "ArchiveUnsafe",
    "BatchReport",
    "Contract",
    "IngestError",
    "LakeInTheWay",
    "Manner",
    "MappingInvalid",
    "Mask",
    "OAuth",
    "PartDamaged",
    "Password",
    "PullIncomplete",
    "Rejected",
    "SignInRefused",
    "SourceMissing",
    "SourceUnreadable",
    "StoreFailed",
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
    "direct_data_applied",
    "direct_data_reached",
    "dismiss_rejected",
    "export_lake",
    "fetch_direct_data",
    "load",
    "load_all",
    "local_key",
    "migrate",
    "open_store",
    "pull",
    "rejected",
    "retry_rejected",
    "tell_differences",
]
