"""`synclens triage`: health and the worst issues on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

import analysis
import ingest
from analysis.base.quiet_period import QUIET_PERIOD
from analysis.base.text import pluralize
from analysis.fixes.playbook import load_nearest_playbook
from analysis.issues.listing import IssueSummary, list_issue_summaries
from analysis.issues.loaded_data import describe_loaded_data, read_loaded_data
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption, store_option_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_ACTIVE_ISSUES = 5
MAX_QUIET_ISSUES = 3

Row = dict[str, Any]


def triage(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show health, the worst issues, their causes, and how to fix each one.

    Issues that stop no work and had no error in the last 7 days come last, because they may be over.

    Example: synclens triage --store demo.duckdb
    """
    summary = summarize(store)
    if as_json:
        console.print_json(summary)
        return
    console.print_output(_render_summary(summary))
    if summary["issues"]:
        console.print_output(_render_next_step(summary, store))


def summarize(path: Path) -> dict[str, Any]:
    """Return the health and the worst issues of the store at `path`: active issues first, then quiet ones."""
    with ingest.open_store(path) as store:
        health = analysis.health(store)
        issues = list_issue_summaries(store)
        active = [issue for issue in issues if not issue.quiet]
        quiet = [issue for issue in issues if issue.quiet]
        worst = [
            issue.to_dict() | {"fix": _short_fix(store, issue)}
            for issue in (*active[:MAX_ACTIVE_ISSUES], *quiet[:MAX_QUIET_ISSUES])
        ]
        notes = list(describe_loaded_data(read_loaded_data(store), has_issues=bool(issues)))
    most_pending = max(issues, key=lambda issue: issue.pending, default=None)
    return {
        "health": health.to_dict(), "issues": worst, "issue_count": len(issues), "notes": notes,
        "most_pending": most_pending.to_dict() if most_pending and most_pending.pending else None,
    }  # fmt: skip


def _short_fix(store: DuckDBPyConnection, issue: IssueSummary) -> str:
    """Return the fix of the cause, or for failed syncs without an error text the data to get next."""
    if issue.failure_kind is None:
        return load_nearest_playbook(issue.cause).short_fix
    assessment = analysis.assess_sync_failure(store, issue.issue_id)
    if assessment is None or not assessment.next_data:
        return load_nearest_playbook(issue.cause).short_fix
    datum = assessment.next_data[0]
    return f"Get next: {datum.title}. {datum.get}."


def _render_summary(summary: dict[str, Any]) -> Group:
    return Group(
        _health_line(summary["health"]),
        Text(),
        _issue_lines(summary["issues"], summary["issue_count"]),
        *_most_pending_line(summary["most_pending"]),
        *(Text(note, style="dim") for note in summary["notes"]),
    )


def _health_line(health: Row) -> Text:
    return Text.assemble(
        ("Clean syncs: ", "bold"), _clean_share(health),
        ("   devices: ", "bold"), f"{health['devices']}{_users_without_device(health)}",
        ("   with a failed sync: ", "bold"), f"{health['devices_with_failure']}",
        ("   syncs: ", "bold"), f"{health['syncs']:,}",
        ("   errors: ", "bold"), f"{health['errors']:,}",
    )  # fmt: skip


def _clean_share(health: Row) -> str:
    """Return the share of syncs that completed without a refused record, and what the others were."""
    rate, low, high = (health[name] for name in ("clean_rate", "clean_low", "clean_high"))
    if rate is None:
        return "no finished syncs"
    others = f"{health['with_upload_errors']:,} with refused records, {health['bad']:,} failed"
    return f"{rate:.1%} (95 % interval {low:.1%} to {high:.1%}; {others})"


def _users_without_device(health: Row) -> str:
    """Return how many users are counted as devices because their syncs name none."""
    users = health["users_without_device"]
    return f" ({users} of them known by their user only)" if users else ""


def _issue_lines(issues: list[Row], total: int) -> Group:
    if not issues:
        return Group()
    active, quiet = ([row for row in issues if row["quiet"] is state] for state in (False, True))
    lines: list[Text | Padding] = [Text(_heading(len(active), total), style="bold")]
    for rank, row in enumerate(active, start=1):
        since = str(row["first_seen"])[5:16].replace("T", " ")
        line = Text(f"{rank}. {_name(row)}", style="bold cyan")
        line.append(f"  {_counts(row)}, since {since}", style="not bold")
        lines += [line, Padding(Text(str(row["fix"])), (0, 0, 0, 3))]
    if quiet:
        lines.append(Text(f"Quiet for {QUIET_PERIOD.days} days or longer, possibly resolved", style="bold"))
    for row in quiet:
        first, last = (str(row[name])[5:10] for name in ("first_seen", "last_seen"))
        lines.append(Text.assemble("-  ", (_name(row), "cyan"), f"  {_counts(row)}, {first} to {last}"))
        lines.append(Padding(Text(str(row["fix"]), style="dim"), (0, 0, 0, 3)))
    return Group(*lines)


def _heading(active: int, total: int) -> str:
    if not active:
        return f"No issue had an error in the last {QUIET_PERIOD.days} days, or stops work."
    worst = f"The {active} worst of {total} issues" if active > 1 else f"The worst of {total} issues"
    return f"{worst}, by the unsent work and the users they stop, and for how long (times in UTC)"


def _counts(row: Row) -> str:
    noun = "error" if row["failure_kind"] is None else "sync"
    counts = f"{row['issue_id']}  {pluralize(row['users'], 'user')}, {pluralize(row['events'], noun)}"
    unsent = f", {pluralize(row['pending'], 'unsent record')}" if row["pending"] else ""
    stops = f", stops {pluralize(row['stopped_devices'], 'device')}" if row["stopped_devices"] else ""
    return f"{counts}{unsent}{stops}"


def _name(row: Row) -> str:
    """Return the cause, or the title if the issue consists of failed syncs, whose cause is unknown."""
    return str(row["cause"] if row["failure_kind"] is None else row["title"])


def _most_pending_line(row: Row | None) -> list[Text]:
    """Return the issue that blocks the most records, which few users may have."""
    if row is None:
        return []
    name, records = f"{row['cause']} {row['issue_id']}", pluralize(row["pending"], "record")
    return [Text.assemble(("Most pending records: ", "bold"), f"{name}, {records}")]


def _render_next_step(summary: dict[str, Any], store: Path) -> Text:
    worst, most_pending = summary["issues"][0], summary["most_pending"]
    option = store_option_text(store)
    command = f"`synclens issue {worst['issue_id']}{option}`"
    if most_pending and most_pending["issue_id"] != worst["issue_id"]:
        command += (
            f" (most users) or `synclens issue {most_pending['issue_id']}{option}` (most pending records)"
        )
    if worst["failure_kind"] is None:
        answers = (
            "the evidence and the fix, `suspects` the changes before it, and `rehearse` tests each fix; "
        )
    else:
        answers = "what is excluded and which data to get next, and `suspects` the changes before it; "
    return Text(f"Next: {command} shows {answers}`synclens dashboard{option}` shows everything.", style="dim")
