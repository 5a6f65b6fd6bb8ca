"""The playbook of a cause: what it means, whom it hurts, how to be sure, what to do. The pages are data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from analysis.base.errors import AnalysisError

HEADINGS = ("Meaning", "Impact", "Diagnosis", "Fix")
_URL = re.compile(r"https?://[^\s,;)>]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z*`\d])")


@dataclass(frozen=True)
class Playbook:
    """One page of advice.

    `meaning`, `impact`, `diagnosis` and `fix` are markdown without their headings; `fix` is without sources.
    `short_fix` is the first sentence of the fix without markup, at most 110 characters, for use in lists.
    `sources` are public addresses.
    """

    cause: str
    title: str
    meaning: str
    impact: str
    diagnosis: str
    fix: str
    short_fix: str
    sources: tuple[str, ...]


@cache
def load_playbook(cause: str) -> Playbook:
    """Read the playbook of `cause`, an id of the cause catalogue or `unknown`.

    Raises `AnalysisError` when there is none, or when its headings are not the four in their order.
    The form with four headings is that of the prometheus-operator runbooks.
    """
    if cause not in playbook_causes():
        raise AnalysisError(
            f"there is no playbook for the cause {cause!r}",
            next_step="Take a cause from the catalogue, or add analysis/fixes/playbooks/<cause>.md.",
        )
    return parse_playbook(
        cause, files("analysis.fixes").joinpath("playbooks", f"{cause}.md").read_text("utf-8")
    )


def load_nearest_playbook(cause: str) -> Playbook:
    """Read the playbook of `cause`; a cause of somebody else's catalogue gets the one for unknown errors."""
    return load_playbook(cause if cause in playbook_causes() else "unknown")


@cache
def playbook_causes() -> frozenset[str]:
    """Name the causes that have a playbook."""
    entries = files("analysis.fixes").joinpath("playbooks").iterdir()
    return frozenset(entry.name.removesuffix(".md") for entry in entries if entry.name.endswith(".md"))


def parse_playbook(cause: str, text: str) -> Playbook:
    """Cut markdown into the parts of a playbook; raises `AnalysisError` when it has not the form of one."""
    head, *parts = re.split(r"^## +", text, flags=re.MULTILINE)
    title, sections = head.removeprefix("#").strip(), [part.partition("\n") for part in parts]
    if tuple(name.strip() for name, _, _ in sections) != HEADINGS or not head.startswith("# "):
        raise AnalysisError(
            f"the playbook {cause} has not one title and the headings {', '.join(HEADINGS)}",
            next_step="Compare the file with another in analysis/fixes/playbooks.",
        )
    meaning, impact, diagnosis, last = (body.strip() for _, _, body in sections)
    fix, _, sources = last.rpartition("\nSources:") if "\nSources:" in last else (last, "", "")
    return Playbook(
        cause,
        title,
        meaning,
        impact,
        diagnosis,
        fix.strip(),
        first_sentence(fix),
        tuple(_URL.findall(sources)),
    )


def first_sentence(markdown: str) -> str:
    """Take the first sentence of the first paragraph, as plain text on one line."""
    paragraph = " ".join(markdown.strip().split("\n\n")[0].split())
    return re.sub(r"[*`]", "", _SENTENCE_END.split(paragraph)[0])
