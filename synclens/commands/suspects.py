"""`synclens suspects`: list the changes that may have started an issue."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

import analysis
import ingest
from analysis.base.text import format_p_value
from synclens import console
from synclens.issue_id_prefix import query_issue
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def suspects(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say which configuration change or version roll-out explains the start of an issue, or that none does.

    Example: synclens suspects 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        found = query_issue(opened, issue_id, lambda known: analysis.suspects(opened, known))
    if as_json:
        console.print_json([_as_dict(suspect) for suspect in found])
        return
    if not found:
        console.print_output(Text("No suspect: no change in this store explains the start of this issue."))
    for place, suspect in enumerate(found, start=1):
        console.print_output(Text(f"{place}. {_in_words(suspect)}"))


def _in_words(suspect: analysis.SuspectChange) -> str:
    change = (
        f"{suspect.kind} {suspect.target}: {suspect.before or 'nothing'} became {suspect.after or 'nothing'}"
    )
    reach = f"reached {suspect.affected_in_scope:.0%} of the {suspect.affected} people hit"
    return (
        f"{suspect.changed_at:%Y-%m-%d %H:%M} UTC  {change}\n"
        f"   {suspect.relation}; {reach}; {suspect.unaffected_in_scope:.0%} of those it reached were never hit; "
        f"{format_p_value(suspect.p_value)}  ({suspect.change_id})"
    )


def _as_dict(suspect: analysis.SuspectChange) -> dict[str, object]:
    return {name: getattr(suspect, name) for name in suspect.__dataclass_fields__}
