"""What an object of this Vault looks like: its fields and the values of its picklists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.contracts import CONTRACTS
from ingest.errors import VaultRefused
from ingest.rows import RawRow, RowSource, as_text
from ingest.vault.client import VaultClient


@dataclass(frozen=True)
class Described:
    """One object as the Vault describes it to our user: fields that the user may not read are not there."""

    name: str
    fields: tuple[dict[str, Any], ...]
    picklists: dict[str, tuple[dict[str, Any], ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields to ask for, `id` first."""
        named = sorted(str(each["name"]) for each in self.fields if _is_active(each))
        return ("id", *(name for name in named if name != "id"))

    def missing_notes(self) -> list[str]:
        """Say which fields our table has and this Vault does not show."""
        if self.name not in CONTRACTS:
            return []
        missing = [name for name in CONTRACTS[self.name].names if name not in self.names]
        return [f"this Vault shows no field {name}" for name in missing]

    def vql(self, wording: Callable[[datetime], str], since: datetime | None, page_size: int) -> str:
        """Word the query for everything that changed after `since`, oldest change first."""
        changed = "modified_date__v" in self.names
        where = f" WHERE modified_date__v > '{wording(since)}'" if since and changed else ""
        order = " ORDER BY modified_date__v ASC" if changed else ""
        return f"SELECT {', '.join(self.names)} FROM {self.name}{where}{order} PAGESIZE {page_size}"

    def as_sources(self, source: str, as_of: str) -> list[RowSource]:
        """Give fields and picklist values as rows for the store."""
        fields = [
            {
                "object": self.name,
                "name": as_text(each.get("name")),
                "as_of": as_of,
                "label": as_text(each.get("label")),
                "type": as_text(each.get("type")),
                "required": as_text(each.get("required")),
                "editable": as_text(each.get("editable")),
                "unique_values": as_text(each.get("unique")),
                "max_length": as_text(each.get("max_length")),
                "min_value": as_text(each.get("min_value")),
                "max_value": as_text(each.get("max_value")),
                "refers_to": as_text(each.get("picklist") or (each.get("object") or {}).get("name")),
                "active": as_text(_is_active(each)),
            }
            for each in self.fields
        ]
        values = [
            {
                "object": self.name,
                "field": field,
                "name": as_text(each.get("name")),
                "label": as_text(each.get("label")),
                "as_of": as_of,
            }
            for field, listed in sorted(self.picklists.items())
            for each in listed
        ]
        return [
            _table(f"{source}#fields", "object_field", fields),
            _table(f"{source}#picklists", "picklist_value", values),
        ]

    def changed(self, store: DuckDBPyConnection, source: RowSource) -> bool:
        """Say whether a description differs from the newest one in the store."""
        rows = list(source.rows)
        source.rows = iter(rows)
        if not rows:
            return False
        table = "object_field" if source.name.endswith("#fields") else "picklist_value"
        kept = "type, label" if table == "object_field" else "field, label"
        known = store.execute(
            f"SELECT name, {kept} FROM {table} WHERE object = $object "
            f"AND as_of = (SELECT max(as_of) FROM {table} WHERE object = $object)",
            {"object": self.name},
        ).fetchall()
        wanted = kept.split(", ")
        return set(known) != {(row.cells["name"], *(row.cells[name] for name in wanted)) for row in rows}


def describe(client: VaultClient, name: str) -> Described:
    """Ask a Vault what an object looks like. Raises VaultRefused where it has no such object for our user."""
    told = client.call("GET", f"/metadata/vobjects/{name}").body.get("object")
    listed = told.get("fields") if isinstance(told, dict) else None
    fields = tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))
    picklists = {
        str(each["name"]): _values(client, str(each["picklist"])) for each in fields if each.get("picklist")
    }
    return Described(name, fields, picklists)


def _values(client: VaultClient, picklist: str) -> tuple[dict[str, Any], ...]:
    try:
        listed = client.call("GET", f"/objects/picklists/{picklist}").body.get("picklistValues")
    except VaultRefused:
        return ()  # labels are a comfort; rows carry the API names
    return tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))


def _is_active(field: dict[str, Any]) -> bool:
    status = field.get("status")
    return not isinstance(status, list) or not status or "active__v" in status


def _table(name: str, table: str, cells: list[dict[str, str | None]]) -> RowSource:
    rows = (RawRow(number, each) for number, each in enumerate(cells, start=1))
    return RowSource(name, list(CONTRACTS[table].names), rows)
