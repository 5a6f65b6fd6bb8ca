"""Read the fields of a Vault object and the values of its picklists."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import CONTRACTS
from ingest.errors import FieldsMissing, VaultRefused
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.vault.client import VaultClient
from ingest.vault.pull_report import Omission
from ingest.vault.responses import ends_pull

LONG_TEXT_FUNCTIONS = {"longtext": "LONGTEXT", "richtext": "RICHTEXT"}
"""The VQL function that returns a whole text, by field type. Without it, Vault returns 250 characters."""
_TEXT_FUNCTION = re.compile(r"(?:longtext|richtext)\((?P<field>\w+)\)", re.IGNORECASE)
_FIELD_COLUMNS = (
    "name", "label", "type", "required", "editable", "unique_values", "max_length", "min_value", "max_value",
    "refers_to", "active",
)  # fmt: skip
_VALUE_COLUMNS = ("field", "name", "label")


@dataclass(frozen=True)
class ObjectDescription:
    """The description of one object, without fields that the user cannot read.

    `refused` are fields that cannot be queried. `by_change` is whether rows can be queried by their time of change.
    `unread` are fields whose picklist the user cannot read.
    """

    name: str
    fields: tuple[dict[str, Any], ...]
    picklists: dict[str, tuple[dict[str, Any], ...]]
    refused: frozenset[str] = frozenset()
    by_change: bool = True
    unread: frozenset[str] = frozenset()
    omissions: tuple[Omission, ...] = field(default=())

    @property
    def field_names(self) -> tuple[str, ...]:
        """Return the fields to query, `id` first."""
        named = sorted(str(each["name"]) for each in self.fields if _is_active(each))
        return ("id", *(name for name in named if name != "id" and name not in self.refused))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what to select for each field: its name, or the function that returns its whole text."""
        types = {str(each["name"]): str(each.get("type")).lower() for each in self.fields}
        functions = {name: LONG_TEXT_FUNCTIONS.get(types.get(name, "")) for name in self.field_names}
        return tuple(f"{function}({name})" if function else name for name, function in functions.items())

    def only(self, names: Collection[str], *, by_change: bool = False) -> ObjectDescription:
        """Return a description of a few fields, besides `id`."""
        return replace(
            self, refused=frozenset(self.field_names).difference(names, {"id"}), by_change=by_change
        )

    def missing_notes(self) -> list[str]:
        """List fields of our table that this Vault does not have, or does not show to the user."""
        if self.name not in CONTRACTS:
            return []
        shown = {*self.field_names, *self.refused}
        missing = [name for name in CONTRACTS[self.name].names if name not in shown]
        return [f"field {name} is missing in this Vault" for name in missing]

    def vql(self, changed: str | None, page_size: int, offset: int = 0) -> str:
        """Return the query for rows `changed` at some time (such as `> '2026-01-01T…'`), oldest change first."""
        dated = self.by_change and "modified_date__v" in self.field_names
        where = f" WHERE modified_date__v {changed}" if changed and dated else ""
        order = "modified_date__v ASC, id ASC" if dated else "id ASC"
        page = f"PAGESIZE {page_size}" + (f" PAGEOFFSET {offset}" if offset else "")
        return f"SELECT {', '.join(self.columns)} FROM {self.name}{where} ORDER BY {order} {page}"

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
        if table == "picklist_value" and rows and self.unread:
            # Values that could not be read are not removed values.
            as_of = {"object": self.name, "as_of": rows[0]["as_of"]}
            rows += [each | as_of for each in stored if each["field"] in self.unread]
        shown = [{name: row.get(name) for name in compared} for row in rows]
        if not rows or _as_set(shown) == _as_set(stored):
            return None
        return _table(source.name, table, rows)


def describe_object(client: VaultClient, name: str) -> ObjectDescription:
    """Read the description of an object, and the values of its picklists.

    A picklist that the user cannot read is one of the description's omissions; its values stay API names.
    Raises VaultRefused if the user has no access to the object, and FieldsMissing if Vault lists no field.
    """
    description = client.call("GET", f"/metadata/vobjects/{name}").body.get("object")
    listed = description.get("fields") if isinstance(description, dict) else None
    fields = tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))
    if not fields:
        raise FieldsMissing(name)
    picklists, omissions = dict[str, tuple[dict[str, Any], ...]](), []
    for each in fields:
        if not each.get("picklist"):
            continue
        try:
            picklists[str(each["name"])] = _values(client, str(each["picklist"]))
        except VaultRefused as refused:
            if ends_pull(refused):
                raise
            omissions.append(Omission.from_error(name, refused, f"labels of {each['name']}"))
    unread = frozenset(str(each["name"]) for each in fields if each.get("picklist")) - picklists.keys()
    return ObjectDescription(name, fields, picklists, unread=unread, omissions=tuple(omissions))


def plain_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the names of fields as keys: Vault may return the function that was selected."""
    return {
        match["field"] if (match := _TEXT_FUNCTION.fullmatch(name)) else name: value
        for name, value in row.items()
    }


def _values(client: VaultClient, picklist: str) -> tuple[dict[str, Any], ...]:
    listed = client.call("GET", f"/objects/picklists/{picklist}").body.get("picklistValues")
    return tuple(each for each in listed or () if isinstance(each, dict) and each.get("name"))


def _is_active(field: dict[str, Any]) -> bool:
    status = field.get("status")
    return not isinstance(status, list) or not status or "active__v" in status


def _table(name: str, table: str, cells: list[dict[str, str | None]]) -> RowSource:
    rows = (RawRow(number, each) for number, each in enumerate(cells, start=1))
    return RowSource(name, list(CONTRACTS[table].names), rows, decimal=".", time_zone="UTC")


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
