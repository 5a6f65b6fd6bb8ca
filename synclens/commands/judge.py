"""`synclens lint`, `unknown` and `suspects`: configuration looked at, and errors nobody can name yet."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.base.text import chance
from synclens import console
from synclens.commands.ask import frame_table
from synclens.issue_id_prefix import ask_of_issue
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption


def lint(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Check the configuration for what is known to break sync, before it hurts; exit 1 if it is there.

    Example: synclens lint --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        found, gaps = analysis.lint(opened), analysis.lint_gaps(opened)
    if as_json:
        console.emit({"findings": console.records(found), "not_checked": console.records(gaps)})
    elif found.empty:
        checked = len(analysis.LINT_RULES) - len(gaps)
        console.show(f"Nothing found by {checked} of {len(analysis.LINT_RULES)} rules.")
    else:
        table = Table("severity", "where", "what", "how to fix", title=f"{len(found)} findings")
        for row in console.records(found):
            table.add_row(row["severity"], Text(str(row["where"])), Text(row["title"]), Text(row["fix"]))
        console.show(table)
    if not as_json:
        for row in console.records(gaps):
            console.say(f"not checked: {' · '.join(str(value) for value in row.values())}")
    if len(found):
        raise typer.Exit(console.FOUND_SOMETHING)


def unknown(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the issues whose cause nobody knows yet, largest first: the queue for new rules.

    Example: synclens unknown, then write a rule (CONTRIBUTING.md) and look with `synclens rules`.
    """
    with ingest.open_store(store) as opened:
        frame = analysis.list_issues(opened, query="cause:unknown")
    if as_json:
        console.emit_frame(frame)
    else:
        columns = ["issue_id", "title", "users", "events", "first_seen", "last_seen"]
        console.show(frame_table(frame[columns], title=f"{len(frame)} issues without a cause"))


def suspects(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say which configuration change or version roll-out explains the start of an issue, or that none does.

    Example: synclens suspects 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        found = ask_of_issue(opened, issue_id, lambda known: analysis.suspects(opened, known))
    if as_json:
        console.emit([_as_dict(suspect) for suspect in found])
        return
    if not found:
        console.show(Text("No suspect: no change in this store explains the start of this issue."))
    for place, suspect in enumerate(found, start=1):
        console.show(Text(f"{place}. {_in_words(suspect)}"))


def _in_words(suspect: analysis.Suspect) -> str:
    change = (
        f"{suspect.kind} {suspect.target}: {suspect.before or 'nothing'} became {suspect.after or 'nothing'}"
    )
    reach = f"reached {suspect.affected_in_scope:.0%} of the {suspect.affected} people hit"
    return (
        f"{suspect.changed_at:%Y-%m-%d %H:%M} UTC  {change}\n"
        f"   {suspect.relation}; {reach}; {suspect.unaffected_in_scope:.0%} of those it reached were never hit; "
        f"{chance(suspect.p_value)}  ({suspect.change_id})"
    )


def _as_dict(suspect: analysis.Suspect) -> dict[str, object]:
    return {name: getattr(suspect, name) for name in suspect.__dataclass_fields__}
