"""The definition of objects and fields, and the values that every record has.

Values have the format of API replies: picklists are lists of API names, times are UTC text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict
from sync_engine.vault_api.messages import format_timestamp

FieldType = Literal[
    "ID", "String", "LongText", "RichText", "Number", "DateTime", "Date", "Boolean", "Picklist", "Object"
]
VAULT_ID = 90210
"""Id of the served Vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `to` is the object that a reference points to; `values` are a picklist's API names.

    Metadata lists a field that is not `queryable`, but VQL refuses it.
    """

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
    queryable: bool = True

    @property
    def label(self) -> str:
        """Return the label of the field."""
        return "ID" if self.name == "id" else format_label(self.name)

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
    def label_plural(self) -> str:
        """Return the plural of the label."""
        return format_plural_label(self.name)

    @property
    def prefix(self) -> str:
        """Return the three-character prefix of the object's ids."""
        return object_prefix(self.name)


def object_prefix(name: str) -> str:
    """Return the three-character prefix of an object's ids."""
    return "V" + short_hash("prefix", name, size=1).upper()


def format_label(name: str) -> str:
    """Return the label of a name, such as Sync Type for `sync_type__v`."""
    return name.rpartition("__")[0].replace("_", " ").title() or name.title()


def format_plural_label(name: str) -> str:
    """Return the plural of a name's label, such as Territories for `territory__v`."""
    label = format_label(name)
    return label[:-1] + "ies" if label.endswith("y") else label if label.endswith("s") else label + "s"


def format_time_zone(zone: str) -> str:
    """Return the picklist value of an IANA time zone: `america_new_york__sys` for `America/New_York`.

    Source of the form: Veeva, VAPIL, `ObjectRecordRequestTest` (`america_indianapolis__sys`).
    """
    return zone.lower().replace("/", "_").replace("-", "_").replace("+", "_") + "__sys"


def standard_fields() -> dict[str, Field]:
    """Return the fields that every object has, by name."""
    definitions = (
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
    return {definition.name: definition for definition in definitions}


def to_user_number(user_id: object) -> int | str | None:
    """Convert a user id to the number in API replies. System is user 1."""
    text = str(user_id)
    return None if user_id is None else int(text) if text.isdigit() else 1


def as_list(value: object) -> list[object] | None:
    """Return a picklist value as the list of its API names. None stays None."""
    return None if value is None else list(value) if isinstance(value, list | tuple) else [value]


def standard_values(doc: JsonDict, record_id: str) -> JsonDict:
    """Return the values of the standard fields of a record."""
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
