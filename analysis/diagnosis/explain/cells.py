"""Convert frames to cells: each combination of attribute values with its failures and syncs, now and before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MISSING = -1
_MAX_CATEGORIES = 30  # whole numbers with more distinct values are measurements, not categories
_BINS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The input of the search.

    `codes[c, a]` is the value of attribute `a` in cell `c` as a position in `values[a]`, or -1 if it is missing.
    `cell[r]`, `is_now[r]`, `period[r]`, `failures[r]` and `total[r]` describe the rows that the cells sum up.
    Period 0 is now, the earlier periods follow from 1.
    """

    attributes: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Integers
    cell: Integers
    is_now: NDArray[np.bool_]
    period: Integers
    failures: Floats
    total: Floats

    @property
    def earlier_periods(self) -> int:
        """Return the number of earlier periods."""
        return int(self.period.max(initial=0))

    def __len__(self) -> int:
        return len(self.codes)

    def sums(self, per_row: Floats, rows: NDArray[np.bool_]) -> Floats:
        """Sum a quantity of the selected rows, per cell."""
        return np.bincount(self.cell[rows], per_row[rows], minlength=len(self)).astype(np.float64)

    def sums_by_period(self, per_row: Floats) -> Floats:
        """Sum a quantity of the rows, per cell (rows) and period (columns)."""
        periods = self.earlier_periods + 1
        sums = np.bincount(self.cell * periods + self.period, per_row, minlength=len(self) * periods)
        return sums.reshape(len(self), periods).astype(np.float64)

    def row_sums(self) -> sparse.csr_matrix:
        """Return the matrix (cells x rows) that sums rows to cells."""
        rows = len(self.cell)
        return sparse.csr_matrix(
            (np.ones(rows), (self.cell, np.arange(rows))), shape=(len(self), rows), dtype=np.float64
        )


def to_cells(
    now: pd.DataFrame,
    before: pd.DataFrame,
    by: Sequence[str],
    *,
    failures: str,
    total: str,
    period: str = "period",
) -> Cells | None:
    """Combine both frames; None if no attribute has values or no row is from now.

    The column `period` of `before` separates the earlier periods. Without it, a period is assumed to begin where
    a combination of attributes repeats.

    Raises ValueError if a column is missing or the counts are invalid.
    """
    both = pd.concat(
        [_select_columns(now, by, failures, total), _select_columns(before, by, failures, total)]
    )
    is_now = np.arange(len(both)) < len(now)
    nonempty = (both[total] > 0).to_numpy()
    both, is_now = both[nonempty], is_now[nonempty]
    encoded = [(name, *_encode(both[name])) for name in by]
    encoded = [(name, codes, values) for name, codes, values in encoded if values]
    if not encoded or not is_now.any():
        return None
    codes, cell = np.unique(np.stack([codes for _, codes, _ in encoded], axis=1), axis=0, return_inverse=True)
    labels = before[period].to_numpy() if period in before.columns and period not in by else None
    earlier = _number_periods(cell.ravel()[~is_now], None if labels is None else labels[nonempty[len(now) :]])
    periods = np.zeros(len(cell), dtype=np.int64)
    periods[~is_now] = earlier
    counts = both[failures].to_numpy(np.float64), both[total].to_numpy(np.float64)
    order = _canonical_order(cell.ravel(), is_now, *counts)
    return Cells(
        attributes=tuple(name for name, _, _ in encoded),
        values=tuple(values for _, _, values in encoded),
        codes=codes,
        cell=cell.ravel()[order],
        is_now=is_now[order],
        period=periods[order],
        failures=counts[0][order],
        total=counts[1][order],
    )


def _number_periods(cell: Integers, labels: NDArray[np.object_] | None) -> Integers:
    """Count the periods of the earlier rows from 1, by their labels or by where combinations repeat.

    Rows ordered by period repeat a combination only when a period begins. Rows in another order repeat more
    often; then the n-th row of each combination belongs to the n-th period.
    """
    if labels is not None:
        codes, _ = pd.factorize(labels, use_na_sentinel=False)
        return codes.astype(np.int64) + 1
    rank = pd.Series(cell).groupby(cell).cumcount().to_numpy(np.int64) + 1
    periods = np.empty(len(cell), dtype=np.int64)
    current, seen = 1, set[int]()
    for row, code in enumerate(cell.tolist()):
        if code in seen:
            current, seen = current + 1, set()
        seen.add(code)
        periods[row] = current
    return periods if current == rank.max(initial=1) else rank.astype(np.int64)


def _canonical_order(cell: Integers, is_now: NDArray[np.bool_], failures: Floats, total: Floats) -> Integers:
    """Order the rows by content, so that the shuffles of the test do not depend on their order.

    The earlier rows of one cell keep their order, which represents their periods.
    """
    now_total, now_failures = np.where(is_now, total, 0.0), np.where(is_now, failures, 0.0)
    return np.lexsort((now_failures, now_total, cell, ~is_now)).astype(np.int64)


def _select_columns(frame: pd.DataFrame, by: Sequence[str], failures: str, total: str) -> pd.DataFrame:
    columns = [*by, failures, total]
    if frame.empty:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in columns})
    if missing := [name for name in columns if name not in frame.columns]:
        raise ValueError(
            f"No column {', '.join(missing)}; the frame has {', '.join(map(str, frame.columns))}."
        )
    checked = frame[columns].copy()
    checked[[failures, total]] = checked[[failures, total]].fillna(0).astype(np.float64)
    if ((checked[failures] < 0) | (checked[failures] > checked[total])).any():
        raise ValueError(f"Each row needs 0 <= {failures} <= {total}; count failures among the total.")
    return checked


def _encode(column: pd.Series) -> tuple[Integers, tuple[str, ...]]:
    """Return codes and value names of a column; measurements are binned, missing values have code -1."""
    numbers = pd.to_numeric(column, errors="coerce") if not _is_text(column) else None
    if numbers is None:
        labels = column.where(column.isna(), column.astype(str))
    elif _is_categorical(numbers):
        labels = numbers.map(lambda number: str(int(number)), na_action="ignore")
    else:
        labels = _bin_numbers(numbers)
    codes, values = pd.factorize(labels, sort=True)
    return codes.astype(np.int64), tuple(map(str, values))


def _is_text(column: pd.Series) -> bool:
    values = column.dropna()
    if any(isinstance(value, str | bool | np.bool_) for value in values.head(50)):
        return True
    return values.empty or bool(pd.to_numeric(values, errors="coerce").isna().any())


def _is_categorical(numbers: pd.Series) -> bool:
    values = numbers.dropna()
    return bool((values % 1 == 0).all() and values.nunique() <= _MAX_CATEGORIES)


def _bin_numbers(numbers: pd.Series) -> pd.Series:
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _BINS + 1)))
    if len(edges) < 3:
        edges = np.array([edges[0], edges[-1], edges[-1]])
    labels = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    position = np.clip(np.searchsorted(edges[1:-1], numbers, side="left"), 0, len(labels) - 1)
    return pd.Series([labels[bin_index] for bin_index in position], index=numbers.index).where(
        numbers.notna()
    )
