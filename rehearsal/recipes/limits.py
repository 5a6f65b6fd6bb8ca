"""Causes that lie in a limit: on dates, sizes, values, and on who or what may be there twice or no more."""

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
"""Days before and after DAY, on which the rebuilt situation takes place."""
CLOCK_HOURS = 18 * 24.0
CALL, CALL_DATE = "call2__v", "call_date__v"
FORMER_COLLEAGUE = "leaver"
BODY_FIELD = "rehearsal_body__c"
LARGE_TEXT, LOW_LIMIT = "x" * 20_000, 10_000
"""A text, and a limit in bytes, for a request that is too large. The real ones are larger."""


def _reason_if_no_call(case: IssueCase) -> str | None:
    rows = [row for one in case.save_groups if one.from_issue for row in one.records]
    if any(row.object == CALL and row.operation != "delete" for row in rows):
        return None
    return "The engine knows limits on the dates of calls only, and no call is stuck here."


def _date_calls(day: str, **more: object) -> FieldShaper:
    def shape(_: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        return fields | {CALL_DATE: day} | more if row.object == CALL else fields

    return shape


def _correct_dates(sandbox: Sandbox) -> None:
    for row in sandbox.issue_records("create", "update"):
        if row.object == CALL:
            correct_record(sandbox, row, **{CALL_DATE: REHEARSAL_DAY})


def _date_limit(case: IssueCase) -> Recipe:
    correct = Fix("Correct the dates of the calls on the device", "user", _correct_dates)
    if re.search(r"future|later than|after today", case.message, re.IGNORECASE):
        return Recipe(
            assumption="The calls are dated in the future and submitted; by how many days is not rebuilt.",
            shape_fields=_date_calls(FUTURE_DAY, status__v="submitted__v"),
            inject_fault=lambda _: None,
            fixes=(correct, SYNC_AGAIN),
            skip_reason=_reason_if_no_call,
        )

    def limit(sandbox: Sandbox, days: int) -> None:
        admin.set_setting(sandbox.vault, "call_backdate_limit__v", days, at=sandbox.now)

    return Recipe(
        assumption="The calls are older than call_backdate_limit__v allows; the real dates and the real limit are "
        "not rebuilt. That the limit counts whole days, with one of grace, is the engine's assumption.",
        shape_fields=_date_calls(PAST_DAY),
        inject_fault=lambda sandbox: limit(sandbox, 1),
        fixes=(
            correct,
            Fix("Raise call_backdate_limit__v until the calls are up", "admin", lambda s: limit(s, 60)),
            SYNC_AGAIN,
        ),
        skip_reason=_reason_if_no_call,
    )


def wrong_clock(case: IssueCase) -> Recipe:
    """The device's clock runs ahead, so that calls carry dates that have not come yet."""

    def set_clocks(sandbox: Sandbox, hours: float) -> None:
        for device in case.devices:
            sandbox.env(device).skew = hours * 3600

    def mend(sandbox: Sandbox) -> None:
        set_clocks(sandbox, 0)
        _correct_dates(sandbox)

    return Recipe(
        assumption="The clocks of the devices ran ahead, and calls were dated and submitted by them.",
        prepare=lambda sandbox: set_clocks(sandbox, CLOCK_HOURS),
        shape_fields=_date_calls(FUTURE_DAY, status__v="submitted__v"),
        inject_fault=lambda _: None,
        engine_cause="date-limit",
        fixes=(
            Fix("Set date and time automatically, and correct the dates of the calls", "user", mend),
            Fix("Only set date and time automatically", "user", lambda s: set_clocks(s, 0)),
            SYNC_AGAIN,
        ),
        skip_reason=_reason_if_no_call,
    )


def _text_field(sandbox: Sandbox, row: PendingRecord) -> str:
    """The field of a row that its errors name, where it is a text of usual length; else MARK."""
    fields = sandbox.vault.live["object"][row.object]["fields"]
    name = sandbox.case.field if row.object == sandbox.case.object else None
    spec = fields.get(name) or {}
    return str(name) if spec.get("type") == "text" and spec["length"] <= 4000 else MARKER_FIELD


def _duplicate_record(case: IssueCase) -> Recipe:
    twins: dict[RecordKey, str] = {}

    def unique(sandbox: Sandbox, wanted: bool) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.change_field(row.object, _text_field(sandbox, row), unique=wanted)

    def prepare(sandbox: Sandbox) -> None:
        add_marker_field(sandbox)
        unique(sandbox, True)

    def write(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        name = _text_field(sandbox, row)
        return fields | {name: f"{sandbox.next_number()} {name}"[:20]} if row.has_issue_error else fields

    def take(sandbox: Sandbox) -> None:
        """Somebody else has a record with the same value by now."""
        for row in records_with_errors(sandbox, "create", "update"):
            name = _text_field(sandbox, row)
            twins[row.key] = sandbox.create_record(row.object)
            sandbox.lab.change(twins[row.key], **{name: sandbox.written_fields[row.key][name]})

    def give_up(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            sandbox.lab.change(twins[row.key], **{_text_field(sandbox, row): None})

    def correct(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            correct_record(sandbox, row, **{_text_field(sandbox, row): f"{sandbox.next_number()} mended"})

    field = case.field or "the unique field"
    return Recipe(
        assumption="Another record of Vault holds the same unique value. Whether both stand for the same thing, so "
        "that one of them should go, no rehearsal can know.",
        prepare=prepare,
        shape_fields=write,
        inject_fault=take,
        fixes=(
            Fix(f"Correct {field} on the device", "user", correct),
            Fix(f"Correct {field} of the other record in Vault", "data steward", give_up),
            Fix(f"Let {field} hold the same value twice", "admin", lambda s: unique(s, False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete holds no value."),
    )


def _invalid_value(case: IssueCase) -> Recipe:
    def chosen(sandbox: Sandbox, row: PendingRecord) -> str:
        name = case.field if row.object == case.object else None
        spec = sandbox.vault.live["object"][row.object]["fields"].get(name) or {}
        in_kind = spec.get("type") == "number" and spec.get("max") is not None
        return str(name) if in_kind else _text_field(sandbox, row)

    def spoil(sandbox: Sandbox, row: PendingRecord, fields: JsonDict) -> JsonDict:
        name = chosen(sandbox, row)
        spec = sandbox.vault.live["object"][row.object]["fields"][name]
        wrong = spec["max"] + 1 if spec["type"] == "number" else "x" * (spec["length"] + 1)
        return fields | {name: wrong} if row.has_issue_error else fields

    def widen(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = chosen(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            more: JsonDict = {"max": None} if spec["type"] == "number" else {"length": spec["length"] * 2}
            sandbox.change_field(row.object, name, **more)

    def correct(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            name = chosen(sandbox, row)
            spec = sandbox.vault.live["object"][row.object]["fields"][name]
            correct_record(sandbox, row, **{name: make_value(spec, 1, name)})

    field = case.field or "the field"
    return Recipe(
        assumption="The value is longer or larger than the field allows; a wrong form of it is rebuilt as that.",
        prepare=add_marker_field,
        shape_fields=spoil,
        inject_fault=lambda _: None,
        fixes=(
            Fix(f"Correct the value of {field} on the device", "user", correct),
            Fix(f"Widen what {field} allows", "admin", widen),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete holds no value."),
    )


def _inactive_owner(case: IssueCase) -> Recipe:
    def owner_of(row: PendingRecord) -> str:
        return case.field if case.field and row.object == case.object else "ownerid__v"

    def prepare(sandbox: Sandbox) -> None:
        colleague = next(iter(sandbox.vault.live["user"].values()))
        sandbox.configure(
            "user", FORMER_COLLEAGUE, colleague | {"id": FORMER_COLLEAGUE, "name": "Former Colleague"}
        )
        for row in {(row.object, owner_of(row)): row for row in sandbox.issue_records()}.values():
            definition = sandbox.vault.live["object"][row.object]
            fields = definition["fields"] | {owner_of(row): reference("user__sys")}
            sandbox.configure("object", row.object, definition | {"fields": fields})

    def active(sandbox: Sandbox, value: bool) -> None:
        admin.set_user(sandbox.vault, FORMER_COLLEAGUE, at=sandbox.now, active=value)

    def reassign(sandbox: Sandbox) -> None:
        for row in records_with_errors(sandbox, "create", "update"):
            correct_record(sandbox, row, **{owner_of(row): sandbox.user_of(row.device)})

    return Recipe(
        assumption="The records name one owner, who became inactive after they were saved.",
        prepare=prepare,
        shape_fields=lambda _, row, fields: (
            fields | {owner_of(row): FORMER_COLLEAGUE} if row.has_issue_error else fields
        ),
        inject_fault=lambda sandbox: active(sandbox, False),
        fixes=(
            Fix("Choose an active owner on the device", "user", reassign),
            Fix("Make the owner active until the records are up", "admin", lambda s: active(s, True)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete names no owner."),
    )


def _payload_too_large(case: IssueCase) -> Recipe:
    def prepare(sandbox: Sandbox) -> None:
        for name in sorted({row.object for row in sandbox.issue_records()}):
            definition = sandbox.vault.live["object"][name]
            fields = definition["fields"] | {BODY_FIELD: text(1_000_000)}
            sandbox.configure("object", name, definition | {"fields": fields})

    def limit(sandbox: Sandbox, most: int) -> None:
        admin.set_setting(sandbox.vault, "payload_limit_bytes", most, at=sandbox.now)

    def shrink(sandbox: Sandbox) -> None:
        for row in sandbox.issue_records("create", "update"):
            correct_record(sandbox, row, **{BODY_FIELD: "short"})
        for device, record in list(sandbox.upload_keys):
            if record == ASSUMED_CALL:
                correct_assumed_call(sandbox, device, signature__v="short")

    def raised(sandbox: Sandbox) -> None:
        limit(sandbox, 5_000_000)

    about = "one record each" if case.issue_records else "one call each"
    return Recipe(
        unit="records" if case.issue_records else "devices",
        assumption=f"The limit lies below what the devices send for {about}; both sizes are smaller here. That the "
        "app sends the rest without the one that is too large is the engine's assumption.",
        prepare=prepare,
        shape_fields=lambda _, row, fields: (
            fields | {BODY_FIELD: LARGE_TEXT} if row.has_issue_error else fields
        ),
        call_fields={"signature__v": LARGE_TEXT},
        inject_fault=lambda sandbox: limit(sandbox, LOW_LIMIT),
        fixes=(
            Fix("Remove the large part of the record on the device", "user", shrink),
            Fix("Raise the limit, or sync past the proxy that sets it", "network team", raised),
            SYNC_AGAIN,
        ),
        skip_reason=lambda one: reason_if_only_deletes(one, "A delete is never too large."),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "date-limit": _date_limit,
    "duplicate-record": _duplicate_record,
    "invalid-value": _invalid_value,
    "inactive-owner": _inactive_owner,
    "payload-too-large": _payload_too_large,
}
