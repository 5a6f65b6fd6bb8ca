"""`synclens rules`: compare catalogues, correct causes, and preview a new grouping."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.findings import preview_regrouping, update_findings
from synclens import console
from synclens.clock import now
from synclens.issue_id_prefix import resolve_issue_id
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.tables import frame_table
from synclens.triage_file import existing_triage

if TYPE_CHECKING:
    from analysis.grouping.corrections import Correction

rules_app = typer.Typer(
    help="Manage classification rules and manual corrections.", no_args_is_help=True, rich_markup_mode=None
)


@rules_app.command("check")
def check(
    catalogue: Annotated[
        Path | None, typer.Option(help="Draft: folder of a catalogue, or file of rules to add to the newest.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Date of the catalogue to compare with (default: the newest).")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show which errors would change their cause under another catalogue. Stores nothing.

    Example: synclens rules check --catalogue my-rules.toml
    """
    draft = analysis.read_catalogue(catalogue) if catalogue else None
    with ingest.open_store(store) as opened:
        frame = analysis.compare_catalogues(opened, draft, analysis.load_catalogue(against))
    if as_json:
        console.print_json_frame(frame)
    elif frame.empty:
        console.info("No error in this store changes its cause.")
    else:
        console.print_output(frame_table(frame, title=f"{frame['events'].sum()} errors change their cause"))


@rules_app.command()
def correct(
    issue_id: Annotated[str, typer.Argument(help="Issue id from `synclens issues`, or its first letters.")],
    cause: Annotated[
        str | None, typer.Argument(help="Correct cause of the issue's errors. Omit with --revert.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Reason, recorded in the activity log.")] = "",
    revert: Annotated[
        bool, typer.Option("--revert", help="Revert the newest correction of this issue.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Correct the cause of an issue. A correction overrides every rule, now and in later loads.

    The correction applies to errors with the same content, so it remains in effect if the issue id changes.

    Example: synclens rules correct 3f1c0a9b2d7e record-locked --reason "the admin confirmed the lock"
    """
    if (cause is None) != revert:
        raise typer.BadParameter("pass either a cause or --revert", param_hint="CAUSE")
    with ingest.open_store(store) as opened:
        full_id = resolve_issue_id(opened, issue_id)
    triage = analysis.TriageState.for_store(store)
    with ingest.open_store(store, read_only=False) as opened:
        update_findings(opened, triage, at=now())  # stores the contents of the issue in the triage state
        triage.correct_cause(
            full_id, cause, actor=getpass.getuser(), at=now(), reason=reason or "no reason was given"
        )
        update_findings(opened, triage, at=now())
    corrected_cause = triage.current_correction(full_id)
    console.info(
        f"The cause of {full_id} is now {corrected_cause}."
        if corrected_cause
        else f"{full_id} has no correction now."
    )


@rules_app.command()
def corrections(
    store: StoreOption = DEFAULT_STORE,
    samples: Annotated[
        bool, typer.Option("--samples", help="Print labeled errors for `report-card --samples`.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the corrected causes: who corrected them, when, why, and for how many messages.

    Example: synclens rules corrections --samples > corrected.jsonl
    """
    triage = existing_triage(store)
    if samples:
        for sample in triage.labeled_samples() if triage else []:
            console.print_json(sample)
        return
    rows = [_to_row(correction) for correction in triage.correction_rules()] if triage else []
    if as_json:
        console.print_json(rows)
    elif not rows:
        console.info("No cause has been corrected.")
    else:
        table = Table(*rows[0], title=f"{len(rows)} corrections, oldest first")
        for row in rows:
            table.add_row(*(Text(str(value)) for value in row.values()))
        console.print_output(table)


@rules_app.command()
def regroup(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show which issues the grouping of this version would change. Stores nothing.

    Run it after an update and before the next load, which groups all errors again. Triage decisions follow the
    errors to their new issue.

    Example: synclens rules regroup
    """
    triage = existing_triage(store)
    with ingest.open_store(store) as opened:
        frame = preview_regrouping(opened, triage.grouping_rules() if triage else ())
    if as_json:
        console.print_json_frame(frame)
    elif frame.empty:
        console.info(f"No issue changes with grouping version {analysis.GROUPING_VERSION}.")
    else:
        moved = frame["events"].sum()
        title = f"{moved} errors move to another issue with grouping version {analysis.GROUPING_VERSION}"
        console.print_output(frame_table(frame, title=title))


def _to_row(correction: Correction) -> dict[str, object]:
    return {
        "number": correction.number, "issue_id": correction.issue_id, "cause": correction.cause,
        "messages": len(correction.contents), "at": correction.at.isoformat(), "actor": correction.actor,
        "reason": correction.reason,
    }  # fmt: skip
