"""Recipes for limits: dates, sizes, values, unique fields and inactive owners."""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.builders import REHEARSAL_DAY, make_value
from rehearsal.issue_case import IssueCase, PendingRecord, RecordKey
from rehearsal.recipes.recipe import SYNC_AGAIN, Fix, Recipe
from rehearsal.recipes.steps import (
    MARKER_FIELD,
    add_marker_field,
    correct_assumed_call,
    correct_record,
    reason_if_only_deletes,
    records_with_errors,
)
from rehearsal.sandbox import ASSUMED_CALL, FieldShaper, Sandbox
from sync_engine.json_docs import JsonDict
from sync_engine.model import reference, text
from sync_engine.vault import admin

PAST_DAY, FUTURE_DAY = "2026-02-10", "2026-03-20"
"""Days before and after REHEARSAL_DAY, the current day in the sandbox."""
CLOCK_HOURS = 18 * 24.0
CALL, CALL_DATE = "call2__v", "call_date__v"
FORMER_COLLEAGUE = "leaver"
BODY_FIELD = "rehearsal_body__c"
LARGE_TEXT, LOW_LIMIT = "x" * 20_000, 10_000
"""A text and a limit in bytes for a request that is too large. Both are smaller than real ones."""

_BETWEEN = re.compile(r"between \[?-?\d[\d.]*\]? and \[?(-?\d[\d.]*)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w.])")
_TOO_MUCH = re.compile(
    r"too (?:long|large|big|high|great|many)|exceed|maximum|longer than|larger than|greater than|higher than"
    r"|at most|no more than|over \W?\d",
    re.IGNORECASE,
)


def _reason_if_no_call(case: IssueCase) -> str | None:
    rows = [row for group in case.save_groups if group.from_issue for row in group.records]
    if any(row.object == CALL and row.operation != "delete" for row in rows):
        return None
    return "The engine has date limits for calls only, and this issue blocks no call."


