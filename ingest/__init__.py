"""Load sync data into the SyncLens store, one DuckDB file.

Names are imported when they are first used: opening a store needs neither the readers nor the Vault client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.config_diff import record_config_changes
    from ingest.contracts.cell_format import CellFormat
    from ingest.contracts.tables import CONTRACTS, Contract
    from ingest.error_reader import ErrorEvent, ErrorPart, ErrorReading, read_errors
    from ingest.errors import (
        AmbiguousHeadings,
        ArchiveUnsafe,
        ExportTargetNotEmpty,
        FieldsMissing,
        IngestError,
        KeyUnusable,
        MappingInvalid,
        MissingColumns,
        NotErrors,
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
        UnknownKind,
        VaultRefused,
        VaultUnreachable,
        WrongVault,
    )
    from ingest.loader import load, load_all
    from ingest.mapping.suggestion import suggest_mapping
    from ingest.parquet_export import export_lake
    from ingest.protection.keys import KEY_SUFFIX, read_or_create_key
    from ingest.protection.pseudonyms import Pseudonymizer
    from ingest.protection.secrets import hide_secrets
    from ingest.protection.stored import StoredSecrets, find_stored_secrets
    from ingest.rejected import RejectedRow, dismiss_rejected, list_rejected, retry_rejected
    from ingest.staging.typed import append
    from ingest.store.batches import BatchReport
    from ingest.store.ids import canonical_id
    from ingest.store.open import migrate, open_store
    from ingest.store.rewrite import remove_stored_secrets
    from ingest.vault.client import VaultClient
    from ingest.vault.credentials import ApiToken, OAuth, Password
    from ingest.vault.direct_data import (
        direct_data_watermark,
        fetch_direct_data,
        set_direct_data_watermark,
    )
    from ingest.vault.direct_data_pull import pull_direct_data
    from ingest.vault.pull import pull
    from ingest.vault.pull_report import Omission, PullReport, TargetOutcome, TargetReport

_MODULE_OF = {
    "CONTRACTS": "contracts.tables",
    "KEY_SUFFIX": "protection.keys",
    "AmbiguousHeadings": "errors",
    "ApiToken": "vault.credentials",
    "ArchiveUnsafe": "errors",
    "BatchReport": "store.batches",
    "CellFormat": "contracts.cell_format",
    "Contract": "contracts.tables",
    "ErrorEvent": "error_reader",
    "ErrorPart": "error_reader",
    "ErrorReading": "error_reader",
    "ExportTargetNotEmpty": "errors",
    "FieldsMissing": "errors",
    "IngestError": "errors",
    "KeyUnusable": "errors",
    "MappingInvalid": "errors",
    "MissingColumns": "errors",
    "NotErrors": "errors",
    "OAuth": "vault.credentials",
    "Omission": "vault.pull_report",
    "PartDamaged": "errors",
    "Password": "vault.credentials",
    "Pseudonymizer": "protection.pseudonyms",
    "PullIncomplete": "errors",
    "PullReport": "vault.pull_report",
    "RejectedRow": "rejected",
    "SignInRefused": "errors",
    "SourceMissing": "errors",
    "SourceUnreadable": "errors",
    "StoreFailed": "errors",
    "StoreLocked": "errors",
    "StoreMissing": "errors",
    "StoreTooNew": "errors",
    "StoreUnusable": "errors",
    "StoredSecrets": "protection.stored",
    "TargetOutcome": "vault.pull_report",
    "TargetReport": "vault.pull_report",
    "UnknownKind": "errors",
    "VaultClient": "vault.client",
    "VaultRefused": "errors",
    "VaultUnreachable": "errors",
    "WrongVault": "errors",
    "append": "staging.typed",
    "canonical_id": "store.ids",
    "direct_data_watermark": "vault.direct_data",
    "dismiss_rejected": "rejected",
    "export_lake": "parquet_export",
    "fetch_direct_data": "vault.direct_data",
    "find_stored_secrets": "protection.stored",
    "hide_secrets": "protection.secrets",
    "list_rejected": "rejected",
    "load": "loader",
    "load_all": "loader",
    "migrate": "store.open",
    "open_store": "store.open",
    "pull": "vault.pull",
    "pull_direct_data": "vault.direct_data_pull",
    "read_errors": "error_reader",
    "read_or_create_key": "protection.keys",
    "record_config_changes": "config_diff",
    "remove_stored_secrets": "store.rewrite",
    "retry_rejected": "rejected",
    "set_direct_data_watermark": "vault.direct_data",
    "suggest_mapping": "mapping.suggestion",
}

__all__ = [
    "CONTRACTS",
    "KEY_SUFFIX",
    "AmbiguousHeadings",
    "ApiToken",
    "ArchiveUnsafe",
    "BatchReport",
    "CellFormat",
    "Contract",
    "ErrorEvent",
    "ErrorPart",
    "ErrorReading",
    "ExportTargetNotEmpty",
    "FieldsMissing",
    "IngestError",
    "KeyUnusable",
    "MappingInvalid",
    "MissingColumns",
    "NotErrors",
    "OAuth",
    "Omission",
    "PartDamaged",
    "Password",
    "Pseudonymizer",
    "PullIncomplete",
    "PullReport",
    "RejectedRow",
    "SignInRefused",
    "SourceMissing",
    "SourceUnreadable",
    "StoreFailed",
    "StoreLocked",
    "StoreMissing",
    "StoreTooNew",
    "StoreUnusable",
    "StoredSecrets",
    "TargetOutcome",
    "TargetReport",
    "UnknownKind",
    "VaultClient",
    "VaultRefused",
    "VaultUnreachable",
    "WrongVault",
    "append",
    "canonical_id",
    "direct_data_watermark",
    "dismiss_rejected",
    "export_lake",
    "fetch_direct_data",
    "find_stored_secrets",
    "hide_secrets",
    "list_rejected",
    "load",
    "load_all",
    "migrate",
    "open_store",
    "pull",
    "pull_direct_data",
    "read_errors",
    "read_or_create_key",
    "record_config_changes",
    "remove_stored_secrets",
    "retry_rejected",
    "set_direct_data_watermark",
    "suggest_mapping",
]


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'ingest' has no attribute {name!r}")
    value = getattr(import_module(f"ingest.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
