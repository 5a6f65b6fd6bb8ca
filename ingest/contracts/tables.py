"""What a row must be to come in: one contract per table, read off the record classes.

The record class is the only definition. From it come the columns, the pydantic model for rows that arrive
one by one (`accept.py`) and the SQL for rows that arrive by the million (`bulk.py`).
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


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, the kind of value it holds, and whether a row without it is refused."""

    name: str
    kind: Kind
    required: bool


@dataclass(frozen=True)
class Contract:
    """What the rows of one table must be, and how two versions of a row are told apart.

    `key` names the columns that identify a row; of two rows with one key the one with the later `version`
    wins. `derived_key` says that a missing key may be made from the row's own content.
    """

    table: str
    record: type
    key: tuple[str, ...]
    version: str | None = None
    derived_key: bool = False

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every column in the order of the record's fields."""
        hints = get_type_hints(self.record)
        return tuple(
            Column(f.name, _KINDS[_bare(hints[f.name])], f.default is MISSING) for f in fields(self.record)
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> frozenset[str]:
        """The columns without which a file cannot be of this kind."""
        needed = {column.name for column in self.columns if column.required}
        return frozenset(needed - set(self.key)) if self.derived_key else frozenset(needed)

    @property
    def has_extra(self) -> bool:
        """Whether the table keeps columns that have no place in it."""
        return self.record is not Truth


def _bare(hint: Any) -> type:  # noqa: ANN401 - a type hint is any object
    # `str | None` is a str as far as its values go; None is not a value.
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
