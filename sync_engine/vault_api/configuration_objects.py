"""Objects whose records represent configuration: settings, profiles, VMOCs, users and territories."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, to_json
from sync_engine.vault.state import Vault
from sync_engine.vault_api.objects import Field, as_list, format_time_zone, standard_values, to_user_number
from sync_engine.vmoc import default_vmocs


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
        yield name, doc, standard_values({"name__v": name} | times, record_id)


def setting_rows(vault: Vault) -> Iterator[JsonDict]:
    """Yield the records of Veeva Settings: those of application profiles first."""
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
        yield standard_values(
            {"name__v": name, "created_date__v": created_at, "modified_date__v": created_at}, record_id
        )


def _vmoc_rows(vault: Vault) -> Iterator[JsonDict]:
    lists = ("type__v", "device__v", "security_profile__v", "application_profile__v")
    for _, doc, stamps in _configuration_records(vault, "vmoc", "V6C"):
        values = {name: as_list(value) if name in lists else value for name, value in doc.items()}
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
            "timezone__sys": [format_time_zone(doc["time_zone"])],
            "language__sys": as_list(doc["language"]),
            "country__v": doc["country"],
            **{name: bool(doc.get(name)) for name in USER_FLAGS},
        }


def _territory_rows(vault: Vault) -> Iterator[JsonDict]:
    names = {name for user in vault.live.get("user", {}).values() for name in user["territories"]}
    created_at = creation_time(vault)
    for name in sorted(names):
        stamps = standard_values(
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


CONFIGURATION_OBJECTS: dict[str, tuple[tuple[Field, ...], Callable[[Vault], Iterator[JsonDict]]]] = {
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
