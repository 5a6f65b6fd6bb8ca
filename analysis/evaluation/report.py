"""Render report cards as a page of Markdown, stored per release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.classification.catalogue import load_catalogue
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
            parts += [f"### {title}\n", _table(tuple(map(str, frame.columns)), _rows(frame))]
    return "\n".join(parts)


def _rows(frame: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for row in frame.itertuples(index=False, name=None):
        yield tuple(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
