"""Read the fields of a Vault object and the values of its picklists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import CONTRACTS
from ingest.errors import VaultRefused
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.vault.client import VaultClient

_FIELD_COLUMNS = (
    "name", "label", "type", "required", "editable", "unique_values", "max_length", "min_value", "max_value",
    "refers_to", "active",
)  # fmt: skip
_VALUE_COLUMNS = ("field", "name", "label")


@dataclass(frozen=True)
class ObjectDescription:
    """The description of one object, without fields that the user cannot read."""

    name: str
    fields: tuple[dict[str, Any], ...]
    picklists: dict[str, tuple[dict[str, Any], ...]]

    @property
    def field_names(self) -> tuple[str, ...]:
        """Return the fields to query, `id` first."""
        named = sorted(str(each["name"]) for each in self.fields if _is_active(each))
        return ("id", *(name for name in named if name != "id"))

    def missing_notes(self) -> list[str]:
        """List fields of our table that this Vault does not have, or does not show to the user."""
        if self.name not in CONTRACTS:
            return []
        missing = [name for name in CONTRACTS[self.name].names if name not in self.field_names]
        return [f"field {name} is missing in this Vault" for name in missing]

    def vql(self, changed: str | None, page_size: int, offset: int = 0) -> str:
        """Return the query for rows `changed` at some time (such as `> '2026-01-01T…'`), oldest change first."""
        dated = "modified_date__v" in self.field_names
        where = f" WHERE modified_date__v {changed}" if changed and dated else ""
        order = "modified_date__v ASC, id ASC" if dated else "id ASC"
        page = f"PAGESIZE {page_size}" + (f" PAGEOFFSET {offset}" if offset else "")
        return f"SELECT {', '.join(self.field_names)} FROM {self.name}{where} ORDER BY {order} {page}"

    def row_sources(self, source: str, as_of: str) -> list[RowSource]:
        """Return fields and picklist values as sources to load."""
        fields = [
            {
                "object": self.name,
                "name": cell_text(each.get("name")),
                "as_of": as_of,
                "label": cell_text(each.get("label")),
                "type": cell_text(each.get("type")),
                "required": cell_text(each.get("required")),
                "editable": cell_text(each.get("editable")),
                "unique_values": cell_text(each.get("unique")),
                "max_length": cell_text(each.get("max_length")),
                "min_value": cell_text(each.get("min_value")),
                "max_value": cell_text(each.get("max_value")),
                "refers_to": cell_text(each.get("picklist") or (each.get("object") or {}).get("name")),
                "active": cell_text(_is_active(each)),
            }
            for each in self.fields
        ]
        values = [
            {
                "object": self.name,
                "field": field,
                "name": cell_text(each.get("name")),
                "label": cell_text(each.get("label")),
                "as_of": as_of,
            }
            for field, listed in sorted(self.picklists.items())
            for each in listed
        ]
        return [
            _table(f"{source}#fields", "object_field", fields),
            _table(f"{source}#picklists", "picklist_value", values),
        ]

    def changed_rows(self, store: DuckDBPyConnection, source: RowSource) -> RowSource | None:
        """Return a source to load if the description differs from the newest one in the store, else None.

        Fields in the store that this Vault no longer shows are added as inactive: a description is complete,
        so a missing field was removed.
        """
        table = "object_field" if source.name.endswith("#fields") else "picklist_value"
        compared = _FIELD_COLUMNS if table == "object_field" else _VALUE_COLUMNS
        rows = [dict(row.cells) for row in source.rows]
        stored = _newest(store, table, self.name, compared)
        if table == "object_field" and rows:
            names = {row["name"] for row in rows}
            gone = [each for each in stored if each["name"] not in names]
            remaining = [each for each in stored if each["name"] in names]
            removed = [each | {"active": "false"} for each in gone if each["active"] != "false"]
            as_of = {"object": self.name, "as_of": rows[0]["as_of"]}
            rows, stored = [*rows, *(each | as_of for each in removed)], remaining
        shown = [{name: row.get(name) for name in compared} for row in rows]
        if not rows or _as_set(shown) == _as_set(stored):
            return None
        return _table(source.name, table, rows)


def describe_object(client: VaultClient, name: str) -> ObjectDescription:
    """Read the description of an object. Raises VaultRefused if the user has no access to it."""
    description = client.call("GET", f"/metadata/vobjects/{name}").body.get("object")
    listed = description.get("fields") if isinstance(description, dict) else None
    fields = tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))
    picklists = {
        str(each["name"]): _values(client, str(each["picklist"])) for each in fields if each.get("picklist")
    }
    return ObjectDescription(name, fields, picklists)


def _values(client: VaultClient, picklist: str) -> tuple[dict[str, Any], ...]:
    try:
        listed = client.call("GET", f"/objects/picklists/{picklist}").body.get("picklistValues")
    except VaultRefused:
        return ()  # labels are optional; rows have the API names
    return tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))


def _is_active(field: dict[str, Any]) -> bool:
    status = field.get("status")
    return not isinstance(status, list) or not status or "active__v" in status


def _table(name: str, table: str, cells: list[dict[str, str | None]]) -> RowSource:
    rows = (RawRow(number, each) for number, each in enumerate(cells, start=1))
    return RowSource(name, list(CONTRACTS[table].names), rows)


def _newest(
    store: DuckDBPyConnection, table: str, name: str, columns: tuple[str, ...]
) -> list[dict[str, str | None]]:
    # The newest row of each field: a source with single changes may have only one field.
    identity = "name" if table == "object_field" else "field, name"
    latest = (
        ""
        if table == "object_field"
        else f"AND as_of = (SELECT max(as_of) FROM {table} WHERE object = $object) "
    )
    rows = store.execute(
        f"SELECT {', '.join(columns)} FROM {table} WHERE object = $object {latest}"
        f"QUALIFY row_number() OVER (PARTITION BY {identity} ORDER BY as_of DESC) = 1",
        {"object": name},
    ).fetchall()
    return [dict(zip(columns, map(cell_text, row), strict=True)) for row in rows]


def _as_set(rows: list[dict[str, str | None]]) -> set[tuple[str | None, ...]]:
    return {tuple(_plain(cell) for cell in row.values()) for row in rows}


def _plain(cell: str | None) -> str | None:
    # The store may return a number of the JSON in another spelling.
    try:
        return f"{float(cell):g}" if cell else None
    except ValueError:
        return cell
