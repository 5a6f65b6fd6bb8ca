"""`synclens suspects`: list the changes that may have started an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

import analysis
import ingest
from analysis.base.text import format_change, format_p_value, pluralize
from synclens import console
from synclens.issue_id_prefix import resolve_issue_id
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from analysis.diagnosis.suspect_changes import SuspectChange


def suspects(
    issue_id: Annotated[str, typer.Argument(help="Issue id from `synclens issues`, or its first letters.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the configuration changes and version rollouts that may have started an issue.

    Example: synclens suspects 3f1c0a9b2d7e
    """
    from analysis.diagnosis.suspect_changes import why_unjudged  # noqa: PLC0415 - imports pandas

    with ingest.open_store(store) as opened:
        full_id = resolve_issue_id(opened, issue_id)
        changes = analysis.suspects(opened, full_id)
        reason = None if changes else why_unjudged(opened, full_id)
    if as_json:
        if reason is not None:
            console.info(reason)
        console.print_json([_to_dict(change) for change in changes])
        return
    if not changes:
        console.print_output(reason or "No suspects: no change in this store fits the start of this issue.")
    for rank, change in enumerate(changes, start=1):
        console.print_output(Text(f"{rank}. {_format_suspect(change)}"))


def _format_suspect(change: SuspectChange) -> str:
    more = len(change.change_ids) - 1
    together = f" and {pluralize(more, 'more row')} at once" if more else ""
    values = format_change(change.before, change.after)
    return (
        f"{change.changed_at:%Y-%m-%d %H:%M} UTC  {change.kind} {change.target}{together}"
        f"{f': {values}' if values else ''}\n   {f'{change.relation}; ' if change.relation else ''}"
        f"reached {change.affected_in_scope:.0%} of the {change.affected} affected users; "
        f"{change.unaffected_in_scope:.0%} of the users it reached were not affected; "
        f"{format_p_value(change.p_value)}  ({change.change_id})"
    )


def _to_dict(change: SuspectChange) -> dict[str, object]:
    return {name: getattr(change, name) for name in change.__dataclass_fields__}
