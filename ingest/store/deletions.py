"""What a deletion makes of a snapshot: the thing stays known as it last was, and is gone from then on.

A deleted sync leaves the store. A deleted user, VMOC, setting, picklist value or field must not: what it was
while it was there still explains errors of that time. So its deletion becomes one more snapshot, a copy of
the last one before with the word that it is gone. Such copies are derived: `unmark` takes all of them away
and `mark` makes them anew from the snapshots and tombstones there are, so that no order of loads matters.
A copy carries the batch of its deletion, and no other row does.
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
"""Tables of snapshots whose things can be deleted: which columns say so, and the SQL of what they say."""

TABLE_OF: Mapping[str, str] = {
    "user__sys": "sync_user",
    "vmobile_object_configuration__v": "vmoc",
    "veeva_settings__v": "veeva_setting",
    "Picklist.picklist__sys": "picklist_value",
    "Metadata.metadata": "object_field",
}
"""The tables that keep what Vault calls otherwise."""

ID_SEPARATOR = "\x1f"
"""Stands between the parts of an id where more than one column names a thing."""


def deletion_contract(name: str) -> Contract | None:
    """Give the contract of the table in which deletions of `name` are followed, or None."""
    contract = CONTRACTS.get(TABLE_OF.get(name, name))
    if contract is None or (contract.version is None and contract.table not in DELETED_STATE):
        return None
    return contract


def identity_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that name what a snapshot is of: its key without the time."""
    return tuple(name for name in contract.key if name != "as_of")


def remove_deletion_snapshots(store: DuckDBPyConnection, contract: Contract) -> None:
    """Take away the rows that deletions have added to a table of snapshots."""
    if contract.table in DELETED_STATE:
        store.execute(
            f"DELETE FROM {contract.table} WHERE batch_id IN "
            "(SELECT batch_id FROM tombstone WHERE kind = $kind)",
            {"kind": contract.table},
        )


def add_deletion_snapshots(store: DuckDBPyConnection, contract: Contract) -> None:
    """Add for each deleted thing what its deletion makes of the last snapshot before it.

    A snapshot of the very time of the deletion counts as before it, and the added row comes just after.
    """
    if contract.table not in DELETED_STATE:
        return
    after = {
        "as_of": "greatest(t.deleted_at, s.as_of + INTERVAL 1 MICROSECOND)",
        "source": "t.source",
        "batch_id": "t.batch_id",
        **DELETED_STATE[contract.table],
    }
    thing = ", ".join(f"s.{name}" for name in identity_columns(contract))
    store.execute(
        f"INSERT INTO {contract.table} BY NAME SELECT * FROM ("
        f"SELECT s.* REPLACE ({', '.join(f'{value} AS {name}' for name, value in after.items())}) "
        f"FROM {contract.table} AS s JOIN tombstone AS t ON t.kind = $kind AND {_named('s', contract)} "
        "AND s.as_of <= t.deleted_at "
        f"QUALIFY row_number() OVER (PARTITION BY {thing}, t.deleted_at ORDER BY s.as_of DESC, t.id) = 1"
        f") AS added ANTI JOIN {contract.table} USING ({', '.join(contract.key)})",
        {"kind": contract.table},
    )


def _named(alias: str, contract: Contract) -> str:
    parts = f" || '{ID_SEPARATOR}' || ".join(f"{alias}.{name}" for name in identity_columns(contract))
    if contract.table != "object_field":
        return f"t.id = {parts}"
    # Veeva's own loader takes the removal of an object's `id` for the removal of the object.
    return f"t.id IN ({parts}, {alias}.object || '{ID_SEPARATOR}id')"
