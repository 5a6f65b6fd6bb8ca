"""`synclens incidents`: list the incidents, each with its issues and the reason why they belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

import analysis
import ingest
from analysis.base.text import pluralize
from analysis.issues.listing import list_issue_summaries
from analysis.issues.loaded_data import describe_loaded_data, read_loaded_data
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, LimitOption, StoreOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.incidents.incidents import Incident

_MAX_ISSUES = 5  # listed under an incident


def incidents(
    store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False, limit: LimitOption = 30
) -> None:
    """List incidents: issues that began together, or that are on the same devices.

    Most issues are in no incident.

    Example: synclens incidents --json
    """
    with ingest.open_store(store) as opened:
        rows = analysis.find_incidents(opened)
        titles = {row.issue_id: row.title for row in list_issue_summaries(opened)} if rows else {}
        loaded = read_loaded_data(opened)
    if as_json:
        console.print_json([incident.to_dict() for incident in rows])
        return
    for incident in rows[:limit]:
        console.print_output(Text(_format_incident(incident, titles)))
    if not rows and (loaded.errors or loaded.failed):
        console.print_output("No incidents: no loaded issues are together more often than chance explains.")
    elif len(rows) > limit:
        console.print_output(f"{pluralize(len(rows) - limit, 'more incident')}. Show them with --limit.")
    for line in describe_loaded_data(loaded, has_issues=bool(rows or loaded.errors or loaded.failed)):
        console.print_output(Text(line, style="dim"))


def _format_incident(incident: Incident, titles: Mapping[str, str]) -> str:
    lines = [
        f"{incident.title}: {pluralize(incident.users, 'user')}, {pluralize(incident.devices, 'device')}, "
        f"{pluralize(incident.events, 'error')}, {incident.first_seen:%Y-%m-%d %H:%M} to "
        f"{incident.last_seen:%Y-%m-%d %H:%M} UTC  ({incident.incident_id})",
        f"   Why: {incident.reason}",
    ]
    lines += [
        f"   {issue_id}  {titles.get(issue_id, '')}".rstrip() for issue_id in incident.issue_ids[:_MAX_ISSUES]
    ]
    if len(incident.issue_ids) > _MAX_ISSUES:
        lines.append(f"   and {pluralize(len(incident.issue_ids) - _MAX_ISSUES, 'more issue')}")
    return "\n".join(lines)
