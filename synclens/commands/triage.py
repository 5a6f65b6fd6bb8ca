"""`synclens triage`: the state of the fleet on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

import analysis
import ingest
from analysis.base.text import pluralize
from analysis.fixes.playbook import load_nearest_playbook
from analysis.issues.listing import is_quiet
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

MOST_ISSUES = 5
MOST_QUIET = 3


def triage(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Print health, the worst issues with their cause, who is hit since when, and what to do about each.

    Issues without an error in the newest 7 days come after the others: they may be over.

    Example: synclens triage --store demo.duckdb
    """
    summary = summarise(store)
    if as_json:
        console.print_json(summary)
        return
    console.print_output(_screen(summary))
    if summary["issues"]:
        console.print_output(_next_steps(summary, store))


def summarise(path: Path) -> dict[str, object]:
    """Health and the worst issues of the store at `path`, as plain values: those that go on, then quiet ones."""
    with ingest.open_store(path) as store:
        health = analysis.health(store)
        issues = analysis.list_issues(store)
    quiet = is_quiet(issues, health.as_of)
    worst = [
        issue | {"fix": load_nearest_playbook(issue["cause"]).short_fix, "quiet": silent}
        for silent, some in (
            (False, issues[~quiet].head(MOST_ISSUES)),
            (True, issues[quiet].head(MOST_QUIET)),
        )
        for issue in console.frame_to_records(some)
    ]
    waiting = console.frame_to_records(issues[issues["pending"] > 0].nlargest(1, "pending"))
    return {
        "health": health.to_dict(), "issues": worst, "issue_count": len(issues),
        "most_waiting": waiting[0] if waiting else None,
    }  # fmt: skip


def _screen(summary: dict[str, object]) -> Group:
    health = summary["health"]
    issues = summary["issues"]
    assert isinstance(health, dict)  # noqa: S101 - built by summarise
    assert isinstance(issues, list)  # noqa: S101
    return Group(
        _health_line(health),
        Text(),
        _issue_lines(issues, int(str(summary["issue_count"]))),
        *_waiting_line(summary["most_waiting"]),
    )


def _health_line(health: dict[str, object]) -> Text:
    rate, low, high = (health[name] for name in ("success_rate", "success_low", "success_high"))
    shown = "no finished sync yet" if rate is None else f"{rate:.1%} (95 % interval {low:.1%} to {high:.1%})"
    return Text.assemble(
        ("Syncs succeed: ", "bold"), shown,
        ("   devices: ", "bold"), f"{health['devices']}{_by_user(health)}",
        ("   with a failed sync: ", "bold"), f"{health['devices_with_failure']}",
        ("   syncs: ", "bold"), f"{health['syncs']:,}",
        ("   errors: ", "bold"), f"{health['errors']:,}",
    )  # fmt: skip


def _by_user(health: dict[str, Any]) -> str:
    """Say how many users stand for devices that no sync names."""
    users = health["users_without_device"]
    return f" ({users} of them known by their user alone)" if users else ""


def _issue_lines(issues: list[dict[str, Any]], count: int) -> Group:
    if not issues:
        return Group(Text("No errors are in this store: load some with `synclens load FILES`."))
    going, quiet = ([issue for issue in issues if issue["quiet"] is told] for told in (False, True))
    worst = f"The {len(going)} worst of {count} issues" if len(going) > 1 else f"The worst of {count} issues"
    title = (
        f"{worst}, by people hit (times in UTC)" if going else "No issue had an error in the newest 7 days."
    )
    lines: list[Text | Padding] = [Text(title, style="bold")]
    for place, issue in enumerate(going, start=1):
        since = str(issue["first_seen"])[5:16].replace("T", " ")
        head = Text(f"{place}. {issue['cause']}", style="bold cyan")
        head.append(f"  {_told(issue)}, since {since}", style="not bold")
        lines += [head, Padding(Text(str(issue["fix"])), (0, 0, 0, 3))]
    if quiet:
        lines.append(Text("Quiet for 7 days or longer, perhaps over", style="bold"))
    for issue in quiet:
        first, last = (str(issue[name])[5:10] for name in ("first_seen", "last_seen"))
        lines.append(Text.assemble("-  ", (issue["cause"], "cyan"), f"  {_told(issue)}, {first} to {last}"))
        lines.append(Padding(Text(str(issue["fix"]), style="dim"), (0, 0, 0, 3)))
    return Group(*lines)


def _told(issue: dict[str, Any]) -> str:
    return f"{issue['issue_id']}  {_people(issue['users'])}, {pluralize(issue['events'], 'error')}"


def _waiting_line(issue: Any) -> list[Text]:
    """The issue for which most records wait, which few people may meet, or nothing."""
    if issue is None:
        return []
    pending = pluralize(issue["pending"], "record")
    told = f"{issue['cause']} {issue['issue_id']}, {pending} of {_people(issue['users'])}"
    return [Text.assemble(("Most records wait for: ", "bold"), told)]


def _next_steps(summary: dict[str, Any], store: Path) -> Text:
    worst, waiting = summary["issues"][0], summary["most_waiting"]
    named = "" if store == DEFAULT_STORE else f" --store {store}"
    ask = f"`synclens issue {worst['issue_id']}{named}`"
    if waiting and waiting["issue_id"] != worst["issue_id"]:
        ask += f" (most people) or `synclens issue {waiting['issue_id']}{named}` (most records)"
    return Text(
        f"Next: {ask} for the evidence and the fix, `suspects` for what changed before, `rehearse` to try each fix; "
        f"`synclens dashboard{named}` shows it all.",
        style="dim",
    )


def _people(users: object) -> str:
    return "1 person" if users == 1 else f"{users} people"
