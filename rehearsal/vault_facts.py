"""Read the data in the store about the Vault: object fields, permission sets and VMOCs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from rehearsal.builders import required_references
from sync_engine.json_docs import JsonDict
from sync_engine.model import (
    SYSTEM_FIELDS,
    boolean,
    date,
    default_objects,
    number,
    object_definition,
    picklist,
    reference,
    text,
)

MAX_TEXT_LENGTH = 4000
_FIELDS = """
SELECT object, name, lower(type) AS type, coalesce(required, false) AS required, max_length, min_value,
    max_value, refers_to
FROM object_field WHERE list_contains($objects, object)
QUALIFY row_number() OVER (PARTITION BY object, name ORDER BY as_of DESC) = 1 AND coalesce(active, true)
    AND (coalesce(editable, true) OR coalesce(required, false))
ORDER BY object, name
"""
_VALUES = """
SELECT object, field, list(name ORDER BY name) AS values FROM (
    SELECT object, field, name, status FROM picklist_value WHERE list_contains($objects, object)
    QUALIFY row_number() OVER (PARTITION BY object, field, name ORDER BY as_of DESC) = 1
) WHERE coalesce(status, '') NOT ILIKE '%inactive%' GROUP BY ALL
"""
_USERS = "SELECT user_id, permission_sets FROM current_user_info WHERE list_contains($users, user_id)"
_VMOCS = """
SELECT coalesce(name, vmoc_id) FROM vmoc WHERE object = $object
QUALIFY row_number() OVER (PARTITION BY vmoc_id ORDER BY as_of DESC) = 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFacts:
    """The data in the store about the Vault of a case.

    `objects` has engine definitions by name, including objects that the records of the case must refer to.
    `permission_sets` is text by user id. `vmocs` has the names of the VMOCs for the issue's object.
    """

    objects: Mapping[str, JsonDict]
    permission_sets: Mapping[str, str]
    vmocs: tuple[str, ...]
    assumptions: tuple[str, ...]


def read_vault_facts(
    connection: DuckDBPyConnection, names: Iterable[str], users: Iterable[str], issue_object: str | None
) -> VaultFacts:
    """Read the facts about these objects, these users, and the VMOCs of the issue's object."""
    objects_with_metadata, objects = set[str](), dict[str, JsonDict]()
    required_names = {*names, "account__v", "call2__v"}
    while missing := sorted(required_names - objects.keys()):
        fields_by_object = _read_fields(connection, missing)
        objects_with_metadata |= fields_by_object.keys()
        objects |= {name: _object_definition(name, fields_by_object.get(name, {})) for name in missing}
        required_names |= {to for name in missing for to in required_references(objects[name]).values()}
    rows = connection.execute(_USERS, {"users": sorted(set(users))}).fetchall()
    vmocs = connection.execute(_VMOCS, {"object": issue_object}).fetchall()
    return VaultFacts(
        objects=objects,
        permission_sets={user: granted for user, granted in rows if granted},
        vmocs=tuple(name for (name,) in vmocs),
        assumptions=_missing_metadata_notes(sorted({*names}), objects_with_metadata),
    )


def _read_fields(connection: DuckDBPyConnection, names: list[str]) -> dict[str, JsonDict]:
    """Read field definitions by object and field name, for objects with metadata in the store."""
    values = {
        (name, field): listed
        for name, field, listed in connection.execute(_VALUES, {"objects": names}).fetchall()
    }
    fields_by_object: dict[str, JsonDict] = {}
    cursor = connection.execute(_FIELDS, {"objects": names})
    columns = [column[0] for column in cursor.description or ()]
    for cells in cursor.fetchall():
        row = dict(zip(columns, cells, strict=True))
        spec = _field_spec(row, values.get((row["object"], row["name"]), []))
        fields_by_object.setdefault(row["object"], {})[row["name"]] = spec
    return fields_by_object


def _field_spec(row: Mapping[str, Any], values: list[str]) -> JsonDict:
    kind, options = row["type"] or "", {"required": True} if row["required"] else {}
    if kind == "picklist" and values:
        return picklist(*values, **options)
    if kind in ("reference", "object", "relationship") and row["refers_to"]:
        return reference(row["refers_to"], **options)
    if kind in ("number", "decimal", "integer"):
        return number(row["min_value"], row["max_value"], **options)
    if kind in ("boolean", "date"):
        return boolean(**options) if kind == "boolean" else date(**options)
    return text(min(int(row["max_length"] or 100), MAX_TEXT_LENGTH), **options)


def _object_definition(name: str, fields: JsonDict) -> JsonDict:
    """Return an object definition with the store's fields; parent, territory and lock come from the engine."""
    base = default_objects().get(name) or object_definition(name, {"name__v": text()})
    base_fields = {
        key: spec for key, spec in base["fields"].items() if not fields or spec["type"] == "reference"
    }
    store_fields = {key: spec for key, spec in fields.items() if key not in SYSTEM_FIELDS}
    return base | {"fields": (store_fields | base_fields) or base["fields"]}


def _missing_metadata_notes(names: list[str], described: set[str]) -> tuple[str, ...]:
    missing = [name for name in names if name not in described]
    engine_objects = [name for name in missing if name in default_objects()]
    placeholders = [name for name in missing if name not in default_objects()]
    notes = []
    if engine_objects:
        notes.append(
            f"The store has no metadata for {', '.join(engine_objects)}; the engine's default definition is used."
        )
    if placeholders:
        notes.append(
            f"The store has no metadata for {', '.join(placeholders)}; a minimal definition with the fields named in "
            "the errors is used."
        )
    return tuple(notes)
