"""Causes that lie in a limit: on dates, sizes, values, and on who or what may be there twice or no more."""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.builders import DAY, a_value
from rehearsal.issue_case import Case, Key, Row
from rehearsal.recipes.recipe import AGAIN, Recipe, Way
from rehearsal.recipes.steps import (
    MARK,
    add_mark,
    correct_row,
    correct_visit,
    named,
    only_creates_and_updates,
)
from rehearsal.sandbox import ASSUMED, Shape, Stage
from sync_engine.json_docs import JsonDict
from sync_engine.model import reference, text
from sync_engine.vault import admin

LONG_AGO, AHEAD = "2026-02-10", "2026-03-20"
"""Days before and after DAY, on which the rebuilt situation takes place."""
CLOCK_HOURS = 18 * 24.0
CALL, CALL_DATE = "call2__v", "call_date__v"
LEAVER = "leaver"
BODY = "rehearsal_body__c"
LARGE, ROOM = "x" * 20_000, 10_000
"""A text, and a limit in bytes, for a request that is too large. The real ones are larger."""


def _calls_only(case: Case) -> str | None:
    rows = [row for one in case.saved if one.ours for row in one.rows]
    if any(row.object == CALL and row.operation != "delete" for row in rows):
        return None
    return "The engine knows limits on the dates of calls only, and no call is stuck here."


def _dated(day: str, **more: object) -> Shape:
    def shape(_: Stage, row: Row, fields: JsonDict) -> JsonDict:
        return fields | {CALL_DATE: day} | more if row.object == CALL else fields

    return shape


def _correct_dates(stage: Stage) -> None:
    for row in stage.rows("create", "update"):
        if row.object == CALL:
            correct_row(stage, row, **{CALL_DATE: DAY})


def _date_limit(case: Case) -> Recipe:
    correct = Way("Correct the dates of the calls on the device", "user", _correct_dates)
    if re.search(r"future|later than|after today", case.message, re.IGNORECASE):
        return Recipe(
            assumes="The calls are dated in the future and submitted; by how many days is not rebuilt.",
            shape=_dated(AHEAD, status__v="submitted__v"),
            plant=lambda _: None,
            ways=(correct, AGAIN),
            unfit=_calls_only,
        )

    def limit(stage: Stage, days: int) -> None:
        admin.set_setting(stage.vault, "call_backdate_limit__v", days, at=stage.now)

    return Recipe(
        assumes="The calls are older than call_backdate_limit__v allows; the real dates and the real limit are "
        "not rebuilt. That the limit counts whole days, with one of grace, is the engine's assumption.",
        shape=_dated(LONG_AGO),
        plant=lambda stage: limit(stage, 1),
        ways=(
            correct,
            Way("Raise call_backdate_limit__v until the calls are up", "admin", lambda s: limit(s, 60)),
            AGAIN,
        ),
        unfit=_calls_only,
    )


def wrong_clock(case: Case) -> Recipe:
    """The device's clock runs ahead, so that calls carry dates that have not come yet."""

    def set_clocks(stage: Stage, hours: float) -> None:
        for device in case.devices:
            stage.env(device).skew = hours * 3600

    def mend(stage: Stage) -> None:
        set_clocks(stage, 0)
        _correct_dates(stage)

    return Recipe(
        assumes="The clocks of the devices ran ahead, and calls were dated and submitted by them.",
        before=lambda stage: set_clocks(stage, CLOCK_HOURS),
        shape=_dated(AHEAD, status__v="submitted__v"),
        plant=lambda _: None,
        refused_as="date-limit",
        ways=(
            Way("Set date and time automatically, and correct the dates of the calls", "user", mend),
            Way("Only set date and time automatically", "user", lambda s: set_clocks(s, 0)),
            AGAIN,
        ),
        unfit=_calls_only,
    )


def _plain_text(stage: Stage, row: Row) -> str:
    """The field of a row that its errors name, where it is a text of usual length; else MARK."""
    fields = stage.vault.live["object"][row.object]["fields"]
    name = stage.case.field if row.object == stage.case.object else None
    spec = fields.get(name) or {}
    return str(name) if spec.get("type") == "text" and spec["length"] <= 4000 else MARK


