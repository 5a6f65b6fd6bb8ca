"""Convert logs, audit trails and configuration objects to rows of a table.

A shape is detected by its columns. It converts the cells of a row to those of a contract, or skips rows that are
not about sync, such as successful calls in a usage log. The notes of the batch count the skipped rows. Column
names and texts of audit trails follow Veeva's published clients. The text of `item` in the system trail is not
documented; it only determines the kind of a change, never whether the change is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ingest.contracts.tables import CONTRACTS, Contract
from ingest.mapping.headings import fold_heading
from ingest.mapping.time_zones import read_time_zone
from ingest.readers.rows import RawRow, RowSource, compact_json

Cells = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of source: the columns it has, the table it feeds, and how to convert a row."""

    name: str
    table: str
    required_columns: frozenset[str]
    convert: Callable[[Cells], Cells | None]

    @property
    def contract(self) -> Contract:
        """Return the contract of the table."""
        return CONTRACTS[self.table]


def reshape(source: RowSource) -> RowSource:
    """Return the source with its rows converted, if its columns fit a shape, or else unchanged."""
    shape = fitting_shape(source.header)
    return reshape_as(source, shape) if shape else source


def fitting_shape(header: Iterable[str]) -> Shape | None:
    """Return the shape that a header fits, the one with the most columns; None if there is none."""
    folded = frozenset(map(fold_heading, header))
    fitting = [shape for shape in SHAPES if shape.required_columns <= folded]
    return max(fitting, key=lambda each: len(each.required_columns), default=None)


def reshape_as(source: RowSource, shape: Shape) -> RowSource:
    """Return the source with its rows converted by a shape."""
    return replace(
        source,
        header=list(shape.contract.names),
        rows=_converted(source, shape),
        bulk=None,
        reopen_below_title=None,
    )


def _converted(source: RowSource, shape: Shape) -> Iterator[RawRow]:
    skipped = 0
    for row in source.rows:
        if row.problem:
            yield row
            continue
        cells = _ReadTrackingCells({fold_heading(name): cell for name, cell in row.cells.items()})
        if converted := shape.convert(cells):
            unread = {name: cell for name, cell in row.cells.items() if fold_heading(name) not in cells.read}
            yield RawRow(row.number, unread | converted, raw=compact_json(dict(row.cells)))
        else:
            skipped += 1
    if skipped:
        source.notes.append(
            f"rows of the {shape.name} that are not about sync errors or configuration, skipped: {skipped}"
        )


class _ReadTrackingCells(Cells):
    """Cells that record which of them were read; the others are kept in the column `extra`."""

    def __init__(self, cells: Cells) -> None:
        super().__init__(cells)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str | None:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.read.add(name)
        return super().get(name, default)


def _usage(cells: Cells) -> Cells | None:
    if (cells.get("apiresponsestatus") or "") not in ("FAILURE", "EXCEPTION"):
        return None
    resource = cells.get("apiresource") or None
    return {
        "event_id": f"api-{cells['executionid']}" if cells.get("executionid") else None,
        "occurred_at": cells.get("timestamp"),
        "user_id": cells.get("userid"),
        "platform": "vault_api",
        "operation": {"POST": "create", "PUT": "update", "DELETE": "delete", "GET": "query"}.get(
            cells.get("httpmethod") or ""
        ),
        "object": resource if resource and "__" in resource else None,
        "http_status": cells.get("httpresponsestatus"),
        "error_type": cells.get("apiresponseerrortype"),
        "message": cells.get("apiresponseerrormessage"),
        **{
            name: cells.get(name)
            for name in ("endpoint", "clientid", "executionid", "referenceid", "sessionid")
        },
    }


def _login(cells: Cells) -> Cells | None:
    status = (cells.get("status") or "").strip()
    if status.lower() in ("success", ""):
        return None
    return {
        "event_id": f"login-{cells['id']}" if cells.get("id") else None,
        "occurred_at": cells.get("timestamp"),
        "user_id": cells.get("username"),
        "platform": cells.get("platform"),
        "phase": "connect",
        "operation": "sign_in",
        "error_type": status,
        "message": f"{cells.get('type') or 'Login'}: {status}",
    }


_SYSTEM_KINDS = {
    "permissionset": "permission_set",
    "securityprofile": "permission_set",
    "object": "object",
    "objectfield": "field",
    "field": "field",
    "objectvalidationrule": "validation_rule",
    "validationrule": "validation_rule",
    "user": "user",
}


def _system(cells: Cells) -> Cells | None:
    what, _, name = (cells.get("item") or "").partition(" : ")
    return {
        "change_id": f"system-{cells['id']}" if cells.get("id") else None,
        "changed_at": cells.get("timestamp"),
        "changed_by": cells.get("username"),
        "kind": _SYSTEM_KINDS.get(fold_heading(what), "setting"),
        "target": name or what or "unnamed",
        "field": cells.get("fieldname"),
        "before": _without_null(cells.get("oldvalue")),
        "after": _without_null(cells.get("newvalue")),
        "detail": cells.get("eventdescription"),
        "action": cells.get("action"),
    }


