"""`synclens rules`: compare catalogues, correct causes, and preview a new grouping."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.findings import preview_regrouping, update_findings
from analysis.grouping.corrections import Correction
from synclens import console
from synclens.clock import now
from synclens.issue_id_prefix import query_issue
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.tables import frame_table
from synclens.triage_file import existing_triage

rules_app = typer.Typer(help="The rules that name causes, and people's corrections.", no_args_is_help=True)


_NOTHING = "Nobody has corrected a cause."


@rules_app.command("check")
def check(
    catalogue: Annotated[
        Path | None, typer.Option(help="A catalogue you are writing; the newest published one unless given.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The date of the catalogue to compare with; the newest unless given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show which errors of the store change their cause under another catalogue; nothing is stored.

    Example: synclens rules check --catalogue analysis/classification/causes/2026-12-01.toml
    """
    after = analysis.read_catalogue(catalogue) if catalogue else None
    with ingest.open_store(store) as opened:
        frame = analysis.compare_catalogues(opened, after, analysis.load_catalogue(against))
    if as_json:
        console.print_json_frame(frame)
    elif frame.empty:
        console.info("No error of this store changes its cause.")
    else:
        console.print_output(frame_table(frame, title=f"{frame['events'].sum()} errors change their cause"))


@rules_app.command()
def correct(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    cause: Annotated[
        str | None, typer.Argument(help="The cause its errors really have; not with --take-back.")
    ] = None,
    why: Annotated[str, typer.Option(help="How you know; goes into the activity log.")] = "",
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Take the newest correction of this issue back.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Say what the errors of an issue really are; it wins over every rule, now and in later loads.

    It is kept as a rule on what the errors say, so it holds when the issue gets another id.

    Example: synclens rules correct 3f1c0a9b2d7e record-locked --why "the admin saw the lock"
    """
    if (cause is None) != take_back:
        raise typer.BadParameter("give the cause, or --take-back", param_hint="CAUSE")
    with ingest.open_store(store) as opened:
        known = query_issue(opened, issue_id, lambda one: str(analysis.get_issue(opened, one).issue_id))
    triage = analysis.TriageState.for_store(store)
    with ingest.open_store(store, read_only=False) as opened:
        update_findings(opened, triage, at=now())  # stores the contents of the issue in the triage state
        triage.correct_cause(
            known, cause, actor=getpass.getuser(), at=now(), reason=why or "no reason was given"
        )
        update_findings(opened, triage, at=now())
    standing = triage.current_correction(known)
    console.info(
        f"{known} is called {standing} from now on." if standing else f"{known} has no correction now."
    )


@rules_app.command()
def corrections(
    store: StoreOption = DEFAULT_STORE,
    samples: Annotated[
        bool, typer.Option("--samples", help="Print them as labelled errors, for `report-card --samples`.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the causes that people corrected: who, when, why, and on how many wordings each holds.

    Example: synclens rules corrections --samples > corrected.jsonl
    """
    triage = existing_triage(store)
    if samples:
        for sample in triage.labeled_samples() if triage else []:
            console.print_json(sample)
        return
    rows = [_plain(one) for one in triage.correction_rules()] if triage else []
    if as_json:
        console.print_json(rows)
    elif not rows:
        console.info(_NOTHING)
    else:
        table = Table(*rows[0], title=f"{len(rows)} corrections, the oldest first")
        for row in rows:
            table.add_row(*(Text(str(value)) for value in row.values()))
        console.print_output(table)


@rules_app.command()
def regroup(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show which issues the grouping of this version would change; nothing is stored.

    Run it after an update and before the next load, which groups all errors anew. What people decided
    follows the errors.

    Example: synclens rules regroup
    """
    triage = existing_triage(store)
    with ingest.open_store(store) as opened:
        frame = preview_regrouping(opened, triage.grouping_rules() if triage else ())
    if as_json:
        console.print_json_frame(frame)
    elif frame.empty:
        console.info(f"No issue changes under the grouping {analysis.GROUPING_VERSION}.")
    else:
        title = f"{frame['events'].sum()} errors get into another issue under {analysis.GROUPING_VERSION}"
        console.print_output(frame_table(frame, title=title))


def _plain(one: Correction) -> dict[str, object]:
    return {
        "number": one.number, "issue_id": one.issue_id, "cause": one.cause, "wordings": len(one.contents),
        "at": one.at.isoformat(), "actor": one.actor, "reason": one.reason,
    }  # fmt: skip
