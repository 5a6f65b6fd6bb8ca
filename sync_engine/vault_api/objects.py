"""The objects of the served Vault, with fields, relationships and records.

Records of the engine's own objects come from its tables. As in Vault, sync tracking, users, VMOCs, settings and
territories are objects too. Values have the format of API replies: picklists are lists of API names, times are UTC
text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Literal

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.telemetry import SyncTracking
from sync_engine.vault import permissions
from sync_engine.vault.state import EVERYWHERE, Vault
from sync_engine.vault_api.messages import format_timestamp
from sync_engine.vmoc import default_vmocs

FieldType = Literal[
    "ID", "String", "LongText", "RichText", "Number", "DateTime", "Date", "Boolean", "Picklist", "Object"
]
VAULT_ID = 90210
"""Id of the served Vault."""
LONG_TEXT_LENGTH = 1500
"""Length in characters above which text fields are Long Text."""
_USER_FIELDS = ("created_by__v", "modified_by__v")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `to` is the object that a reference points to; `values` are a picklist's API names."""

    name: str
    type: FieldType
    required: bool = False
    unique: bool = False
    editable: bool = True
    length: int | None = None
    low: float | None = None
    high: float | None = None
    to: str | None = None
    values: tuple[str, ...] = ()
    multi_value: bool = False
    active: bool = True

    @property
    def relationship(self) -> str | None:
        """Return the outbound relationship name of a reference: `account__vr` for `account__v`."""
        return self.name + "r" if self.to else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One object. `rows` yields its records for a user, in the format of API replies."""

    name: str
    fields: dict[str, Field]
    rows: Callable[[], Iterator[JsonDict]]
    writable: bool = False
    active: bool = True
    # The child object and its reference field, by relationship name.
    inbound: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return the label of the object."""
        return format_label(self.name)

    @property
    def prefix(self) -> str:
        """Return the three-character prefix of the object's ids."""
        return "V" + short_hash("prefix", self.name, size=1).upper()


def format_label(name: str) -> str:
    """Return the label of a name, such as Sync Type for `sync_type__v`."""
    return name.rpartition("__")[0].replace("_", " ").title() or name.title()


def build_catalogue(vault: Vault, user: JsonDict) -> dict[str, Object]:
    """Return the objects that the user may read, by name."""
    objects = {name: _engine_object(vault, user, name, spec) for name, spec in vault.live["object"].items()}
    objects["sync_tracking__v"] = Object(
        name="sync_tracking__v", fields=_tracking_fields(vault), rows=partial(_tracking_rows, vault)
    )
    for name, (own_fields, rows) in _CONFIGURATION_OBJECTS.items():
        objects[name] = Object(
            name=name,
            fields=_standard_fields() | {entry.name: entry for entry in own_fields},
            rows=partial(rows, vault),
        )
    readable = {
        name: entry for name, entry in objects.items() if permissions.allows(vault, user, name, "read")
    }
    _link_relationships(readable)
    return readable


def _link_relationships(objects: dict[str, Object]) -> None:
    for child in objects.values():
        for reference in child.fields.values():
            if reference.to in objects and reference.name not in _USER_FIELDS:
                objects[reference.to].inbound.setdefault(
                    f"{child.name.removesuffix('__v')}s__vr", (child.name, reference.name)
                )


def _standard_fields() -> dict[str, Field]:
    standard_fields = (
        Field(name="id", type="ID", editable=False),
        Field(name="name__v", type="String", length=128),
        Field(name="status__v", type="Picklist", values=("active__v", "inactive__v")),
        Field(name="created_by__v", type="Object", to="user__sys", editable=False),
        Field(name="created_date__v", type="DateTime", editable=False),
        Field(name="modified_by__v", type="Object", to="user__sys", editable=False),
        Field(name="modified_date__v", type="DateTime", editable=False),
        Field(name="global_id__sys", type="String", length=255, editable=False),
        Field(name="link__sys", type="String", length=255, editable=False),
    )
    return {definition.name: definition for definition in standard_fields}


