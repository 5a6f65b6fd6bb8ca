"""Checks of permission sets. Everything is allowed unless the set lists an exception."""

from __future__ import annotations

from typing import Literal

from sync_engine.json_docs import JsonDict
from sync_engine.model import SYSTEM_FIELDS
from sync_engine.protocol import VaultError
from sync_engine.vault.state import Vault

Right = Literal["create", "read", "edit", "delete"]
VMOCS, SETTINGS, PROFILES = "vmobile_object_configuration__v", "veeva_settings__v", "application_profile__v"
"""Configuration objects that every user must be able to read, with all their fields."""
_VERBS = {"create": "create", "update": "edit", "delete": "delete"}


def permission_set(
    name: str, *, objects: JsonDict | None = None, fields: JsonDict | None = None, **attributes: object
) -> JsonDict:
    """Build a permission set.

    `objects[object][right]` and `fields[object][field][right]` are exceptions: False denies the right.
    """
    return {
        "name": name,
        "metadata_api": False,
        "api": True,
        "objects": objects or {},
        "fields": fields or {},
    } | attributes


def user_permission_set(vault: Vault, user: JsonDict) -> JsonDict:
    """Return the user's permission set."""
    return vault.live["permission_set"][user["permission_set"]]


def allows(vault: Vault, user: JsonDict, object_name: str, right: Right) -> bool:
    """Return whether the user has the permission on the object."""
    return bool(user_permission_set(vault, user)["objects"].get(object_name, {}).get(right, True))


def allows_field(vault: Vault, user: JsonDict, object_name: str, field: str, right: Right) -> bool:
    """Return whether the user may read or edit the field."""
    return bool(
        user_permission_set(vault, user)["fields"].get(object_name, {}).get(field, {}).get(right, True)
    )


def hidden_fields(vault: Vault, user: JsonDict, object_name: str) -> tuple[str, ...]:
    """Return the fields of the object that the user may not read, sorted by name."""
    exceptions = user_permission_set(vault, user)["fields"].get(object_name, {})
    return tuple(sorted(name for name, rights in exceptions.items() if not rights.get("read", True)))


def can_read_all_fields(vault: Vault, user: JsonDict, object_name: str) -> bool:
    """Return whether the user may read the object and all its fields."""
    return allows(vault, user, object_name, "read") and not hidden_fields(vault, user, object_name)


def require_vmoc_access(vault: Vault, user: JsonDict) -> None:
    """Raise VaultError unless the user may read VMOCs and all their fields.

    Documented: all users need this access, and incremental sync does not work correctly without it. Assumption:
    without it, a sync downloads nothing and reports an error.
    """
    if can_read_all_fields(vault, user, VMOCS):
        return
    field = next(iter(hidden_fields(vault, user, VMOCS)), None)
    no_object_access = not allows(vault, user, VMOCS, "read")
    resource = f"object [{VMOCS}]" if no_object_access else f"field [{field}] of [{VMOCS}]"
    raise VaultError(
        "INSUFFICIENT_ACCESS",
        f"User [{user['id']}] does not have Read permission on {resource}",
        cause="object-permission" if no_object_access else "field-permission",
        blame=f"permission_set/{user['permission_set']}/{VMOCS}/{'' if no_object_access else field}",
        object=VMOCS,
        field=None if no_object_access else field,
    )


def require_object_permission(vault: Vault, user: JsonDict, object_name: str, operation: str) -> None:
    """Raise VaultError unless the user may create, update or delete records of the object."""
    right = _VERBS[operation]
    if not allows(vault, user, object_name, right):  # type: ignore[arg-type]
        raise VaultError(
            "INSUFFICIENT_ACCESS",
            f"User [{user['id']}] does not have sufficient privileges to {right} records of [{object_name}]",
            cause="object-permission",
            blame=f"permission_set/{user['permission_set']}/{object_name}/",
            object=object_name,
        )


def require_field_permissions(vault: Vault, user: JsonDict, object_name: str, names: list[str]) -> None:
    """Raise VaultError if a field is unknown, computed, or not editable for the user."""
    definitions = vault.live["object"][object_name]["fields"]
    for name in names:
        if name not in definitions:
            raise VaultError(
                "ATTRIBUTE_NOT_SUPPORTED",
                f"Attribute [{name}] is not supported by object [{object_name}]",
                cause="schema-mismatch",
                blame=f"field/{object_name}/{object_name}/{name}",
                object=object_name,
                field=name,
            )
        rights = (
            allows_field(vault, user, object_name, name, "read"),
            allows_field(vault, user, object_name, name, "edit"),
        )
        if not all(rights) or name in SYSTEM_FIELDS:
            raise VaultError(
                "OPERATION_NOT_ALLOWED",
                f"Cannot update field [{name}] on object [{object_name}]: "
                f"user [{user['id']}] does not have Edit permission on the field",
                cause="field-permission",
                blame=f"permission_set/{user['permission_set']}/{object_name}/{name}",
                object=object_name,
                field=name,
            )
