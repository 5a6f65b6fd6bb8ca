"""Render the assessment of a sync-failure issue as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from analysis.base.text import pluralize
from analysis.classification.catalogue import CAUSES

if TYPE_CHECKING:
    from analysis.diagnosis.sync_failures import SyncFailureAssessment


def render_assessment(assessment: SyncFailureAssessment) -> str:
    """Return what tracking shows, what is excluded, what is open, and which data to get next, as lines of text."""
    return "\n".join(_lines(assessment))


def describe_open_causes(assessment: SyncFailureAssessment) -> str:
    """Return the titles of the causes that remain."""
    return ", ".join(CAUSES[cause].title for cause in assessment.open_causes)


def _lines(assessment: SyncFailureAssessment) -> Iterator[str]:
    users, syncs = pluralize(assessment.users, "user"), pluralize(assessment.syncs, "sync")
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (assessment.first_seen, assessment.last_seen))
    yield f"{users}, {syncs}, from {first} to {last} UTC. Kind {assessment.kind}: {assessment.description}"
    if assessment.excluded:
        yield "\nExcluded"
        yield from (f"  {item.what}. {item.evidence}" for item in assessment.excluded)
    yield "\nOpen"
    yield from (f"  {question}" for question in assessment.open_questions)
    yield f"  Possible causes: {describe_open_causes(assessment)}."
    if assessment.next_data:
        yield "\nGet next, the most decisive first"
    for rank, datum in enumerate(assessment.next_data, start=1):
        decided = f"decides {len(datum.causes)} of {len(assessment.open_causes)} possible causes"
        yield f"  {rank}. {datum.title} ({decided}). {datum.get}."
