"""The objects of the served Vault that a user may read, with their records.

Records of the engine's own objects come from its tables. As in Vault, sync tracking, users, VMOCs, settings and
territories are objects too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial

from sync_engine.json_docs import JsonDict, from_json
from sync_engine.telemetry import SyncTracking
from sync_engine.vault import permissions
from sync_engine.vault.state import EVERYWHERE, Vault
from sync_engine.vault_api.configuration_objects import CONFIGURATION_OBJECTS, setting_rows
from sync_engine.vault_api.messages import format_timestamp
from sync_engine.vault_api.objects import Field, FieldType, Object, as_list, standard_fields, standard_values

LONG_TEXT_LENGTH = 1500
"""Length in characters above which text fields are Long Text."""
_USER_FIELDS = ("created_by__v", "modified_by__v")


def build_catalogue(vault: Vault, user: JsonDict) -> dict[str, Object]:
    """Return the objects that the user may read, by name."""
    objects = {name: _engine_object(vault, user, name, spec) for name, spec in vault.live["object"].items()}
    objects["sync_tracking__v"] = Object(
        name="sync_tracking__v", fields=_tracking_fields(vault), rows=partial(_tracking_rows, vault)
    )
    for name, (own_fields, rows) in CONFIGURATION_OBJECTS.items():
        objects[name] = Object(
            name=name,
            fields=standard_fields() | {entry.name: entry for entry in own_fields},
            rows=partial(rows, vault),
        )
    readable = {
        name: entry for name, entry in objects.items() if permissions.allows(vault, user, name, "read")
    }
    _link_relationships(readable)
    return readable


def _link_relationships(objects: dict[str, Object]) -> None:
    """Name the inbound relationships of each object. Vault's names are not documented; these are ours."""
    for child in objects.values():
        for reference in child.fields.values():
            if reference.to in objects and reference.name not in _USER_FIELDS:
                inbound = objects[reference.to].inbound
                base, suffix = child.name.rpartition("__")[0], child.name.rpartition("__")[2]
                name = f"{base}s__{suffix}r"
                if name in inbound:
                    name = f"{base}s_{reference.name.rpartition('__')[0]}__{suffix}r"
                inbound[name] = (child.name, reference.name)


def _engine_object(vault: Vault, user: JsonDict, name: str, spec: JsonDict) -> Object:
    own_fields = {key: _engine_field(key, definition) for key, definition in spec["fields"].items()}
    if name.endswith("__v"):  # not documented for custom objects
        own_fields["mobile_id__v"] = Field(name="mobile_id__v", type="String", length=100, unique=True)
    hidden = set(permissions.hidden_fields(vault, user, name))
    # The engine stores its own fields only, so no other standard field can be set.
    fixed_fields = {key: replace(entry, editable=False) for key, entry in standard_fields().items()}
    visible_fields = {
        key: definition for key, definition in (fixed_fields | own_fields).items() if key not in hidden
    }
    active = bool(spec.get("active", True))
    if not active:
        visible_fields = {
            key: replace(definition, active=False) for key, definition in visible_fields.items()
        }
    rows = setting_rows if name == "veeva_settings__v" else partial(_engine_rows, user=user, name=name)
    return Object(
        name=name,
        fields=visible_fields,
        rows=partial(rows, vault),
        writable=name != "veeva_settings__v",
        active=active,
    )


def _engine_field(name: str, spec: JsonDict) -> Field:
    length = spec.get("length")
    long_type: FieldType = "RichText" if spec.get("rich") else "LongText"
    types: dict[str, FieldType] = {
        "text": long_type if length and length > LONG_TEXT_LENGTH else "String",
        "number": "Number",
        "picklist": "Picklist",
        "reference": "Object",
        "date": "Date",
        "boolean": "Boolean",
    }
    return Field(
        name=name,
        type=types[spec["type"]],
        required=bool(spec.get("required")),
        unique=bool(spec.get("unique")),
        length=length,
        low=spec.get("min"),
        high=spec.get("max"),
        to=spec.get("to"),
        values=tuple(spec.get("values", ())),
    )


def _engine_rows(vault: Vault, *, user: JsonDict, name: str) -> Iterator[JsonDict]:
    spec = vault.live["object"][name]["fields"]
    lists = [key for key, definition in spec.items() if definition["type"] == "picklist"]
    blank: JsonDict = dict.fromkeys(spec)
    rows = vault.db.execute(
        "SELECT id, territory, mobile_id, doc FROM record WHERE object = ? AND NOT deleted ORDER BY id",
        (name,),
    )
    for record_id, territory, mobile_id, text in rows.fetchall():
        if not user.get("admin") and territory not in (EVERYWHERE, *user["territories"]):
            continue
        doc = blank | from_json(text)
        values = {key: doc[key] for key in doc if key in spec}
        for key in lists:
            values[key] = as_list(values[key])
        yield standard_values(doc, record_id) | values | {"mobile_id__v": mobile_id}


def _tracking_fields(vault: Vault) -> dict[str, Field]:
    tracking_fields = standard_fields()
    for attribute in fields(SyncTracking):
        if attribute.name in tracking_fields:
            continue
        kinds: dict[str, FieldType] = {
            "datetime": "DateTime",
            "float": "Number",
            "int": "Number",
            "bool": "Boolean",
        }
        kind = kinds.get(str(attribute.type).partition(" ")[0], "String")
        if attribute.name in ("sync_type__v", "refresh_mode__v"):
            values = _tracking_values(vault, attribute.name)
            tracking_fields[attribute.name] = Field(name=attribute.name, type="Picklist", values=values)
        else:
            tracking_fields[attribute.name] = Field(
                name=attribute.name, type=kind, length=128 if kind == "String" else None
            )
    return tracking_fields


def _tracking_values(vault: Vault, name: str) -> tuple[str, ...]:
    rows = vault.db.execute("SELECT DISTINCT json_extract(doc, ?) FROM tracking ORDER BY 1", (f"$.{name}",))
    return tuple(row[0] for row in rows.fetchall() if row[0] is not None)


def _tracking_rows(vault: Vault) -> Iterator[JsonDict]:
    rows = vault.db.execute("SELECT id, user, created, modified, doc FROM tracking ORDER BY created, id")
    for record_id, user, created, modified, text in rows.fetchall():
        doc = from_json(text)
        stamps = {"created_by__v": user, "modified_by__v": user}
        times = {"created_date__v": created, "modified_date__v": modified}
        for name in ("sync_start_datetime__v", "sync_completed_datetime__v"):
            doc[name] = format_timestamp(doc[name])
        for name in ("sync_type__v", "refresh_mode__v"):
            doc[name] = as_list(doc[name])
        yield standard_values(doc | stamps | times, record_id) | doc
