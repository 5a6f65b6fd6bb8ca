"""The report card as a page to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.catalogue import load_catalogue
from analysis.grouping import GROUPING
from analysis.scoring.card import ReportCard


def as_markdown(cards: Mapping[str, ReportCard]) -> str:
    """Write cards, each under the name of its data, as one page of Markdown."""
    head = f"# Report card\n\nCatalogue {load_catalogue().version}, grouping {GROUPING}.\n"
    return "\n".join([head, *(_section(name, card) for name, card in cards.items())])


def _section(name: str, card: ReportCard) -> str:
    figures = {
        "events": f"{card.events:,}",
        "accuracy": f"{card.accuracy:.3f}",
        "macro-F1": f"{card.macro_f1:.3f}",
        "coverage": f"{card.coverage:.3f}",
        "accuracy where a cause was given": f"{card.accuracy_where_given:.3f}",
        "expected calibration error": f"{card.calibration_error:.3f}",
    }
    parts = [f"## {name}\n", _table(("figure", "value"), figures.items())]
    for title, frame in (("By cause", card.per_cause), ("Most confused", card.confused)):
        if len(frame):
            parts += [f"### {title}\n", _table(tuple(frame.columns), _rows(frame))]
    return "\n".join(parts)


def _rows(frame: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for row in frame.itertuples(index=False, name=None):
        yield tuple(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
