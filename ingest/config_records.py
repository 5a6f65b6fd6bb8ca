"""Records of a Vault's configuration as of a time. Fields are the columns of their tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectField:
    """One field of one object; `type` is the source's name for it, `refers_to` an object or a picklist."""

    object: str
    name: str
    as_of: datetime
    label: str | None = None
    type: str | None = None
    required: bool | None = None
    editable: bool | None = None
    unique_values: bool | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    refers_to: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PicklistValue:
    """One value of a picklist field: its API name, which rows carry, and its label."""

    object: str
    field: str
    name: str
    as_of: datetime
    label: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionGrant:
    """One permission of a permission set; field `*` is the object itself, object `application` no object."""

    permission_set: str
    object: str
    field: str
    as_of: datetime
    can_read: bool | None = None
    can_create: bool | None = None
    can_edit: bool | None = None
    can_delete: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VmocInfo:
    """One VMobile Object Configuration: which records of an object are downloaded to which device."""

    vmoc_id: str
    as_of: datetime
    name: str | None = None
    object: str | None = None
    type: str | None = None
    device: str | None = None
    where_clause: str | None = None
    application_profile: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VeevaSetting:
    """One setting, and the scope (profile or user) it applies to."""

    setting_id: str
    as_of: datetime
    name: str | None = None
    value: str | None = None
    scope: str | None = None


ContextRow = ObjectField | PicklistValue | PermissionGrant | VmocInfo | VeevaSetting
"""Any configuration record."""
