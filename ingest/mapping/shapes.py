"""The shapes of logs, audit trails and configuration objects, and how each converts a row.

Column names and texts of audit trails follow Veeva's published clients. The text of `item` in the system trail is not
documented; it only determines the kind of a change, never whether the change is kept.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ingest.contracts.tables import CONTRACTS, Contract
from ingest.mapping.headings import fold_heading
from ingest.mapping.time_zones import read_time_zone

Cells = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of source: the columns it has, the table it feeds, and how to convert a row.

    Labels are ordinary words: a source that has labels instead of field names also needs a column of `one_of`.
    """

    name: str
    table: str
    required_columns: frozenset[str]
    convert: Callable[[Cells], Cells | None]
    one_of: frozenset[str] = frozenset()

    @property
    def contract(self) -> Contract:
        """Return the contract of the table."""
        return CONTRACTS[self.table]


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


_OBJECT_FIELD = re.compile(r"\b(\w+__\w+)\.(\w+__\w+)\b")


def _system(cells: Cells) -> Cells | None:
    what, _, name = (cells.get("item") or "").partition(" : ")
    # A permission on a field is written as "Object Field : call2__v.status__v".
    field = _OBJECT_FIELD.search(cells.get("fieldname") or "") or _OBJECT_FIELD.fullmatch(name)
    return {
        "change_id": f"system-{cells['id']}" if cells.get("id") else None,
        "changed_at": cells.get("timestamp"),
        "changed_by": cells.get("username"),
        "kind": _SYSTEM_KINDS.get(fold_heading(what), "setting"),
        "target": name or what or "unnamed",
        "object": field[1] if field else None,
        "field": field[2] if field else cells.get("fieldname"),
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
        "user_id": cells.get("id") or cells.get("usernamesys"),
        "as_of": cells.get("modifieddatev"),
        "name": cells.get("namev"),
        "email": cells.get("emailsys") or cells.get("usernamesys"),
        "active": _STATUS.get((cells.get("statusv") or "").casefold()),
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
        "active": cells.get("activev") or _STATUS.get((cells.get("statusv") or "").casefold()),
    }


def _setting(cells: Cells) -> Cells | None:
    return {
        "setting_id": cells.get("id"),
        "as_of": cells.get("modifieddatev"),
        "name": cells.get("namev"),
        "value": cells.get("valuev"),
        "scope": cells.get("applicationprofilev") or cells.get("userv"),
    }


_STATUS = {"active__v": "true", "inactive__v": "false", "active": "true", "inactive": "false"}


def _setup(cells: Cells) -> Cells | None:
    sentence = cells.get("display") or cells.get("action") or ""
    field = re.search(r"\bfor ([\w ]+): ([\w ]+?) was changed", sentence)
    change = re.search(r"was changed from (.+?) to (.+)$", sentence)
    user = (cells.get(name) for name in ("user", "createdbyusername", "createdbyname", "createdbyid"))
    return {
        "changed_at": cells.get("date") or cells.get("createddate"),
        "changed_by": next(filter(None, user), None),
        "kind": _setup_kind(sentence),
        "target": sentence or "unnamed",
        "object": field[1] if field else None,
        "field": field[2] if field else None,
        "before": change[1] if change else None,
        "after": change[2] if change else None,
        "detail": cells.get("section"),
    }


def _setup_kind(sentence: str) -> str:
    plain = sentence.casefold()
    kinds = (each["kind"] for each in _setup_changes() if any(phrase in plain for phrase in each["phrases"]))
    return str(next(kinds, "setting"))


@cache
def _setup_changes() -> list[dict[str, Any]]:
    text = files("ingest.mapping").joinpath("setup_changes.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["change"])


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
    Shape(
        "user object",
        "sync_user",
        _needs("modified_date__v", "username__sys"),
        _user,
        _needs("security_profile__sys", "application_profile__v", "permission_sets__v"),
    ),
    Shape(
        "settings object",
        "veeva_setting",
        _needs("id", "modified_date__v", "name__v", "value__v"),
        _setting,
        _needs("value__v"),
    ),
    Shape(
        "VMOC object",
        "vmoc",
        _needs("id", "modified_date__v", "where_clause__v"),
        _vmoc,
        _needs("object__v", "device__v", "type__v"),
    ),
    # Salesforce's download has "Source Namespace Prefix"; the object SetupAuditTrail has Display. Source: object
    # reference, SetupAuditTrail, developer.salesforce.com; not verified against a live system.
    Shape(
        "setup audit trail",
        "config_change",
        _needs("Date", "User", "Source Namespace Prefix", "Action", "Section", "Delegate User"),
        _setup,
    ),
    Shape(
        "setup audit trail",
        "config_change",
        _needs("CreatedDate", "Action", "Section", "Display", "DelegateUser"),
        _setup,
    ),
)
"""All shapes; of those that fit, the one with the most columns is used."""
