"""Render report cards as a page of Markdown, stored per release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan

import pandas as pd

from analysis.classification.catalogue import load_catalogue
from analysis.evaluation.first_looks import (
    TIERS,
    Record,
    compare_confidence,
    compare_languages,
    compare_rounds,
)
from analysis.evaluation.scores import ReportCard
from analysis.grouping.issue_ids import GROUPING_VERSION


def render_heading() -> str:
    """Render the title of the page, with the versions of the catalogue and the grouping."""
    return f"# Report card\n\nCatalogue {load_catalogue().version}, grouping {GROUPING_VERSION}.\n"


def render_section(name: str, card: ReportCard, extra_figures: Mapping[str, str] | None = None) -> str:
    """Render one data set: its figures, `extra_figures` and its tables."""
    figures = {
        "events": f"{card.events:,}",
        "accuracy": f"{card.accuracy:.3f}",
        "macro-F1": f"{card.macro_f1:.3f}",
        "coverage": f"{card.coverage:.3f}",
        "accuracy of assigned causes": f"{card.accuracy_if_assigned:.3f}",
        "expected calibration error": f"{card.calibration_error:.3f}",
        **(extra_figures or {}),
    }
    parts = [f"## {name}\n", _table(("figure", "value"), figures.items())]
    tables = {
        "Share wrong by share answered": card.risk,
        "By cause": card.per_cause,
        "Most confused": card.confused,
    }
    for title, frame in tables.items():
        if len(frame):
            parts += [f"### {title}\n", _frame_table(frame)]
    return "\n".join(parts)


def render_first_looks(records: Sequence[Record]) -> str:
    """Render the figures of unseen messages: by round, and for each tier by language and by confidence."""
    parts = ["## First looks\n", _FIRST_LOOKS, _frame_table(compare_rounds(records))]
    for tier, name in TIERS.items():
        if any(record.get(tier) for record in records):
            parts += [f"### By language, {name}\n", _frame_table(compare_languages(records, tier))]
            parts += [f"### Stated confidence, {name}\n", _frame_table(compare_confidence(records, tier))]
    return "\n".join(parts)


_FIRST_LOOKS = """Each round is a set of messages from public sources that were new to the authors of the rules and to
the models. What was found was recorded before anyone looked at the mistakes, so these figures estimate the accuracy
on new messages. A finding is right if it is the labeled cause or another one that the message supports. `right if
given` is the right share of findings with a cause, `stays unknown` the share of messages that state nothing and have
no cause, `among three` the share whose cause is among the three shown. The figures are those of the version at the
time of each round; the current weights and thresholds were fitted with all these rounds and have no first look yet.
"""


def _frame_table(frame: pd.DataFrame) -> str:
    return _table(tuple(map(str, frame.columns)), _rows(frame))


def _rows(frame: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for row in frame.itertuples(index=False, name=None):
        yield tuple(_cell(value) for value in row)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "–" if isnan(value) else f"{value:.3f}"
    return str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
