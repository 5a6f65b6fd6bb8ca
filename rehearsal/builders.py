"""Objects, fields and values for a rebuilt situation, where the store names them and knows no more."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.model import SYSTEM_FIELDS, text

BLOCK_FIELD = "rehearsal_hold__c"
"""A field of the rehearsal's own; a record that carries HELD in it is refused by a rule of its own."""
BLOCK_VALUE = "held"
REHEARSAL_DAY = "2026-03-02"


def add_fields(definition: JsonDict, field: str | None) -> JsonDict:
    """The object with `field` and the field HOLD."""
    fields = dict(definition["fields"]) | {BLOCK_FIELD: text()}
    if field and field not in fields and field not in SYSTEM_FIELDS:
        fields[field] = text()
    return definition | {"fields": fields}


def make_value(spec: JsonDict, number: int, field: str) -> object:
    """A value that the field takes; another number gives another value where the type has more than one."""
    kind = spec["type"]
    if kind == "picklist":
        return spec["values"][number % len(spec["values"])] if spec["values"] else None
    if kind == "number":
        low, high = spec["min"] or 0, spec["max"]
        room = 97 if high is None else max(1, int(high - low) + 1)
        return low + number % room
    if kind == "date":
        return REHEARSAL_DAY
    if kind == "boolean":
        return bool(number % 2)
    return f"{field[:12]} {number}"[: spec.get("length", 100)]


def writable_field(definition: JsonDict, preferred: str | None) -> str:
    """The field to write: the wished one if it may be written, else the object's first plain one."""
    fields = definition["fields"]
    if preferred in fields and fields[preferred]["type"] != "reference":
        return str(preferred)
    plain = (
        name for name, spec in fields.items() if spec["type"] in ("text", "number") and name != BLOCK_FIELD
    )
    return next(plain, BLOCK_FIELD)


def required_references(definition: JsonDict) -> dict[str, str]:
    """Fields that must hold the id of a record, with the object that they lead to."""
    targets = {}
    for name, spec in definition["fields"].items():
        needed = spec.get("required") or name == definition["parent"]
        if spec["type"] == "reference" and spec["to"] != "user__sys" and needed:
            targets[name] = spec["to"]
    parent = definition["parent"]
    if parent in definition["fields"]:
        targets[parent] = definition["fields"][parent]["to"]
    return targets


def required_user_fields(definition: JsonDict) -> list[str]:
    """Fields that must name a user."""
    specs = definition["fields"].items()
    return [name for name, spec in specs if spec.get("to") == "user__sys" and spec.get("required")]