def _date_calls(day: str, **more_fields: object) -> FieldShaper:
    def shape(_: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        return fields | {CALL_DATE: day} | more_fields if row.object == CALL else fields

    return shape


def _correct_dates(sandbox: Sandbox) -> None:
    for row in sandbox.issue_records("create", "update"):
        if row.object == CALL:
            correct_record(sandbox, row, **{CALL_DATE: REHEARSAL_DAY})


def _date_limit(case: IssueCase) -> Recipe:
    correct = Fix("Correct the dates of the calls on the device", "user", _correct_dates)
    if re.search(r"future|later than|after today", case.message, re.IGNORECASE):
        return Recipe(
            assumption="The calls are submitted with a future date; the number of days is not reproduced.",
            shape_fields=_date_calls(FUTURE_DAY, status__v="submitted__v"),
            inject_fault=lambda _: None,
            fixes=(correct, SYNC_AGAIN),
            skip_reason=_reason_if_no_call,
        )

    def set_limit(sandbox: Sandbox, days: int) -> None:
        admin.set_setting(sandbox.vault, "call_backdate_limit__v", days, at=sandbox.now)

    return Recipe(
        assumption="The calls are older than call_backdate_limit__v allows; the real dates and limit are not "
        "reproduced. The engine assumes that the limit counts whole days, plus one day of grace.",
        shape_fields=_date_calls(PAST_DAY),
        inject_fault=lambda sandbox: set_limit(sandbox, 1),
        fixes=(
            correct,
            Fix(
                "Raise call_backdate_limit__v until the calls are uploaded",
                "admin",
                lambda s: set_limit(s, 60),
            ),
            SYNC_AGAIN,
        ),
        skip_reason=_reason_if_no_call,
    )


def wrong_clock(case: IssueCase) -> Recipe:
    """Return the recipe for calls with future dates, entered while the device clock was ahead."""

    def set_clocks(sandbox: Sandbox, hours: float) -> None:
        for device in case.devices:
            sandbox.env(device).skew = hours * 3600

    def correct_all(sandbox: Sandbox) -> None:
        set_clocks(sandbox, 0)
        _correct_dates(sandbox)

    return Recipe(
        assumption="The device clocks were ahead, and calls were dated and submitted with the wrong time.",
        prepare=lambda sandbox: set_clocks(sandbox, CLOCK_HOURS),
        shape_fields=_date_calls(FUTURE_DAY, status__v="submitted__v"),
        inject_fault=lambda _: None,
        engine_cause="date-limit",
        fixes=(
            Fix("Set date and time automatically, and correct the dates of the calls", "user", correct_all),
            Fix("Only set date and time automatically", "user", lambda s: set_clocks(s, 0)),
            SYNC_AGAIN,
        ),
        skip_reason=_reason_if_no_call,
    )


def _text_field(sandbox: Sandbox, row: PendingRecord) -> str:
    """Return the field named in the errors, or MARKER_FIELD if it is not a text.

    A text of more than 4,000 characters does not count either.
    """
    fields = sandbox.vault.live["object"][row.object]["fields"]
    name = sandbox.case.field if row.object == sandbox.case.object else None
    spec = fields.get(name) or {}
    return str(name) if spec.get("type") == "text" and spec["length"] <= 4000 else MARKER_FIELD


def _duplicate_record(case: IssueCase) -> Recipe:
    duplicates: dict[RecordKey, str] = {}

    def set_unique(sandbox: Sandbox, unique: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.change_field(row.object, _text_field(sandbox, row), unique=unique)

    def prepare(sandbox: Sandbox) -> None:
        add_marker_field(sandbox)
        set_unique(sandbox, True)

    def write(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        name = _text_field(sandbox, row)
        return fields | {name: f"{sandbox.next_number()} {name}"[:20]} if row.has_issue_error else fields

    def create_duplicates(sandbox: Sandbox) -> None:
        """Create a record with the same value for each affected record."""
        for row in records_with_errors(sandbox, "create", "update"):
            name = _text_field(sandbox, row)
            duplicates[row.key] = sandbox.create_record(row.object)
            sandbox.lab.change_in_vault(duplicates[row.key], **{name: sandbox.written_fields[row.key][name]})

    def clear_duplicates(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.lab.change_in_vault(duplicates[row.key], **{_text_field(sandbox, row): None})

    def correct(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            correct_record(sandbox, row, **{_text_field(sandbox, row): f"{sandbox.next_number()} fixed"})

    field = case.field or "the unique field"
    return Recipe(
        assumption="Another record in Vault has the same unique value. The rehearsal does not know whether both "
        "records describe the same thing and one should be deleted.",
        prepare=prepare,
        shape_fields=write,
        inject_fault=create_duplicates,
        fixes=(
            Fix(f"Correct {field} on the device", "user", correct),
            Fix(f"Correct {field} on the other record in Vault", "data steward", clear_duplicates),
            Fix(f"Allow duplicate values in {field}", "admin", lambda s: set_unique(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete contains no value."),
    )


def _is_above_limit(message: str) -> bool:
    """Return whether an error states that a value is too long or too large: only then a higher limit helps."""
    between = _BETWEEN.search(message)
    if between is not None:
        value = _NUMBER.search(message[: between.start()])
        return value is not None and float(value.group()) > float(between.group(1).rstrip("."))
    return _TOO_MUCH.search(message) is not None


def _invalid_value(case: IssueCase) -> Recipe:
    def field_of(sandbox: Sandbox, row: PendingRecord) -> str:
        name = case.field if row.object == case.object else None
        spec = sandbox.vault.live["object"][row.object]["fields"].get(name) or {}
        has_maximum = spec.get("type") == "number" and spec.get("max") is not None
        return str(name) if has_maximum else _text_field(sandbox, row)

    def write_invalid(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        name = field_of(sandbox, row)
        spec = sandbox.vault.live["object"][row.object]["fields"][name]
        value = spec["max"] + 1 if spec["type"] == "number" else "x" * (spec["length"] + 1)
        return fields | {name: value} if row.has_issue_error else fields

    def widen(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = field_of(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            limit: JsonDict = {"max": None} if spec["type"] == "number" else {"length": spec["length"] * 2}
            sandbox.change_field(row.object, name, **limit)

    def correct(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = field_of(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            correct_record(sandbox, row, **{name: make_value(spec, 1, name)})

    field = case.field or "the field"
    is_above = _is_above_limit(case.message)
    value = "longer or larger than the field allows"
    return Recipe(
        assumption=f"The value is {value}."
        if is_above
        else f"The value is reproduced as one that is {value}; the errors do not state that it is, so a higher limit "
        "is not tried.",
        prepare=add_marker_field,
        shape_fields=write_invalid,
        inject_fault=lambda _: None,
        fixes=(
            Fix(f"Correct the value of {field} on the device", "user", correct),
            *((Fix(f"Raise the limit of {field}", "admin", widen),) if is_above else ()),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete contains no value."),
    )


def _inactive_owner(case: IssueCase) -> Recipe:
    def owner_of(row: PendingRecord) -> str:
        return case.field if case.field and row.object == case.object else "ownerid__v"

    def prepare(sandbox: Sandbox) -> None:
        user = next(iter(sandbox.vault.live["user"].values()))
        sandbox.configure(
            "user", FORMER_COLLEAGUE, user | {"id": FORMER_COLLEAGUE, "name": "Former Colleague"}
        )
        for row in {(row.object, owner_of(row)): row for row in sandbox.issue_records()}.values():
            definition = sandbox.vault.live["object"][row.object]
            fields = definition["fields"] | {owner_of(row): reference("user__sys")}
            sandbox.configure("object", row.object, definition | {"fields": fields})

    def set_active(sandbox: Sandbox, active: bool) -> None:
        admin.set_user(sandbox.vault, FORMER_COLLEAGUE, at=sandbox.now, active=active)

    def reassign(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            correct_record(sandbox, row, **{owner_of(row): sandbox.user_of(row.device)})

    return Recipe(
        assumption="The records have the same owner, who became inactive after they were saved.",
        prepare=prepare,
        shape_fields=lambda _, row, fields: (
            fields | {owner_of(row): FORMER_COLLEAGUE} if row.has_issue_error else fields
        ),
        inject_fault=lambda sandbox: set_active(sandbox, False),
        fixes=(
            Fix("Select an active owner on the device", "user", reassign),
            Fix(
                "Reactivate the owner until the records are uploaded", "admin", lambda s: set_active(s, True)
            ),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete contains no owner."),
    )


def _payload_too_large(case: IssueCase) -> Recipe:
    def prepare(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in sandbox.issue_records()}):
            definition = sandbox.vault.live["object"][name]
            fields = definition["fields"] | {BODY_FIELD: text(1_000_000)}
            sandbox.configure("object", name, definition | {"fields": fields})

    def set_limit(sandbox: Sandbox, limit: int) -> None:
        admin.set_setting(sandbox.vault, "payload_limit_bytes", limit, at=sandbox.now)

    def shrink(sandbox: Sandbox) -> None:
        for row in sandbox.issue_records("create", "update"):
            correct_record(sandbox, row, **{BODY_FIELD: "short"})
        for device, record in list(sandbox.upload_keys):
            if record == ASSUMED_CALL:
                correct_assumed_call(sandbox, device, signature__v="short")

    def raise_limit(sandbox: Sandbox) -> None:
        set_limit(sandbox, 5_000_000)

    content = "one record each" if case.issue_records else "one call each"
    return Recipe(
        unit="records" if case.issue_records else "devices",
        assumption=f"The limit is below the size of what the devices send for {content}; both sizes are scaled down. "
        "The engine assumes that the app sends the other records without the one that is too large.",
        prepare=prepare,
        shape_fields=lambda _, row, fields: (
            fields | {BODY_FIELD: LARGE_TEXT} if row.has_issue_error else fields
        ),
        call_fields={"signature__v": LARGE_TEXT},
        inject_fault=lambda sandbox: set_limit(sandbox, LOW_LIMIT),
        fixes=(
            Fix("Remove the large part of the record on the device", "user", shrink),
            Fix("Raise the limit, or bypass the proxy that sets it", "network team", raise_limit),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: reason_if_only_deletes(case, "A delete is never too large."),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "date-limit": _date_limit,
    "duplicate-record": _duplicate_record,
    "invalid-value": _invalid_value,
    "inactive-owner": _inactive_owner,
    "payload-too-large": _payload_too_large,
}
