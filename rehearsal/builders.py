"""Build object definitions, fields and values for the sandbox."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.model import SYSTEM_FIELDS, text

BLOCK_FIELD = "rehearsal_block__c"
"""A field that only the sandbox has. A validation rule refuses records in which it is BLOCK_VALUE."""
BLOCK_VALUE = "blocked"
REHEARSAL_DAY = "2026-03-02"


def add_fields(definition: JsonDict, field: str | None) -> JsonDict:
    """Return the object definition with `field` and BLOCK_FIELD added."""
    fields = dict(definition["fields"]) | {BLOCK_FIELD: text()}
    if field and field not in fields and field not in SYSTEM_FIELDS:
        fields[field] = text()
    return definition | {"fields": fields}


def make_value(spec: JsonDict, number: int, field: str) -> object:
    """Return a valid value for a field. Different numbers return different values if the type has several."""
    field_type = spec["type"]
    if field_type == "picklist":
        return spec["values"][number % len(spec["values"])] if spec["values"] else None
    if field_type == "number":
        low, high = spec["min"] or 0, spec["max"]
        size = 97 if high is None else max(1, int(high - low) + 1)
        return low + number % size
    if field_type == "date":
        return REHEARSAL_DAY
    if field_type == "boolean":
        return bool(number % 2)
    return f"{field[:12]} {number}"[: spec.get("length", 100)]


def writable_field(definition: JsonDict, preferred: str | None) -> str:
    """Return the preferred field if it is writable, else the first text or number field."""
    fields = definition["fields"]
    if preferred in fields and fields[preferred]["type"] != "reference":
        return str(preferred)
    candidates = (
        name for name, spec in fields.items() if spec["type"] in ("text", "number") and name != BLOCK_FIELD
    )
    return next(candidates, BLOCK_FIELD)


def required_references(definition: JsonDict) -> dict[str, str]:
    """Return the reference fields a record must fill, with the object each refers to."""
    targets = {}
    for name, spec in definition["fields"].items():
        is_required = spec.get("required") or name == definition["parent"]
        if spec["type"] == "reference" and spec["to"] != "user__sys" and is_required:
            targets[name] = spec["to"]
    parent = definition["parent"]
    if parent in definition["fields"]:
        targets[parent] = definition["fields"][parent]["to"]
    return targets


def required_user_fields(definition: JsonDict) -> list[str]:
    """Return the required fields that refer to a user."""
    specs = definition["fields"].items()
    return [name for name, spec in specs if spec.get("to") == "user__sys" and spec.get("required")]
