"""Metrics: one .sql file each, with the description in a comment at the top.

A file reads the store's tables and views. With the line `-- period: now` it describes the reference time, and the
start of a period (`since`) does not apply; otherwise it describes the period. If it needs to know what "now" is, it
also reads `reference`, a relation of one row with the column `as_of`: `until`, or the reference time of the store. It
can also read the relations of analysis/query/shared_relations.py. `wilson_low(hits, n)` and
`wilson_high(hits, n)` are replaced by the 95 % Wilson bounds of hits / n; both arguments are column names.

To run `Metric.sql` in a DuckDB shell, first run
`CREATE TEMP VIEW reference AS SELECT max(started_at) AS as_of FROM sync`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.base.intervals import wilson_bound_sql
from analysis.base.text import did_you_mean
from analysis.query.filter_hints import warn_unknown_values
from analysis.query.filters import Filters
from analysis.query.runner import run_query

if TYPE_CHECKING:
    import pandas as pd

# Colors and alerts depend on whether a higher value is better.
DIRECTIONS = ("higher is better", "lower is better", "neither")
_WILSON_CALL = re.compile(r"\bwilson_(low|high)\(\s*([\w.]+)\s*,\s*([\w.]+)\s*\)")


class UnknownMetric(AnalysisError):
    """There is no metric of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no metric {name!r}",
            next_step=f"{did_you_mean(name, METRICS)}Use one of: {', '.join(METRICS)}.",
        )


class InvalidMetric(AnalysisError):
    """A custom metric has no title, or the store cannot compute it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"the metric {name} cannot be used: {reason}",
            next_step="Compare it with the files in analysis/metrics. It can read the tables and views of the store.",
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name is that of its file; `sql` is the query with every function replaced.

    `is_about_now` means that it describes the reference time, so that the start of a period does not apply.
    """

    name: str
    title: str
    unit: str
    good: str
    description: str
    sql: str
    is_about_now: bool = False

    def applicable(self, filters: Filters) -> Filters:
        """Return the filters that apply to this metric."""
        return filters.without_start() if self.is_about_now else filters

    @classmethod
    def read(cls, path: Path | str) -> Metric:
        """Read a custom .sql file. Raises InvalidMetric."""
        try:
            return cls.parse(Path(path).stem, Path(path).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise InvalidMetric(Path(path).name, str(error)) from error

    @classmethod
    def parse(cls, name: str, text: str) -> Metric:
        """Parse a file: a comment with title, unit and good as `key: value`, then optionally
        `period: now`, a description, and the query.

        Raises ValueError if one of the three is missing.
        """
        header = re.match(r"(?:--.*\n)+", text)
        lines = [line[2:].strip() for line in header[0].splitlines()] if header else []
        labels = dict(line.split(": ", 1) for line in lines[:3] if ": " in line)
        is_about_now = lines[3:4] == ["period: now"]
        if labels.keys() != {"title", "unit", "good"} or labels["good"] not in DIRECTIONS:
            raise ValueError(
                f"{name}.sql must begin with -- title:, -- unit: and -- good: ({', '.join(DIRECTIONS)})"
            )
        sql = _WILSON_CALL.sub(_wilson_bound, text)
        description = " ".join(lines[4:] if is_about_now else lines[3:])
        return cls(name, labels["title"], labels["unit"], labels["good"], description, sql, is_about_now)


def load_metrics() -> Mapping[str, Metric]:
    """Read every metric file of this package, sorted by name."""
    texts = {
        script.name.removesuffix(".sql"): script.read_text(encoding="utf-8")
        for script in files("analysis.metrics").iterdir()
        if script.name.endswith(".sql")
    }
    return {name: Metric.parse(name, texts[name]) for name in sorted(texts)}


def _wilson_bound(call: re.Match[str]) -> str:
    side, hits, n = call.groups()
    return wilson_bound_sql(hits, n, {"low": "-", "high": "+"}[side])


METRICS: Mapping[str, Metric] = load_metrics()


def measure(connection: DuckDBPyConnection, name: str | Metric, **filters: object) -> pd.DataFrame:
    """Compute a metric over the part of the store that matches the filters.

    `name` is a name in METRICS, or a custom Metric (`Metric.read("my.sql")`). Filters are those of
    `analysis.FILTERS`; each accepts one value or a list of values, None means all. If the result is empty because
    the store has no such value, a warning in the log of `analysis` lists the values it has.
    Raises UnknownMetric, InvalidMetric, UnknownFilter and InvalidFilter.
    """
    checked = Filters.of(**filters)
    if not isinstance(name, Metric):
        metric = find_metric(name)
        result = run_query(connection, metric.sql, metric.applicable(checked))
    else:
        try:
            result = run_query(connection, name.sql, name.applicable(checked))
        except duckdb.Error as error:
            raise InvalidMetric(name.name, str(error).splitlines()[0]) from error
    if result.empty:
        warn_unknown_values(connection, checked)
    return result


def find_metric(name: str | Metric) -> Metric:
    """Return the metric of this name, or the custom metric itself. Raises UnknownMetric."""
    if isinstance(name, Metric):
        return name
    if name not in METRICS:
        raise UnknownMetric(name)
    return METRICS[name]
