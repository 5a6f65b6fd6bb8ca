"""What the store knows of the Vault around a case: fields of objects, permission sets of users, VMOCs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from rehearsal.builders import references
from sync_engine.json_docs import JsonDict
from sync_engine.model import (
    SYSTEM_FIELDS,
    an_object,
    boolean,
    date,
    default_objects,
    number,
    picklist,
    reference,
    text,
)

LONGEST_TEXT = 4000
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
class Known:
    """The Vault of a case as far as the store knows it.

    `objects` are definitions as the engine takes them, with those that a record of the case must refer to.
    `sets` gives the permission sets of a user, as text. `vmocs` are the names of those for the case's object.
    """

    objects: Mapping[str, JsonDict]
    sets: Mapping[str, str]
    vmocs: tuple[str, ...]
    told: tuple[str, ...]


def read_known(
    connection: DuckDBPyConnection, names: Iterable[str], users: Iterable[str], about: str | None
) -> Known:
    """Read what is known of these objects, these users, and the VMOCs of the object that a case is about."""
    described, objects = set[str](), dict[str, JsonDict]()
    wanted = {*names, "account__v", "call2__v"}
    while missing := sorted(wanted - objects.keys()):
        found = _described(connection, missing)
        described |= found.keys()
        objects |= {name: _definition(name, found.get(name, {})) for name in missing}
        wanted |= {to for name in missing for to in references(objects[name]).values()}
    sets = connection.execute(_USERS, {"users": sorted(set(users))}).fetchall()
    vmocs = connection.execute(_VMOCS, {"object": about}).fetchall()
    return Known(
        objects=objects,
        sets={user: granted for user, granted in sets if granted},
        vmocs=tuple(name for (name,) in vmocs),
        told=_tell(sorted({*names}), described),
    )


def _described(connection: DuckDBPyConnection, names: list[str]) -> dict[str, JsonDict]:
    """Fields by object and name, for objects of which the store has metadata."""
    values = {
        (name, field): listed
        for name, field, listed in connection.execute(_VALUES, {"objects": names}).fetchall()
    }
    found: dict[str, JsonDict] = {}
    cursor = connection.execute(_FIELDS, {"objects": names})
    columns = [column[0] for column in cursor.description or ()]
    for cells in cursor.fetchall():
        row = dict(zip(columns, cells, strict=True))
        spec = _spec(row, values.get((row["object"], row["name"]), []))
        found.setdefault(row["object"], {})[row["name"]] = spec
    return found


def _spec(row: Mapping[str, Any], values: list[str]) -> JsonDict:
    kind, more = row["type"] or "", {"required": True} if row["required"] else {}
    if kind == "picklist" and values:
        return picklist(*values, **more)
    if kind in ("reference", "object", "relationship") and row["refers_to"]:
        return reference(row["refers_to"], **more)
    if kind in ("number", "decimal", "integer"):
        return number(row["min_value"], row["max_value"], **more)
    if kind in ("boolean", "date"):
        return boolean(**more) if kind == "boolean" else date(**more)
    return text(min(int(row["max_length"] or 100), LONGEST_TEXT), **more)


def _definition(name: str, fields: JsonDict) -> JsonDict:
    """The object with the store's fields; what places it and locks it is the engine's where it knows it."""
    own = default_objects().get(name) or an_object(name, {"name__v": text()})
    kept = {key: spec for key, spec in own["fields"].items() if not fields or spec["type"] == "reference"}
    told = {key: spec for key, spec in fields.items() if key not in SYSTEM_FIELDS}
    return own | {"fields": (told | kept) or own["fields"]}


def _tell(names: list[str], described: set[str]) -> tuple[str, ...]:
    ours = [name for name in names if name not in described and name in default_objects()]
    made_up = [name for name in names if name not in described and name not in default_objects()]
    told = []
    if ours:
        told.append(f"The store has no metadata of {', '.join(ours)}; the engine's own is taken.")
    if made_up:
        told.append(
            f"The store has no metadata of {', '.join(made_up)}; made up, with a name and what errors name."
        )
    return tuple(told)