_OBJECT_KINDS = {
    "vmobile_object_configuration__v": "vmoc",
    "veeva_settings__v": "setting",
    "application_profile__v": "setting",
    "user__sys": "user",
    "territory__v": "territory",
    "user_territory__v": "territory",
}


def _object(cells: Cells) -> Cells | None:
    kind = _OBJECT_KINDS.get(cells.get("objectname") or "")
    if kind is None:
        return None
    return {
        "change_id": f"object-{cells['id']}" if cells.get("id") else None,
        "changed_at": cells.get("timestamp"),
        "changed_by": cells.get("username"),
        "kind": kind,
        "target": cells.get("item") or cells.get("recordid") or "unnamed",
        "object": cells.get("objectname"),
        "field": cells.get("fieldname"),
        "before": _without_null(cells.get("olddisplayvalue")) or _without_null(cells.get("oldvalue")),
        "after": _without_null(cells.get("newdisplayvalue")) or _without_null(cells.get("newvalue")),
        "detail": cells.get("eventdescription"),
        "action": cells.get("action"),
        "record_id": cells.get("recordid"),
    }


def _without_null(value: str | None) -> str | None:
    # The trail writes an absent value as text.
    return None if value is None or value.lower() == "null" else value


def _picklist(cells: Cells) -> Cells | None:
    return {
        "object": cells.get("object"),
        "field": cells.get("objectfield"),
        "name": cells.get("picklistvaluename"),
        "label": cells.get("picklistvaluelabel"),
        "status": cells.get("statusv"),
        "as_of": cells.get("modifieddatev") or None,
    }


def _metadata(cells: Cells) -> Cells | None:
    category, _, name = (cells.get("extract") or "").partition(".")
    if category != "Object":
        return None
    return {
        "object": name,
        "name": cells.get("columnname"),
        "label": cells.get("columnlabel"),
        "type": cells.get("type"),
        "max_length": cells.get("length"),
        "refers_to": (cells.get("relatedextract") or "").partition(".")[2] or None,
        "active": "true",
        "as_of": cells.get("modifieddate") or cells.get("modifieddatev") or None,
    }


def _user(cells: Cells) -> Cells | None:
    return {
        "user_id": cells.get("id"),
        "as_of": cells.get("modifieddatev"),
        "name": cells.get("namev"),
        "email": cells.get("emailsys") or cells.get("usernamesys"),
        "active": _STATUS.get(cells.get("statusv") or ""),
        "security_profile": cells.get("securityprofilesys"),
        "application_profile": cells.get("applicationprofilev"),
        "permission_sets": cells.get("permissionsetsv") or cells.get("permissionsetsc"),
        "territory": cells.get("territoryv"),
        "country": cells.get("countryv"),
        "time_zone": read_time_zone(cells.get("timezonesys")),
        "language": cells.get("languagesys"),
    }


def _vmoc(cells: Cells) -> Cells | None:
    return {
        "vmoc_id": cells.get("id"),
        "as_of": cells.get("modifieddatev"),
        "name": cells.get("namev"),
        "object": cells.get("objectv") or cells.get("objectnamev"),
        "type": cells.get("typev") or cells.get("vmoctypev"),
        "device": cells.get("devicev"),
        "where_clause": cells.get("whereclausev"),
        "application_profile": cells.get("applicationprofilev"),
        "active": cells.get("activev") or _STATUS.get(cells.get("statusv") or ""),
    }


def _setting(cells: Cells) -> Cells | None:
    return {
        "setting_id": cells.get("id"),
        "as_of": cells.get("modifieddatev"),
        "name": cells.get("namev"),
        "value": cells.get("valuev"),
        "scope": cells.get("applicationprofilev") or cells.get("userv"),
    }


_STATUS = {"active__v": "true", "inactive__v": "false"}


def _needs(*names: str) -> frozenset[str]:
    return frozenset(map(fold_heading, names))


SHAPES = (
    Shape("API usage log", "sync_error", _needs("timestamp", "endpoint", "api_response_status"), _usage),
    Shape(
        "login audit", "sync_error", _needs("timestamp", "user_name", "source_ip", "type", "status"), _login
    ),
    Shape(
        "system audit",
        "config_change",
        _needs("timestamp", "action", "item", "field_name", "event_description"),
        _system,
    ),
    Shape(
        "object audit",
        "config_change",
        _needs("timestamp", "action", "item", "field_name", "record_id", "object_name", "event_description"),
        _object,
    ),
    Shape(
        "picklist extract",
        "picklist_value",
        _needs("object", "object_field", "picklist_value_name", "picklist_value_label"),
        _picklist,
    ),
    Shape(
        "metadata extract",
        "object_field",
        _needs("extract", "column_name", "column_label", "type"),
        _metadata,
    ),
    Shape("user object", "sync_user", _needs("id", "modified_date__v", "username__sys"), _user),
    Shape(
        "settings object", "veeva_setting", _needs("id", "modified_date__v", "name__v", "value__v"), _setting
    ),
    Shape("VMOC object", "vmoc", _needs("id", "modified_date__v", "where_clause__v"), _vmoc),
)
"""All shapes; of those that fit, the one with the most columns is used."""