def _duplicate_record(case: Case) -> Recipe:
    twins: dict[Key, str] = {}

    def unique(stage: Stage, wanted: bool) -> None:
        for row in named(stage, "create", "update"):
            stage.spec(row.object, _plain_text(stage, row), unique=wanted)

    def prepare(stage: Stage) -> None:
        add_mark(stage)
        unique(stage, True)

    def write(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
        name = _plain_text(stage, row)
        return fields | {name: f"{stage.number()} {name}"[:20]} if row.named else fields

    def take(stage: Stage) -> None:
        """Somebody else has a record with the same value by now."""
        for row in named(stage, "create", "update"):
            name = _plain_text(stage, row)
            twins[row.key] = stage.found(row.object)
            stage.story.change(twins[row.key], **{name: stage.written[row.key][name]})

    def give_up(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            stage.story.change(twins[row.key], **{_plain_text(stage, row): None})

    def correct(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            correct_row(stage, row, **{_plain_text(stage, row): f"{stage.number()} mended"})

    field = case.field or "the unique field"
    return Recipe(
        assumes="Another record of Vault holds the same unique value. Whether both stand for the same thing, so "
        "that one of them should go, no rehearsal can know.",
        before=prepare,
        shape=write,
        plant=take,
        ways=(
            Way(f"Correct {field} on the device", "user", correct),
            Way(f"Correct {field} of the other record in Vault", "data steward", give_up),
            Way(f"Let {field} hold the same value twice", "admin", lambda s: unique(s, False)),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete holds no value."),
    )


def _invalid_value(case: Case) -> Recipe:
    def chosen(stage: Stage, row: Row) -> str:
        name = case.field if row.object == case.object else None
        spec = stage.vault.live["object"][row.object]["fields"].get(name) or {}
        in_kind = spec.get("type") == "number" and spec.get("max") is not None
        return str(name) if in_kind else _plain_text(stage, row)

    def spoil(stage: Stage, row: Row, fields: JsonDict) -> JsonDict:
        name = chosen(stage, row)
        spec = stage.vault.live["object"][row.object]["fields"][name]
        wrong = spec["max"] + 1 if spec["type"] == "number" else "x" * (spec["length"] + 1)
        return fields | {name: wrong} if row.named else fields

    def widen(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            name = chosen(stage, row)
            spec = stage.vault.live["object"][row.object]["fields"][name]
            more: JsonDict = {"max": None} if spec["type"] == "number" else {"length": spec["length"] * 2}
            stage.spec(row.object, name, **more)

    def correct(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            name = chosen(stage, row)
            spec = stage.vault.live["object"][row.object]["fields"][name]
            correct_row(stage, row, **{name: a_value(spec, 1, name)})

    field = case.field or "the field"
    return Recipe(
        assumes="The value is longer or larger than the field allows; a wrong form of it is rebuilt as that.",
        before=add_mark,
        shape=spoil,
        plant=lambda _: None,
        ways=(
            Way(f"Correct the value of {field} on the device", "user", correct),
            Way(f"Widen what {field} allows", "admin", widen),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete holds no value."),
    )


def _inactive_owner(case: Case) -> Recipe:
    def owner_of(row: Row) -> str:
        return case.field if case.field and row.object == case.object else "ownerid__v"

    def prepare(stage: Stage) -> None:
        colleague = next(iter(stage.vault.live["user"].values()))
        stage.configure("user", LEAVER, colleague | {"id": LEAVER, "name": "Former Colleague"})
        for row in {(row.object, owner_of(row)): row for row in stage.rows()}.values():
            definition = stage.vault.live["object"][row.object]
            fields = definition["fields"] | {owner_of(row): reference("user__sys")}
            stage.configure("object", row.object, definition | {"fields": fields})

    def active(stage: Stage, value: bool) -> None:
        admin.set_user(stage.vault, LEAVER, at=stage.now, active=value)

    def reassign(stage: Stage) -> None:
        for row in named(stage, "create", "update"):
            correct_row(stage, row, **{owner_of(row): stage.user_of(row.device)})

    return Recipe(
        assumes="The records name one owner, who became inactive after they were saved.",
        before=prepare,
        shape=lambda _, row, fields: fields | {owner_of(row): LEAVER} if row.named else fields,
        plant=lambda stage: active(stage, False),
        ways=(
            Way("Choose an active owner on the device", "user", reassign),
            Way("Make the owner active until the records are up", "admin", lambda s: active(s, True)),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete names no owner."),
    )


def _payload_too_large(case: Case) -> Recipe:
    def prepare(stage: Stage) -> None:
        for name in sorted({row.object for row in stage.rows()}):
            definition = stage.vault.live["object"][name]
            fields = definition["fields"] | {BODY: text(1_000_000)}
            stage.configure("object", name, definition | {"fields": fields})

    def limit(stage: Stage, most: int) -> None:
        admin.set_setting(stage.vault, "payload_limit_bytes", most, at=stage.now)

    def shrink(stage: Stage) -> None:
        for row in stage.rows("create", "update"):
            correct_row(stage, row, **{BODY: "short"})
        for device, record in list(stage.keys):
            if record == ASSUMED:
                correct_visit(stage, device, signature__v="short")

    def raised(stage: Stage) -> None:
        limit(stage, 5_000_000)

    about = "one record each" if case.subject else "one call each"
    return Recipe(
        unit="records" if case.subject else "devices",
        assumes=f"The limit lies below what the devices send for {about}; both sizes are smaller here. That the "
        "app sends the rest without the one that is too large is the engine's assumption.",
        before=prepare,
        shape=lambda _, row, fields: fields | {BODY: LARGE} if row.named else fields,
        visit={"signature__v": LARGE},
        plant=lambda stage: limit(stage, ROOM),
        ways=(
            Way("Remove the large part of the record on the device", "user", shrink),
            Way("Raise the limit, or sync past the proxy that sets it", "network team", raised),
            AGAIN,
        ),
        unfit=lambda one: only_creates_and_updates(one, "A delete is never too large."),
    )


RECIPES: dict[str, Callable[[Case], Recipe]] = {
    "date-limit": _date_limit,
    "duplicate-record": _duplicate_record,
    "invalid-value": _invalid_value,
    "inactive-owner": _inactive_owner,
    "payload-too-large": _payload_too_large,
}
