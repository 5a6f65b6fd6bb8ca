"""`synclens triage`: the state of the fleet on one screen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import narrate
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption

MOST_ISSUES = 8


def triage(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Print health, the worst issues with their cause, who is hit since when, and what to do about each.

    Example: synclens triage --store demo.duckdb
    """
    summary = summarise(store)
    if as_json:
        narrate.emit(summary)
    else:
        narrate.show(_screen(summary))


def summarise(path: Path) -> dict[str, object]:
    """Health and the worst issues of the store at `path`, as plain values."""
    with ingest.open_store(path) as store:
        health = analysis.health(store)
        issues = analysis.list_issues(store)
    worst = [
        issue | {"fix": analysis.load_playbook(issue["cause"]).short_fix}
        for issue in narrate.records(issues.head(MOST_ISSUES))
    ]
    return {"health": health.to_dict(), "issues": worst, "issue_count": len(issues)}


def _screen(summary: dict[str, object]) -> Group:
    health = summary["health"]
    issues = summary["issues"]
    assert isinstance(health, dict)  # noqa: S101 - built by summarise
    assert isinstance(issues, list)  # noqa: S101
    return Group(_health_line(health), Text(), _issue_table(issues, int(str(summary["issue_count"]))))


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


def _issue_table(issues: list[dict[str, object]], count: int) -> Table:
    table = Table(
        title=f"The {len(issues)} worst of {count} issues, by people hit", title_justify="left", expand=True
    )
    table.add_column("cause", style="bold", no_wrap=True)
    table.add_column("people", justify="right")
    table.add_column("events", justify="right")
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("what to do", ratio=1)
    for issue in issues:
        table.add_row(
            Text(f"{issue['cause']}\n{issue['issue_id']}"),
            str(issue["users"]),
            str(issue["events"]),
            str(issue["first_seen"])[5:16].replace("T", " "),
            Text(str(issue["fix"])),
        )
    return table
