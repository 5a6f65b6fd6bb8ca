"""Represent the deletion of users, VMOCs, settings, picklist values and fields.

A deleted sync is removed from the store. Deleted configuration is kept: its past state still explains errors of
that time. Its deletion is stored as one more snapshot, a copy of the last one before, marked as deleted. These
copies are derived: `remove_deletion_snapshots` removes all of them, and `add_deletion_snapshots` creates them
again from the snapshots and tombstones in the store, so that the order of loads does not matter. A copy has the
batch of its deletion, and no other row does.
"""

from __future__ import annotations

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import CONTRACTS, Contract

DELETED_STATE: Mapping[str, Mapping[str, str]] = {
    "sync_user": {"active": "false"},
    "vmoc": {"active": "false"},
    "veeva_setting": {"value": "NULL"},
    "picklist_value": {"status": "'deleted'"},
    "object_field": {"active": "false"},
}
"""Snapshot tables with deletions: the columns that mark a deletion, and the SQL of their values."""

TABLE_OF: Mapping[str, str] = {
    "user__sys": "sync_user",
    "vmobile_object_configuration__v": "vmoc",
    "veeva_settings__v": "veeva_setting",
    "Picklist.picklist__sys": "picklist_value",
    "Metadata.metadata": "object_field",
}
"""The table of each Vault object or extract with a different name."""

ID_SEPARATOR = "\x1f"
"""Separates the parts of an id that has more than one column."""


def deletion_contract(name: str) -> Contract | None:
    """Return the contract of the table that tracks deletions of `name`, or None."""
    contract = CONTRACTS.get(TABLE_OF.get(name, name))
    if contract is None or (contract.version is None and contract.table not in DELETED_STATE):
        return None
    return contract


def identity_columns(contract: Contract) -> tuple[str, ...]:
    """Return the columns that identify the subject of a snapshot: its key without the time."""
    return tuple(name for name in contract.key if name != "as_of")


def remove_deletion_snapshots(store: DuckDBPyConnection, contract: Contract) -> None:
    """Delete the rows that deletions added to a snapshot table."""
    if contract.table in DELETED_STATE:
        store.execute(
            f"DELETE FROM {contract.table} WHERE batch_id IN "
            "(SELECT batch_id FROM tombstone WHERE kind = $kind)",
            {"kind": contract.table},
        )


def add_deletion_snapshots(store: DuckDBPyConnection, contract: Contract) -> None:
    """Add a deleted copy of the last snapshot before each deletion.

    A snapshot at the time of the deletion counts as before it; the copy is one microsecond later.
    """
    if contract.table not in DELETED_STATE:
        return
    after = {
        "as_of": "greatest(t.deleted_at, s.as_of + INTERVAL 1 MICROSECOND)",
        "source": "t.source",
        "batch_id": "t.batch_id",
        **DELETED_STATE[contract.table],
    }
    identity = ", ".join(f"s.{name}" for name in identity_columns(contract))
    store.execute(
        f"INSERT INTO {contract.table} BY NAME SELECT * FROM ("
        f"SELECT s.* REPLACE ({', '.join(f'{value} AS {name}' for name, value in after.items())}) "
        f"FROM {contract.table} AS s JOIN tombstone AS t ON t.kind = $kind AND {_matches_id('s', contract)} "
        "AND s.as_of <= t.deleted_at "
        f"QUALIFY row_number() OVER (PARTITION BY {identity}, t.deleted_at ORDER BY s.as_of DESC, t.id) = 1"
        f") AS added ANTI JOIN {contract.table} USING ({', '.join(contract.key)})",
        {"kind": contract.table},
    )


def _matches_id(alias: str, contract: Contract) -> str:
    parts = f" || '{ID_SEPARATOR}' || ".join(f"{alias}.{name}" for name in identity_columns(contract))
    if contract.table != "object_field":
        return f"t.id = {parts}"
    # Veeva's loader treats the removal of an object's `id` as the removal of the object.
    return f"t.id IN ({parts}, {alias}.object || '{ID_SEPARATOR}id')"
