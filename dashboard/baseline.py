"""Some days held against other days that somebody chose, wherever those lie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from analysis.differences.explanations import Explanation, explain
from analysis.differences.questions import _PERIODS, WHEN, WHO
from analysis.filters import Filters
from analysis.metrics import ask


def explain_against(
    connection: Any,  # noqa: ANN401 - the dashboard never names the connection's type
    since: datetime,
    until: datetime,
    earlier: tuple[datetime, datetime],
    **filters: Sequence[str],
) -> list[Explanation]:
    """Say why syncs failed more from `since` to `until` than in `earlier`, best first; times are naive UTC.

    Counts exactly as `analysis.differences.explain_period`, whose query it asks: finished syncs, and the
    days compared with cut into stretches as long as those explained. An `earlier` that overlaps is fine.
    """
    length = (until - since).total_seconds()
    now, before = (
        ask(
            connection,
            _PERIODS,
            Filters.of(**filters, since=begin, until=end),
            {"start": begin, "seconds": length},
        )
        for begin, end in ((since, until), earlier)
    )
    return explain(now, before, by=[*WHO, *WHEN], failures="failures", total="total")