def _engine_object(vault: Vault, user: JsonDict, name: str, spec: JsonDict) -> Object:
    own_fields = {key: _engine_field(key, definition) for key, definition in spec["fields"].items()}
    if name.endswith("__v"):  # not documented for custom objects
        own_fields["mobile_id__v"] = Field(name="mobile_id__v", type="String", length=100, unique=True)
    hidden = set(permissions.hidden_fields(vault, user, name))
    visible_fields = {
        key: definition for key, definition in (_standard_fields() | own_fields).items() if key not in hidden
    }
    active = bool(spec.get("active", True))
    if not active:
        visible_fields = {
            key: replace(definition, active=False) for key, definition in visible_fields.items()
        }
    rows = _setting_rows if name == "veeva_settings__v" else partial(_engine_rows, user=user, name=name)
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


def to_user_number(user_id: object) -> int | str | None:
    """Convert a user id to the number in API replies. System is user 1."""
    text = str(user_id)
    return None if user_id is None else int(text) if text.isdigit() else 1


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
            values[key] = _as_list(values[key])
        yield _standard_values(doc, record_id) | values | {"mobile_id__v": mobile_id}


def _as_list(value: object) -> list[object] | None:
    return None if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _standard_values(doc: JsonDict, record_id: str) -> JsonDict:
    created, modified = doc.get("created_date__v"), doc.get("modified_date__v")
    return {
        "id": record_id,
        "name__v": doc.get("name__v") or record_id,
        "status__v": ["active__v"],
        "created_by__v": to_user_number(doc.get("created_by__v", "System")),
        "created_date__v": format_timestamp(created),
        "modified_by__v": to_user_number(doc.get("modified_by__v", "System")),
        "modified_date__v": format_timestamp(modified),
        "global_id__sys": f"{VAULT_ID}_{record_id}",
        "link__sys": None,
    }


def _tracking_fields(vault: Vault) -> dict[str, Field]:
    tracking_fields = _standard_fields()
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
            doc[name] = _as_list(doc[name])
        yield _standard_values(doc | stamps | times, record_id) | doc


