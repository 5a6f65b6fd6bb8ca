"""Convert the configuration of a simulated Vault to the rows that lint and classification read.

For a real Vault, `synclens pull` loads the same rows over its API.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ingest.config_records import (
    ContextRow,
    ObjectField,
    PermissionGrant,
    PicklistValue,
    VeevaSetting,
    VmocInfo,
)
from sync_engine.vault.state import Vault

Doc = dict[str, Any]


def configuration_rows(vault: Vault, as_of: datetime) -> Iterator[ContextRow]:
    """Yield fields, picklist values, permissions, VMOCs and settings of a Vault at the time `as_of` (UTC)."""
    live = vault.live
    for name, doc in live["object"].items():
        yield from _fields(name, doc["fields"], as_of)
    for name, doc in live["permission_set"].items():
        yield from _grants(name, doc, as_of)
    for name, doc in live.get("vmoc", {}).items():
        yield _vmoc(name, doc, as_of)
    for name, doc in live["setting"].items():
        yield VeevaSetting(setting_id=name, as_of=as_of, name=name, value=str(doc["value"]))


def _fields(object_name: str, fields: Doc, as_of: datetime) -> Iterator[ObjectField | PicklistValue]:
    for name, spec in fields.items():
        yield ObjectField(
            object=object_name,
            name=name,
            as_of=as_of,
            type=spec["type"],
            required=bool(spec.get("required")),
            unique_values=bool(spec.get("unique")),
            max_length=spec.get("length"),
            min_value=spec.get("min"),
            max_value=spec.get("max"),
            refers_to=spec.get("to"),
            active=True,
        )
        for value in spec.get("values", ()):
            yield PicklistValue(object=object_name, field=name, name=value, as_of=as_of, status="active__v")


def _grants(name: str, doc: Doc, as_of: datetime) -> Iterator[PermissionGrant]:
    """Yield the explicit grants of a permission set. Anything it does not mention is allowed and has no row."""
    yield PermissionGrant(
        permission_set=name,
        object="application",
        field="Metadata API",
        as_of=as_of,
        can_read=doc["metadata_api"],
    )
    for object_name, rights in doc["objects"].items():
        yield _grant(name, object_name, "*", rights, as_of)
    for object_name, fields in doc["fields"].items():
        for field, rights in fields.items():
            yield _grant(name, object_name, field, rights, as_of)


def _grant(name: str, object_name: str, field: str, rights: Doc, as_of: datetime) -> PermissionGrant:
    permissions = {f"can_{right}": rights.get(right, True) for right in ("read", "create", "edit", "delete")}
    return PermissionGrant(permission_set=name, object=object_name, field=field, as_of=as_of, **permissions)


def _vmoc(name: str, doc: Doc, as_of: datetime) -> VmocInfo:
    return VmocInfo(
        vmoc_id=name,
        as_of=as_of,
        name=name,
        object=doc["object_name__v"],
        type=doc["type__v"],
        device=",".join(doc["device__v"]),
        where_clause=doc["where_clause__v"],
        application_profile=doc["application_profile__v"],
        active=doc["active__v"],
    )
