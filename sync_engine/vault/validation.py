"""Checks of written records. Each refusal contains the error type, the field and the true cause."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import records
from sync_engine.vault.records import Record
from sync_engine.vault.state import Vault
from sync_engine.where_clause import matches, parse

WELL_FORMED_ID = re.compile(r"m-[0-9a-f]{20}|V[0-9A-F]{3}\d{12}")
"""Format of the ids that this Vault and its devices create."""


def validate_record(
    vault: Vault,
    user: JsonDict,
    object_name: str,
    doc: JsonDict,
    changed: JsonDict,
    *,
    record_id: str,
    now: float,
) -> None:
    """Raise VaultError if the record, with `changed` applied, violates a rule.

    Only the first violation is reported.
    """
    definition = vault.live["object"][object_name]
    for name, spec in definition["fields"].items():
        if name in changed:
            _check_value(vault, user, object_name, name, spec, changed[name])
        if spec.get("required") and doc.get(name) in (None, ""):
            raise VaultError(
                "PARAMETER_REQUIRED",
                f"Missing required parameter [{name}]",
                cause="required-field",
                blame=f"field/{object_name}/{object_name}/{name}",
                object=object_name,
                field=name,
            )
    _check_dates(vault, object_name, doc, changed, now)
    _check_unique(vault, object_name, definition, changed, record_id)
    _check_rules(vault, object_name, doc, record_id)
    _run_automation(vault, object_name, record_id)


def _check_value(  # noqa: PLR0917
    vault: Vault, user: JsonDict, object_name: str, name: str, spec: JsonDict, value: object
) -> None:
    if value is None:
        return
    problem = _find_problem(spec, value)
    if problem:
        cause, template = problem
        raise VaultError(
            "INVALID_DATA",
            template.format(field=name, object=object_name, value=str(value)[:60]),
            cause=cause,
            blame=f"field/{object_name}/{object_name}/{name}",
            object=object_name,
            field=name,
        )
    if spec["type"] == "reference":
        _check_reference(vault, user, object_name, name, spec["to"], str(value))


def _find_problem(spec: JsonDict, value: object) -> tuple[str, str] | None:
    kind = spec["type"]
    if kind == "picklist" and value not in spec["values"]:
        return "picklist-value", "Invalid value [{value}] specified for picklist field [{field}]"
    if kind == "text" and (not isinstance(value, str) or len(value) > spec["length"]):
        limit = spec["length"]
        return "invalid-value", f"The value of field [{{field}}] exceeds the maximum length of [{limit}]"
    if kind == "number":
        return _number_problem(spec, value)
    if kind == "date" and not _is_date(value):
        return "invalid-value", "Invalid date format [{value}] for field [{field}]; use YYYY-MM-DD"
    return None


def _number_problem(spec: JsonDict, value: object) -> tuple[str, str] | None:
    if not isinstance(value, int | float):
        return "invalid-value", "Invalid number [{value}] for field [{field}]"
    low, high = spec["min"], spec["max"]
    if (low is not None and value < low) or (high is not None and value > high):
        return "invalid-value", f"Value [{{value}}] of field [{{field}}] must be between [{low}] and [{high}]"
    return None


def _is_date(value: object) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _check_reference(vault: Vault, user: JsonDict, object_name: str, name: str, to: str, value: str) -> None:  # noqa: PLR0917
    if to == "user__sys":
        owner = vault.find_user(value)
        if owner is not None and owner["active"]:
            return
        raise VaultError(
            "INVALID_DATA",
            f"The user [{value}] in field [{name}] is inactive and cannot own records",
            cause="inactive-owner",
            blame=f"user/{value}//",
            object=object_name,
            field=name,
        )
    target = records.find(vault, value)
    if target is not None and target.object == to and not target.deleted:
        return
    malformed = target is None and not WELL_FORMED_ID.fullmatch(value)
    raise VaultError(
        "INVALID_DATA",
        f"Invalid id [{value}] for field [{name}]" if malformed else f"The resource [{value}] does not exist",
        cause="invalid-reference" if malformed or (target and target.object != to) else "record-deleted",
        blame=f"record/{value}//",
        object=object_name,
        field=name,
        record_id=value,
    )


def _check_dates(vault: Vault, object_name: str, doc: JsonDict, changed: JsonDict, now: float) -> None:
    if object_name != "call2__v" or "call_date__v" not in changed:
        return
    today = datetime.fromtimestamp(now, UTC).date()
    call_date = date.fromisoformat(doc["call_date__v"])
    backdate_days = vault.setting("call_backdate_limit__v")
    if backdate_days >= 0 and call_date < today - timedelta(days=backdate_days + 1):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"The call date [{call_date.isoformat()}] is earlier than "
            f"the call backdate limit of [{backdate_days}] days allows",
            cause="date-limit",
            blame="setting/call_backdate_limit__v//",
            object=object_name,
            field="call_date__v",
        )
    if doc.get("status__v") == "submitted__v" and call_date > today + timedelta(days=1):
        raise VaultError(
            "OPERATION_NOT_ALLOWED",
            f"A call with the future date [{call_date.isoformat()}] cannot be submitted",
            cause="date-limit",
            blame="clock",
            object=object_name,
            field="call_date__v",
        )


def _check_unique(
    vault: Vault, object_name: str, definition: JsonDict, changed: JsonDict, record_id: str
) -> None:
    for name in changed:
        spec = definition["fields"].get(name)
        if not spec or not spec.get("unique") or changed[name] is None:
            continue
        row = vault.db.execute(
            "SELECT id FROM record WHERE object = ? AND NOT deleted AND json_extract(doc, ?) = ? AND id <> ?",
            (object_name, f"$.{name}", changed[name], record_id),
        ).fetchone()
        if row:
            raise VaultError(
                "OPERATION_NOT_ALLOWED",
                f"Another resource already exists with [{name}={changed[name]}]",
                cause="duplicate-record",
                blame=f"record/{row[0]}//",
                object=object_name,
                field=name,
                record_id=row[0],
            )


def _check_rules(vault: Vault, object_name: str, doc: JsonDict, record_id: str) -> None:
    for name, rule in vault.live.get("validation_rule", {}).items():
        if rule["object"] != object_name or not rule["active"]:
            continue
        if matches(
            parse(rule["refuse_when"], {}),
            doc,
            lambda _, reference_id: _existing_fields(records.find(vault, reference_id)),
        ):
            raise VaultError(
                "INVALID_DATA",
                f"{rule['message']} [{name}]",
                cause="validation-rule",
                blame=f"validation_rule/{name}/{object_name}/",
                object=object_name,
            )


def _existing_fields(record: Record | None) -> JsonDict | None:
    return None if record is None or record.deleted else record.doc


def _run_automation(vault: Vault, object_name: str, record_id: str) -> None:
    trigger = vault.live.get("trigger", {}).get(object_name)
    if trigger and trigger["active"]:
        raise VaultError(
            "SDK_ERROR",
            trigger["message"].format(record_id=record_id),
            cause="server-automation",
            blame=f"trigger/{object_name}/{object_name}/",
            object=object_name,
        )
