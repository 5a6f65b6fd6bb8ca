"""Everything that comes in, and the one DuckDB file it comes into."""

from ingest.config_diff import tell_differences
from ingest.contracts.cell_values import Manner
from ingest.contracts.tables import CONTRACTS, Contract
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
from ingest.load import load, load_all
from ingest.parquet_export import export_lake
from ingest.pseudonyms import Mask, local_key
from ingest.rejected import Rejected, dismiss_rejected, rejected, retry_rejected
from ingest.staging.typed import append
from ingest.store.batches import BatchReport
from ingest.store.open import migrate, open_store
from ingest.vault.client import VaultClient
from ingest.vault.credentials import ApiToken, OAuth, Password
from ingest.vault.direct_data import direct_data_applied, direct_data_reached, fetch_direct_data
from ingest.vault.pull import pull

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
