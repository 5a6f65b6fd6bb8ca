"""Durations with censored syncs: textbook figures, properties, and bias against a known truth."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.survival import kaplan_meier
from analysis.fleet.sync_durations import estimate_duration_curve, estimate_durations


def test_the_textbook_example():
    """Remission times of Freireich et al. 1963 (6-MP group): survival 0.857 at 6, 0.627 at 13, median 23."""
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    seen = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = kaplan_meier(np.array(weeks, dtype=float), np.array(seen, dtype=bool))
    survive = dict(zip(curve.seconds, np.round(1 - curve.done, 3), strict=True))
    assert survive == {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert curve.quantile(0.5)[0] == 23


times = st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), max_size=60)


@given(times)
def test_a_curve_rises_inside_its_bounds(rows):
    seconds = np.array([row[0] for row in rows], dtype=float)
    finished = np.array([row[1] for row in rows], dtype=bool)
    curve = kaplan_meier(seconds, finished)
    assert np.all(np.diff(curve.done) >= -1e-12)
    assert np.all((curve.low <= curve.done + 1e-9) & (curve.done <= curve.high + 1e-9))
    assert np.all((curve.done >= 0) & (curve.done <= 1 + 1e-12))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_without_censoring_it_is_the_plain_share(values):
    seconds = np.array(values)
    curve = kaplan_meier(seconds, np.ones(len(seconds), dtype=bool))
    assert np.allclose(curve.done, [(seconds <= at).mean() for at in curve.seconds])


def test_nothing_finished_means_never():
    assert kaplan_meier(np.array([5.0, 9.0]), np.array([False, False])).quantile(0.5) == (inf, inf, inf)


def test_the_median_is_inside_its_interval_where_the_naive_one_is_not():
    """200 worlds in which the slow syncs are given up: truth is known because we drew it."""
    rng = np.random.default_rng(5)
    truth = float(np.exp(4.0))
    inside = naive_error = ours_error = 0.0
    for _ in range(200):
        takes, patience = rng.lognormal(4.0, 0.8, 300), rng.exponential(120.0, 300)
        finished = takes <= patience
        median, low, high = kaplan_meier(np.minimum(takes, patience), finished).quantile(0.5)
        inside += low <= truth <= high
        ours_error += median - truth
        naive_error += float(np.median(takes[finished])) - truth
    assert inside / 200 >= 0.93
    assert abs(ours_error) < abs(naive_error) / 5


def test_durations_of_a_store_keep_the_unfinished_in(stormy_store):
    estimates = estimate_durations(stormy_store).set_index("sync_type")
    row = estimates.loc["non_blocking__v"]
    assert row.censored > 0
    assert row.finished + row.censored == row.syncs
    assert row.median_low <= row["median"] <= row.median_high
    assert row["median"] > row.naive_median


def test_durations_of_nothing_have_their_columns(store):
    assert estimate_durations(store).empty
    assert list(estimate_duration_curve(store).columns) == ["sync_type", "seconds", "done", "low", "high"]


def test_a_drawn_curve_is_short(stormy_store):
    estimates = estimate_duration_curve(stormy_store, max_points=50, sync_type="non_blocking__v")
    assert 10 < len(estimates) <= 50
    assert estimates.done.is_monotonic_increasing


@pytest.mark.parametrize("country", ["DE", "JP"])
def test_durations_narrow(stormy_store, country):
    assert (
        estimate_durations(stormy_store, country=country).syncs.sum()
        < estimate_durations(stormy_store).syncs.sum()
    )
