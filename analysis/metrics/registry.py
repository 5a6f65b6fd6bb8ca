"""Metrics: each is one .sql file of this folder, with its meaning in the comment at its top.

A file reads the store's tables and views and, where it needs to know what "now" is, the one-row relation
`reference` with the column `as_of`: `until` if given, else the newest moment that the store knows. To run such
a file by hand, begin with `CREATE TEMP VIEW reference AS SELECT max(started_at) AS as_of FROM sync`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.base.text import did_you_mean
from analysis.query.filter_hints import warn_unknown_values
from analysis.query.filters import Filters
from analysis.query.runner import run_query

# Whether a higher value is good news, bad news or neither: colours and alerts ask.
DIRECTIONS = ("higher is better", "lower is better", "neither")


class UnknownMetric(AnalysisError):
    """A metric that has no file."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no metric {name!r}",
            next_step=f"{did_you_mean(name, METRICS)}Ask for one of: {', '.join(METRICS)}.",
        )


class InvalidMetric(AnalysisError):
    """A metric of one's own that has no title or that the store cannot compute."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"the metric {name} cannot be used: {reason}",
            next_step="Compare it with those in analysis/metrics; it may read the tables and views of the store.",
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure people argue about: its name is the file's, its meaning is `about`."""

    name: str
    title: str
    unit: str
    good: str
    description: str
    sql: str

    @classmethod
    def read(cls, path: Path | str) -> Metric:
        """Read a .sql file of one's own. Raises UnusableMetric."""
        try:
            return cls.parse(Path(path).stem, Path(path).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise InvalidMetric(Path(path).name, str(error)) from error

    @classmethod
    def parse(cls, name: str, text: str) -> Metric:
        """Read the comment block at the top: title, unit and good as `key: value`, then sentences.

        Raises ValueError where one of the three is missing.
        """
        head = re.match(r"(?:--.*\n)+", text)
        notes = [line[2:].strip() for line in head[0].splitlines()] if head else []
        label = dict(note.split(": ", 1) for note in notes[:3] if ": " in note)
        if label.keys() != {"title", "unit", "good"} or label["good"] not in DIRECTIONS:
            raise ValueError(
                f"{name}.sql must begin with -- title:, -- unit: and -- good: ({', '.join(DIRECTIONS)})"
            )
        return cls(name, label["title"], label["unit"], label["good"], " ".join(notes[3:]), text)


def load_metrics() -> Mapping[str, Metric]:
    """Every metric of the folder by name, sorted."""
    found = {
        script.name.removesuffix(".sql"): script.read_text(encoding="utf-8")
        for script in files("analysis.metrics").iterdir()
        if script.name.endswith(".sql")
    }
    return {name: Metric.parse(name, found[name]) for name in sorted(found)}


METRICS: Mapping[str, Metric] = load_metrics()


def measure(connection: DuckDBPyConnection, name: str | Metric, **filters: object) -> pd.DataFrame:
    """Compute a metric over the part of the store that the filters let through.

    `name` is that of one of METRICS, or a Metric of one's own (`Metric.read("my.sql")`). Filters are those of
    `analysis.FILTERS`; each takes one value or a list of them, None means all. Where nothing passes because
    the store has no such value, the log of `analysis` names those that it has.
    Raises UnknownMetric, UnusableMetric, UnknownFilter and UnusableFilter.
    """
    chosen = Filters.of(**filters)
    if not isinstance(name, Metric):
        found = run_query(connection, find_metric(name).sql, chosen)
    else:
        try:
            found = run_query(connection, name.sql, chosen)
        except duckdb.Error as error:
            raise InvalidMetric(name.name, str(error).splitlines()[0]) from error
    if found.empty:
        warn_unknown_values(connection, chosen)
    return found


def find_metric(name: str | Metric) -> Metric:
    """Find the metric of that name; one of one's own is itself. Raises UnknownMetric."""
    if isinstance(name, Metric):
        return name
    if name not in METRICS:
        raise UnknownMetric(name)
    return METRICS[name]
