"""Metrics: each is one .sql file of this folder, with its meaning in the comment at its top.

A file reads the store's tables and views and, where it needs to know what "now" is, the one-row relation
`moment` with the column `as_of`: `until` if given, else the newest moment that the store knows. To run such
a file by hand, begin with `CREATE TEMP VIEW moment AS SELECT max(started_at) AS as_of FROM sync`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.errors import AnalysisError
from analysis.filters import Filters, named_in

# Whether a higher value is good news, bad news or neither: colours and alerts ask.
DIRECTIONS = ("higher is better", "lower is better", "neither")


class UnknownMetric(AnalysisError):
    """A metric that has no file."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no metric {name!r}", next_step=f"Ask for one of: {', '.join(METRICS)}.")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure people argue about: its name is the file's, its meaning is `about`."""

    name: str
    title: str
    unit: str
    good: str
    about: str
    sql: str

    @classmethod
    def parse(cls, name: str, text: str) -> Metric:
        """Read the comment block at the top: title, unit and good as `key: value`, then sentences."""
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
        for script in files("analysis").joinpath("metrics").iterdir()
        if script.name.endswith(".sql")
    }
    return {name: Metric.parse(name, found[name]) for name in sorted(found)}


METRICS: Mapping[str, Metric] = load_metrics()


def measure(connection: DuckDBPyConnection, name: str, **filters: object) -> pd.DataFrame:
    """Compute a metric over the part of the store that the filters let through.

    Filters are those of `analysis.filters.FILTERS`; each takes one value or a list of them, None means all.
    Raises UnknownMetric, UnknownFilter and UnusableFilter.
    """
    return ask(connection, metric(name).sql, Filters.of(**filters))


def metric(name: str) -> Metric:
    """Find the metric of that name. Raises UnknownMetric."""
    if name not in METRICS:
        raise UnknownMetric(name)
    return METRICS[name]


def ask(
    connection: DuckDBPyConnection, sql: str, filters: Filters, parameters: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Run a query over narrowed tables; the one road by which analysis reads the store."""
    text, bound = narrow(sql, filters, moment_of(connection, filters) if _reads_moment(sql) else None)
    return connection.execute(text, bound | dict(parameters or {})).df()


def narrow(sql: str, filters: Filters, as_of: datetime | None = None) -> tuple[str, dict[str, Any]]:
    """Write the query with narrowed relations put in front of it, and the values to bind.

    `as_of` is needed by queries that read `moment`.
    """
    body = _without_comments(sql)
    parts = [
        f"{relation} AS ({filters.narrowed(relation, body)})"
        for relation in named_in(sql)
        if filters or relation == "sync"
    ]
    bound: dict[str, Any] = {}
    if _reads_moment(sql):
        parts.append("moment AS (SELECT $as_of::TIMESTAMP AS as_of)")
        bound["as_of"] = as_of
    used = "".join(parts)
    bound |= {name: value for name, value in filters.parameters().items() if f"${name}" in used}
    if not parts:
        return body, bound
    rest = body[len("WITH") :].lstrip() if re.match(r"WITH\b", body, re.IGNORECASE) else None
    return f"WITH {', '.join(parts)}{', ' + rest if rest else ' ' + body}", bound


def moment_of(connection: DuckDBPyConnection, filters: Filters) -> datetime | None:
    """Say what "now" is: `until`, else the newest moment of the whole store, None if it is empty."""
    if filters.until is not None:
        return filters.until
    newest = connection.execute(
        "SELECT max(m) FROM (SELECT max(sync_start_datetime__v) AS m FROM sync_tracking__v"
        " UNION ALL SELECT max(sync_completed_datetime__v) FROM sync_tracking__v"
        " UNION ALL SELECT max(occurred_at) FROM sync_error)"
    ).fetchall()
    found: datetime | None = newest[0][0]
    return found


def _reads_moment(sql: str) -> bool:
    return re.search(r"\b(?:FROM|JOIN|,)\s*moment\b", _without_comments(sql), re.IGNORECASE) is not None


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql).strip().rstrip(";")
