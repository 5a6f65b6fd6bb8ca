"""Compare a metric with the period before, sorted by the size of the change."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.metrics.registry import Metric, find_metric
from analysis.query.filters import Filters
from analysis.query.runner import run_query

# Text columns and these columns identify a row; every other number is compared.
_LABEL_COLUMNS = ("http_status",)


def measure_compared(connection: DuckDBPyConnection, name: str | Metric, **filters: object) -> pd.DataFrame:
    """Compute a metric for since..until and for the period of equal length before it, joined by row.

    Each number gets two more columns: `…_before` and `…_change` (now minus before). Rows of either period are
    kept, so new and missing rows are visible; the largest change of the first number comes first. Rows of a day
    or a timestamp have no equal row before and are matched by their position in the period, `step`.
    Raises AnalysisError without both since and until, and the errors of `measure`.
    """
    current = Filters.of(**filters)
    earlier = current.previous_period()
    metric = find_metric(name)
    now, before = (run_query(connection, metric.sql, metric.applicable(each)) for each in (current, earlier))
    keys, numbers = _columns(now)
    timestamps = [column for column in now.columns if column not in (*keys, *numbers)]
    if timestamps[:1] == list(now.columns[:1]):
        keys = ["step", *keys]
        now, before = _with_steps(now, timestamps[0], current), _with_steps(before, timestamps[0], earlier)
    return _join_periods(now, before, keys, numbers)


def _with_steps(frame: pd.DataFrame, column: str, period: Filters) -> pd.DataFrame:
    days = (pd.to_datetime(frame[column]) - pd.to_datetime(str(period.since))).dt.days
    return frame.assign(step=days)


def _columns(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    numbers = [
        str(name)
        for name in frame.columns
        if pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and name not in _LABEL_COLUMNS
    ]
    texts = [
        str(name)
        for name in frame.columns
        if name in _LABEL_COLUMNS or (name not in numbers and pd.api.types.is_string_dtype(frame[name]))
    ]
    return texts, numbers


def _join_periods(
    now: pd.DataFrame, before: pd.DataFrame, keys: list[str], numbers: list[str]
) -> pd.DataFrame:
    other = before[[*keys, *numbers]].rename(columns={name: f"{name}_before" for name in numbers})
    if keys:
        joined = now.merge(other, on=keys, how="outer")
    else:
        joined = now.reset_index(drop=True).join(other.reset_index(drop=True), how="outer")
    for name in numbers:
        joined[f"{name}_change"] = joined[name].astype(float) - joined[f"{name}_before"].astype(float)
    if not numbers or "step" in keys:
        return joined
    size = joined[f"{numbers[0]}_change"].abs()
    return joined.loc[
        size.sort_values(ascending=False, na_position="first", kind="stable").index
    ].reset_index(drop=True)
