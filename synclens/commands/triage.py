"""`synclens triage`: the state of the fleet on one screen."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

import analysis
import ingest
from analysis.wording import many
from synclens import narrate
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption

MOST_ISSUES = 6
QUIET = timedelta(days=3)
"""An issue without an error for so long before the newest data may be over; a weekend alone is no sign of it."""


def triage(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Print health, the worst issues with their cause, who is hit since when, and what to do about each.

    Example: synclens triage --store demo.duckdb
    """
    summary = summarise(store)
    if as_json:
        narrate.emit(summary)
        return
    narrate.show(_screen(summary))
    if summary["issues"]:
        narrate.show(_next_steps(summary, store))


def summarise(path: Path) -> dict[str, object]:
    """Health and the worst issues of the store at `path`, as plain values."""
    with ingest.open_store(path) as store:
        health = analysis.health(store)
        issues = analysis.list_issues(store)
    worst = [
        issue | {"fix": analysis.load_playbook(issue["cause"]).short_fix}
        for issue in narrate.records(issues.head(MOST_ISSUES))
    ]
    waiting = narrate.records(issues[issues["pending"] > 0].nlargest(1, "pending"))
    return {
        "health": health.to_dict(), "issues": worst, "issue_count": len(issues),
        "most_waiting": waiting[0] if waiting else None,
    }  # fmt: skip


def _screen(summary: dict[str, object]) -> Group:
    health = summary["health"]
    issues = summary["issues"]
    assert isinstance(health, dict)  # noqa: S101 - built by summarise
    assert isinstance(issues, list)  # noqa: S101
    count, as_of = int(str(summary["issue_count"])), str(health["as_of"])
    return Group(
        _health_line(health),
        Text(),
        _issue_lines(issues, count, as_of),
        *_waiting_line(summary["most_waiting"]),
    )


def _health_line(health: dict[str, object]) -> Text:
    rate, low, high = (health[name] for name in ("success_rate", "success_low", "success_high"))
    shown = "no finished sync yet" if rate is None else f"{rate:.1%} (95 % interval {low:.1%} to {high:.1%})"
    return Text.assemble(
        ("Syncs succeed: ", "bold"), shown,
        ("   devices: ", "bold"), f"{health['devices']}",
        ("   with a failed sync: ", "bold"), f"{health['devices_with_failure']}",
        ("   syncs: ", "bold"), f"{health['syncs']:,}",
        ("   errors: ", "bold"), f"{health['errors']:,}",
    )  # fmt: skip


def _issue_lines(issues: list[dict[str, object]], count: int, as_of: str) -> Group:
    if not issues:
        return Group(Text("No errors are in this store: load some with `synclens load FILES`."))
    lines: list[Text | Padding] = [
        Text(f"The {len(issues)} worst of {count} issues, by people hit (times in UTC)", style="bold")
    ]
    for place, issue in enumerate(issues, start=1):
        head = Text(f"{place}. {issue['cause']}", style="bold cyan")
        events = many(int(str(issue["events"])), "error")
        told = f"  {issue['issue_id']}  {_people(issue['users'])}, {events}, {_when(issue, as_of)}"
        lines += [head.append(told, style="not bold"), Padding(Text(str(issue["fix"])), (0, 0, 0, 3))]
    return Group(*lines)


def _waiting_line(issue: Any) -> list[Text]:
    """The issue for which most records wait, which few people may meet, or nothing."""
    if issue is None:
        return []
    told = f"{issue['cause']} {issue['issue_id']}, {many(issue['pending'], 'record')} of {_people(issue['users'])}"
    return [Text.assemble(("Most records wait for: ", "bold"), told)]


def _when(issue: dict[str, object], as_of: str) -> str:
    """Since when; of what has been quiet for days, from when to when: it may be over."""
    first, last = str(issue["first_seen"]), str(issue["last_seen"])
    if _is_quiet(issue, as_of):
        return f"{first[5:10]} to {last[5:10]}, quiet"
    return f"since {first[5:16].replace('T', ' ')}"


def _is_quiet(issue: dict[str, object], as_of: str) -> bool:
    return datetime.fromisoformat(as_of) - datetime.fromisoformat(str(issue["last_seen"])) > QUIET


def _next_steps(summary: dict[str, Any], store: Path) -> Text:
    issues, as_of = summary["issues"], str(summary["health"]["as_of"])
    worst = next((one for one in issues if not _is_quiet(one, as_of)), issues[0])["issue_id"]
    named = "" if store == DEFAULT_STORE else f" --store {store}"
    return Text(
        f"Next: `synclens issue {worst}{named}` for the evidence and the fix, `suspects` for what changed before, "
        f"`rehearse` to try each fix; `synclens dashboard{named}` shows it all.",
        style="dim",
    )


def _people(users: object) -> str:
    return "1 person" if users == 1 else f"{users} people"