def creation_time(vault: Vault) -> float:
    """Return the creation time of the oldest record in seconds. 0 if there is none."""
    row = vault.db.execute(
        "SELECT json_extract(doc, '$.created_date__v') FROM record ORDER BY id LIMIT 1"
    ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def _last_change_times(vault: Vault, kind: str) -> dict[str, float]:
    rows = vault.db.execute(
        "SELECT json_extract(doc, '$.target'), max(at) FROM audit WHERE json_extract(doc, '$.kind') = ? GROUP BY 1",
        (kind,),
    )
    return {str(target): float(at) for target, at in rows.fetchall()}


def _configuration_records(vault: Vault, kind: str, prefix: str) -> Iterator[tuple[str, JsonDict, JsonDict]]:
    """Yield the name, document and standard record values of each configuration entry of a kind."""
    changed, created_at = _last_change_times(vault, kind), creation_time(vault)
    for name, doc in sorted(vault.live.get(kind, {}).items()):
        record_id = f"{prefix}{int(short_hash(kind, name, size=5), 16) % 10**12:012d}"
        times = {"created_date__v": created_at, "modified_date__v": changed.get(name, created_at)}
        yield name, doc, _standard_values({"name__v": name} | times, record_id)


def _setting_rows(vault: Vault) -> Iterator[JsonDict]:
    blank: JsonDict = {"mobile_id__v": None, "application_profile__v": None, "security_profile__v": None}
    for _, doc, stamps in _configuration_records(vault, "profile_setting", "V6P"):
        values = {"value__v": to_json(doc["value"]), "application_profile__v": doc["application_profile"]}
        yield stamps | blank | values | {"name__v": doc["name"]}
    for _, doc, stamps in _configuration_records(vault, "setting", "V6S"):
        yield stamps | blank | {"value__v": to_json(doc["value"])}


def _profile_rows(vault: Vault) -> Iterator[JsonDict]:
    created_at = creation_time(vault)
    names = {user["application_profile"] for user in vault.live.get("user", {}).values()} - {None}
    for name in sorted(names):
        record_id = f"V6A{int(short_hash('application_profile', name, size=5), 16) % 10**12:012d}"
        yield _standard_values(
            {"name__v": name, "created_date__v": created_at, "modified_date__v": created_at}, record_id
        )


def _vmoc_rows(vault: Vault) -> Iterator[JsonDict]:
    lists = ("type__v", "device__v", "security_profile__v", "application_profile__v")
    for _, doc, stamps in _configuration_records(vault, "vmoc", "V6C"):
        values = {name: _as_list(value) if name in lists else value for name, value in doc.items()}
        yield stamps | values | {"status__v": ["active__v" if doc["active__v"] else "inactive__v"]}


def _user_rows(vault: Vault) -> Iterator[JsonDict]:
    for user_id, doc, stamps in _configuration_records(vault, "user", "V0U"):
        first, _, last = doc["name"].partition(" ")
        yield stamps | {
            "id": int(user_id) if user_id.isdigit() else user_id,
            "name__v": doc["name"],
            "username__sys": doc["email"],
            "email__sys": doc["email"],
            "first_name__sys": first,
            "last_name__sys": last,
            "status__v": ["active__v" if doc["active"] else "inactive__v"],
            "security_profile__sys": doc["security_profile"],
            "application_profile__v": doc["application_profile"],
            "permission_sets__c": doc["permission_set"],
            "timezone__sys": _as_list(doc["time_zone"]),
            "language__sys": _as_list(doc["language"]),
            "country__v": doc["country"],
            **{name: bool(doc.get(name)) for name in USER_FLAGS},
        }


def _territory_rows(vault: Vault) -> Iterator[JsonDict]:
    names = {name for user in vault.live.get("user", {}).values() for name in user["territories"]}
    created_at = creation_time(vault)
    for name in sorted(names):
        stamps = _standard_values(
            {"name__v": name, "created_date__v": created_at, "modified_date__v": created_at},
            territory_id(name),
        )
        yield stamps | {"api_name__v": name}


def _member_rows(vault: Vault) -> Iterator[JsonDict]:
    for user_id, doc, stamps in _configuration_records(vault, "user", "V0M"):
        for name in doc["territories"]:
            record_id = f"V0M{int(short_hash('member', user_id, name, size=5), 16) % 10**12:012d}"
            yield stamps | {
                "id": record_id,
                "user__v": to_user_number(user_id),
                "territory__v": territory_id(name),
            }


def territory_id(name: str) -> str:
    """Return the record id of a territory."""
    return f"V0T{int(short_hash('territory', name, size=5), 16) % 10**12:012d}"


USER_FLAGS = ("force_full_refresh__v", "clear_client_sync_errors__v", "upload_vtrans__v")
"""Recovery flags that an administrator sets on a user, for the user's devices to apply."""


def _vmoc_fields() -> tuple[Field, ...]:
    example = default_vmocs()["account__v"]
    lists = {"type__v": False, "device__v": True, "security_profile__v": True, "application_profile__v": True}
    return tuple(
        Field(name=name, type="Boolean")
        if isinstance(value, bool)
        else Field(name=name, type="Picklist", multi_value=lists[name])
        if name in lists
        else Field(name=name, type="LongText" if name == "where_clause__v" else "String", length=5000)
        for name, value in example.items()
    )


def _user_fields() -> tuple[Field, ...]:
    account_fields = (
        "username__sys",
        "email__sys",
        "first_name__sys",
        "last_name__sys",
        "security_profile__sys",
    )
    profile_fields = ("application_profile__v", "permission_sets__c", "country__v")
    return (
        *(Field(name=name, type="String", length=255) for name in (*account_fields, *profile_fields)),
        *(Field(name=name, type="Picklist") for name in ("timezone__sys", "language__sys")),
        *(Field(name=name, type="Boolean") for name in USER_FLAGS),
    )


_CONFIGURATION_OBJECTS: dict[str, tuple[tuple[Field, ...], Callable[[Vault], Iterator[JsonDict]]]] = {
    "user__sys": (_user_fields(), _user_rows),
    "vmobile_object_configuration__v": (_vmoc_fields(), _vmoc_rows),
    "application_profile__v": ((), _profile_rows),
    "territory__v": ((Field(name="api_name__v", type="String", length=80),), _territory_rows),
    "user_territory__v": (
        (
            Field(name="user__v", type="Object", to="user__sys"),
            Field(name="territory__v", type="Object", to="territory__v"),
        ),
        _member_rows,
    ),
}
