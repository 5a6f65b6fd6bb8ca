"""`synclens history`: one rep on the phone: their devices, what happened on them, what waits, what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import pandas as pd
import typer
from rich.padding import Padding
from rich.text import Text

import analysis
import ingest
from analysis.base.text import pluralize
from analysis.fixes.formatting import format_value
from analysis.fixes.recovery_actions import RecoveryAction
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

MOST_EVENTS = 20


def history(
    who: Annotated[str, typer.Argument(help="A user's id, or a device's from `synclens fleet`.")],
    store: StoreOption = DEFAULT_STORE,
    most: Annotated[int, typer.Option(min=1, help="How many of the newest events to show.")] = MOST_EVENTS,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened on the devices of one user, in order of time, what waits on them, and what can be done.

    Example: synclens history 1000228
    """
    with ingest.open_store(store) as opened:
        names = list(analysis.list_devices(opened, user_id=who)["device"]) or [who]
        found = [_with_plain_summary(analysis.get_device(opened, name, limit=most)) for name in names]
        can = {one.device: analysis.recovery_actions(opened, device_id=one.device) for one in found}
    if as_json:
        console.print_json([_plain(one, can[one.device]) for one in found])
        return
    named = "" if store == DEFAULT_STORE else f" --store {store}"
    for one in found:
        for line in (*_lines(one, can[one.device]), *_next_steps(one, named)):
            console.print_output(line)


def _with_plain_summary(one: analysis.Device) -> analysis.Device:
    (row,) = console.frame_to_records(pd.DataFrame([one.summary]))
    return replace(one, summary=row)


def _plain(one: analysis.Device, can: list[RecoveryAction]) -> dict[str, Any]:
    return {
        "device": one.device,
        "summary": one.summary,
        "timeline": console.frame_to_records(one.timeline),
        "pending": console.frame_to_records(one.pending),
        "recovery_actions": [lever.to_dict() for lever in can],
    }


def _lines(one: analysis.Device, can: list[RecoveryAction]) -> Iterator[Text | Padding]:
    yield from _who(one.summary)
    most = max(MOST_EVENTS, len(one.timeline))
    yield Text(
        f"\nWhat happened, the newest last (UTC; {pluralize(len(one.timeline), 'event')})", style="bold"
    )
    for row in console.frame_to_records(one.timeline.iloc[::-1]):
        yield _indented(_event(row))
    yield Text(f"\nWhat waits on it: {_waiting(one)}", style="bold")
    for row in console.frame_to_records(one.pending.head(most)):
        yield _indented(_record(row))
    if len(one.pending) > most:
        yield _indented(f"and {len(one.pending) - most} more; --json lists all")
    yield Text("\nWhat can be done", style="bold")
    for lever in sorted(can, key=lambda lever: not lever.offered):
        state = "possible" if lever.offered else "not now"
        loses = (
            f" Loses {pluralize(len(lever.lost_records), 'unsent change')}."
            if len(lever.lost_records)
            else ""
        )
        yield _indented(f"{lever.title} ({lever.who}): {state}. {lever.reason}{loses}")


def _next_steps(one: analysis.Device, named: str) -> Iterator[Text]:
    """Where to go on: to the issue that holds most records, and to the newest error."""
    holding = one.pending["issue_id"].dropna().mode()
    errors = one.timeline.loc[one.timeline["kind"] == "error", "id"]
    steps = [f"`synclens issue {issue}{named}` for what holds most records" for issue in holding[:1]]
    steps += [f"`synclens explain-error {event}{named}` for the newest error" for event in errors[:1]]
    if steps:
        yield Text(f"\nNext: {', '.join(steps)}.\n", style="dim")


def _who(about: dict[str, Any]) -> Iterator[Text]:
    wrong = (
        "nothing is wrong with it now" if about["status"] == "ok" else f"{about['status']}: {about['why']}"
    )
    owner = f" of user {about['user_id']}" if about["user_id"] != about["device"] else ""
    yield Text.assemble((f"{about['device']}{owner}", "bold"), f", {wrong}")
    names = ("platform", "model", "os_version", "app_version", "territory", "country")
    facts = [str(about[name]) for name in names if about[name]]
    yield Text(", ".join(facts) or "nothing is known of the device")
    success = about["last_success"]
    last = f"the last success at {_minute(success)} UTC" if success else "none with success"
    syncs = f"{pluralize(about['syncs'], 'tracked sync')}, {about['failures']:,} failed, {last}"
    yield Text(f"{syncs}; {pluralize(about['errors'], 'error')}")


def _indented(line: str) -> Padding:
    return Padding(Text(line), (0, 0, 0, 2))


def _event(row: dict[str, Any]) -> str:
    ended = " ".join(str(row[name]) for name in ("what", "how") if row[name])
    told = f": {format_value(row['detail'])}" if row["detail"] else ""
    return f"{_minute(row['happened_at'])}  {row['kind']:<5}  {ended}{told}"


def _waiting(one: analysis.Device) -> str:
    if one.pending.empty:
        return "nothing that the store knows of"
    failing = int(one.pending["in_error"].sum())
    return f"{pluralize(len(one.pending), 'record')}, {failing} in error"


def _record(row: dict[str, Any]) -> str:
    since = f" since {_minute(row['edited_at'])}" if row["edited_at"] else ""
    why = f"{row['cause']} {row['issue_id']}" if row["cause"] else "waits its turn"
    below = len(row["dependents"] or ())
    hang = f", {pluralize(below, 'record')} {'hangs' if below == 1 else 'hang'} on it" if below else ""
    return f"{row['operation'] or 'change'} of {row['object']} {row['record_id']}{since}: {why}{hang}"


def _minute(moment: object) -> str:
    return str(moment)[:16].replace("T", " ")
