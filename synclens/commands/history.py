"""`synclens history`: show the devices of one user: events, pending records, recovery actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

import analysis
import ingest
from analysis.base.text import pluralize
from analysis.fixes.formatting import format_value
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption, store_option_text
from synclens.tables import format_minute

if TYPE_CHECKING:
    from analysis.fixes.recovery_actions import RecoveryAction
    from analysis.fleet.devices import Device

DEFAULT_LIMIT = 20

Row = dict[str, Any]


def history(
    user_or_device: Annotated[
        str, typer.Argument(metavar="USER_OR_DEVICE", help="User id, or device id from `synclens fleet`.")
    ],
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Maximum number of events to show, newest first.")
    ] = DEFAULT_LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Show the events, pending records and recovery actions on the devices of a user.

    Example: synclens history 1000228
    """
    with ingest.open_store(store) as opened:
        name = ingest.canonical_id(opened, user_or_device)
        names = list(analysis.list_devices(opened, user_id=name)["device"]) or [name]
        devices = [_with_plain_summary(analysis.get_device(opened, name, limit=limit)) for name in names]
        actions = {
            device.device: analysis.recovery_actions(opened, device_id=device.device) for device in devices
        }
    if as_json:
        console.print_json([_to_dict(device, actions[device.device]) for device in devices])
        return
    for device in devices:
        lines = _render_device(device, actions[device.device])
        for line in (*lines, *_next_steps(device, store_option_text(store))):
            console.print_output(line)


def _with_plain_summary(device: Device) -> Device:
    summary = {name: console.to_plain_value(value) for name, value in device.summary.items()}
    return replace(device, summary=summary)


def _to_dict(device: Device, actions: list[RecoveryAction]) -> Row:
    return {
        "device": device.device,
        "summary": device.summary,
        "state": _describe_state(device),
        "timeline": console.frame_to_records(device.timeline),
        "pending": console.frame_to_records(device.pending),
        "recovery_actions": [action.to_dict() for action in actions],
    }


def _describe_state(device: Device) -> str:
    from analysis.fleet.device_state import describe_state  # noqa: PLC0415 - imports pandas

    return describe_state(device)


def _render_device(device: Device, actions: list[RecoveryAction]) -> Iterator[Text | Padding]:
    yield from _summary_lines(device.summary, _describe_state(device))
    count = len(device.timeline)
    yield Text(f"\nEvents, newest last (UTC; {pluralize(count, 'event')})", style="bold")
    for row in console.frame_to_records(device.timeline.iloc[::-1]):
        yield _indent(_format_event(row))
    yield Text(f"\nPending records: {_pending_counts(device)}", style="bold")
    limit = max(DEFAULT_LIMIT, count)
    for row in console.frame_to_records(device.pending.head(limit)):
        yield _indent(_format_pending_record(row))
    if len(device.pending) > limit:
        yield _indent(f"and {len(device.pending) - limit} more; --json lists all")
    yield Text("\nRecovery actions", style="bold")
    for action in sorted(actions, key=lambda action: not action.offered):
        state = "available" if action.offered else "not available"
        lost = len(action.lost_records)
        loses = f" Loses {pluralize(lost, 'unsent change')}." if lost else ""
        yield _indent(f"{action.title} ({action.who}): {state}. {action.reason}{loses}")


def _next_steps(device: Device, store_option: str) -> Iterator[Text]:
    """Suggest the issue that blocks the most pending records, and the newest error or failed sync."""
    blocking_issues = device.pending["issue_id"].dropna().mode()
    errors = device.timeline.loc[device.timeline["kind"] == "error", "id"]
    steps = [
        f"`synclens issue {issue}{store_option}` for the issue that blocks the most records"
        for issue in blocking_issues[:1]
    ]
    steps += [f"`synclens explain-error {event}{store_option}` for the newest error" for event in errors[:1]]
    if steps:
        yield Text(f"\nNext: {', '.join(steps)}.\n", style="dim")


def _summary_lines(summary: Row, status: str) -> Iterator[Text]:
    name = summary["device"]
    owner = f" of user {summary['user_id']}" if summary["user_id"] != name else ""
    yield Text.assemble((f"{name}{owner}", "bold"), f", {status}")
    columns = ("platform", "model", "os_version", "app_version", "territory", "country")
    attributes = [str(summary[column]) for column in columns if summary[column]]
    yield Text(", ".join(attributes) or "no device details are loaded")
    success = summary["last_success"]
    last = f"last success {format_minute(success)} UTC" if success else "no successful sync is loaded"
    counted = f"{pluralize(summary['syncs'], 'tracked sync')}, {summary['failures']:,} failed, {last}"
    syncs = counted if summary["syncs"] else "no tracked sync is loaded"
    errors = pluralize(summary["errors"], "error") if summary["errors"] else "no errors are loaded"
    yield Text(f"{syncs}; {errors}")


def _indent(line: str) -> Padding:
    return Padding(Text(line), (0, 0, 0, 2))


def _format_event(row: Row) -> str:
    outcome = " ".join(str(row[name]) for name in ("what", "how") if row[name])
    detail = f": {format_value(row['detail'])}" if row["detail"] else ""
    return f"{format_minute(row['happened_at'])}  {row['kind']:<5}  {outcome}{detail}"


def _pending_counts(device: Device) -> str:
    if device.pending.empty:
        return "none loaded"
    failing = int(device.pending["in_error"].sum())
    return f"{pluralize(len(device.pending), 'record')}, {failing} in error"


def _format_pending_record(row: Row) -> str:
    since = f" since {format_minute(row['edited_at'])}" if row["edited_at"] else ""
    state = f"{row['cause']} {row['issue_id']}" if row["cause"] else "not sent yet"
    dependents = len(row["dependents"] or ())
    suffix = f", blocks {pluralize(dependents, 'record')}" if dependents else ""
    return f"{row['operation'] or 'change'} of {row['object']} {row['record_id']}{since}: {state}{suffix}"
