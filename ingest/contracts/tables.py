"""Define what a row of each table must be: one contract per table, derived from its record class.

The record class is the only definition. The columns and the SQL that checks rows come from it.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ingest.config_records import ObjectField, PermissionGrant, PicklistValue, VeevaSetting, VmocInfo
from sync_engine.telemetry import (
    ConfigChange,
    DeviceInfo,
    PendingRecord,
    SyncDetail,
    SyncError,
    SyncTracking,
    SyncUser,
    Truth,
)

Kind = Literal["text", "flag", "integer", "number", "time"]

_KINDS: dict[type, Kind] = {
    str: "text",
    bool: "flag",
    int: "integer",
    float: "number",
    datetime: "time",
}


_ID_COLUMNS = frozenset(
    (
        "id", "event_id", "sync_id", "change_id", "user_id", "device_id", "record_id", "parent_record_id", "vmoc_id",
        "setting_id", "created_by__v", "modified_by__v", "mobile_id__v", "changed_by",
    )
)  # fmt: skip
_MOST_DIGITS = {"http_status": 9}  # the table stores 32 bits


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its kind of value, and whether rows without a value are rejected."""

    name: str
    kind: Kind
    required: bool

    @property
    def is_id(self) -> bool:
        """Return whether the values identify a record, a user or a device."""
        return self.kind == "text" and self.name in _ID_COLUMNS

    @property
    def most_digits(self) -> int:
        """Return how many digits a whole number may have."""
        return _MOST_DIGITS.get(self.name, 18)


@dataclass(frozen=True)
class Contract:
    """The columns of one table, and how rows are identified.

    `key` has the columns that identify a row. Of two rows with the same key, the one with the later `version`
    wins. If `derived_key` is set, a missing key is made from the row's content.
    """

    table: str
    record: type
    key: tuple[str, ...]
    version: str | None = None
    derived_key: bool = False

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Return every column in the order of the record's fields."""
        hints = get_type_hints(self.record)
        return tuple(
            Column(f.name, _KINDS[_bare(hints[f.name])], f.default is MISSING) for f in fields(self.record)
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> frozenset[str]:
        """Return the columns that a file for this table must have."""
        required = {column.name for column in self.columns if column.required}
        return frozenset(required - set(self.key)) if self.derived_key else frozenset(required)

    @property
    def has_extra(self) -> bool:
        """Return whether the table keeps cells without a column, in the column `extra`."""
        return self.record is not Truth


def _bare(hint: Any) -> type:  # noqa: ANN401 - a type hint is any object
    # The kind of `str | None` is that of str.
    if get_origin(hint) in (Union, types.UnionType):
        (only,) = (arm for arm in get_args(hint) if arm is not type(None))
        return only  # type: ignore[no-any-return]
    return hint  # type: ignore[no-any-return]


CONTRACTS: dict[str, Contract] = {
    contract.table: contract
    for contract in (
        Contract("sync_tracking__v", SyncTracking, ("id",), version="modified_date__v"),
        Contract("sync_error", SyncError, ("event_id",), derived_key=True),
        Contract("sync_detail", SyncDetail, ("sync_id",)),
        Contract("config_change", ConfigChange, ("change_id",), derived_key=True),
        Contract("sync_user", SyncUser, ("user_id", "as_of")),
        Contract("device", DeviceInfo, ("device_id", "as_of")),
        Contract("pending_record", PendingRecord, ("device_id", "as_of", "object", "record_id")),
        Contract("object_field", ObjectField, ("object", "name", "as_of")),
        Contract("picklist_value", PicklistValue, ("object", "field", "name", "as_of")),
        Contract("permission_grant", PermissionGrant, ("permission_set", "object", "field", "as_of")),
        Contract("vmoc", VmocInfo, ("vmoc_id", "as_of")),
        Contract("veeva_setting", VeevaSetting, ("setting_id", "as_of")),
        Contract("engine_truth.event_cause", Truth, ("event_id", "cause", "injected_by")),
    )
}
"""Every contract by the name of its table."""

CONTRACT_OF: dict[type, Contract] = {contract.record: contract for contract in CONTRACTS.values()}
"""Every contract by its record class."""
