"""Change points of counts and shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.diagnosis.change_points import change_points
from analysis.diagnosis.seasonality import detect_season
from tests.support.examples import examples

DAYS = pd.date_range("2026-03-02", periods=40, freq="D")


def test_a_step_in_counts_is_dated_with_its_levels():
    counts = pd.Series(np.random.default_rng(1).poisson([3] * 25 + [15] * 15), index=DAYS)
    [point] = change_points(counts)
    assert point.at == DAYS[25]
    assert point.position == 25
    assert point.interval[0] <= DAYS[25] <= point.interval[1]
    assert point.before == pytest.approx(3, abs=1)
    assert point.after == pytest.approx(15, abs=2)
    assert point.p_value < 1e-6


def test_a_share_is_compared_by_its_totals():
    """Twice the failures out of twice the syncs is no change, although the counts increase."""
    total = np.array([100] * 20 + [400] * 20)
    failures = np.random.default_rng(2).binomial(total, 0.05)
    frame = pd.DataFrame({"failures": failures, "total": total}, index=DAYS)
    assert change_points(frame) == []
    assert len(change_points(frame["failures"])) == 1


def test_a_regression_and_its_fix_are_two_points():
    failures = np.random.default_rng(3).poisson([2] * 15 + [12] * 10 + [2] * 15)
    assert [point.position for point in change_points(pd.Series(failures))] == [15, 25]


def test_weak_evidence_widens_the_interval():
    rng = np.random.default_rng(4)
    strong = change_points(pd.Series(rng.poisson([5] * 20 + [50] * 20)))[0]
    weak = change_points(pd.Series(rng.poisson([5] * 20 + [12] * 20)))[0]
    assert weak.interval[1] - weak.interval[0] > strong.interval[1] - strong.interval[0]


def test_a_single_unusual_day_is_no_new_level():
    counts = np.random.default_rng(5).poisson(4, 40)
    counts[20] = 25
    assert len(change_points(pd.Series(counts))) <= 1


def test_weekends_are_no_change_with_a_given_season():
    rng = np.random.default_rng(6)
    usual = np.tile([40, 42, 41, 40, 39, 4, 3], 8)
    counts = pd.Series(rng.poisson(usual * np.where(np.arange(56) < 35, 1, 2)))
    assert [point.position for point in change_points(counts, season=7)] == [35]
    assert change_points(pd.Series(rng.poisson(usual)), season=7) == []


def test_weekends_are_no_change_with_a_detected_season():
    rng = np.random.default_rng(6)
    usual = np.tile([40, 42, 41, 40, 39, 4, 3], 8)
    assert detect_season(rng.poisson(usual).astype(float)) == 7
    assert change_points(pd.Series(rng.poisson(usual))) == []
    days = pd.date_range("2026-03-02", periods=58, freq="D")
    doubled = rng.poisson(np.append([4, 3], usual) * np.where(np.arange(58) < 40, 1, 2))
    [point] = change_points(pd.Series(doubled, index=days))
    assert abs(point.position - 40) < 7
    assert point.at == days[point.position]
    assert point.interval[0] <= days[40] <= point.interval[1]
    assert point.after / point.before == pytest.approx(2, rel=0.2)


def test_a_share_can_have_a_season():
    rng = np.random.default_rng(9)
    share = np.tile([0.3, 0.2, 0.1, 0.1, 0.1, 0.02, 0.02], 8)
    total = np.full(56, 300)
    frame = pd.DataFrame({"failures": rng.binomial(total, share), "total": total})
    assert change_points(frame) == []


def test_a_single_change_is_no_season():
    rng = np.random.default_rng(10)
    for length in (20, 60, 200):
        for levels in ([3, 12], [3, 12, 3], [2, 5, 9, 14], [20, 2]):
            steps = np.repeat(levels, -(-length // len(levels)))[:length]
            assert detect_season(rng.poisson(steps).astype(float)) == 0
    assert sum(detect_season(rng.poisson(5, 40).astype(float)) > 0 for _ in range(300)) <= 6


def test_constant_series_rarely_have_change_points():
    rng = np.random.default_rng(7)
    drawn = [rng.poisson(2, 60) for _ in range(100)] + [rng.negative_binomial(5, 0.5, 60) for _ in range(100)]
    assert sum(bool(change_points(pd.Series(counts))) for counts in drawn) <= 6


@pytest.mark.parametrize("counts", [[], [1], [0] * 30, [np.nan] * 10, [5] * 30])
def test_short_or_empty_series_have_no_change_points(counts):
    assert change_points(pd.Series(counts, dtype=float)) == []
    assert change_points(pd.Series(counts, dtype=float), season=7) == []


def test_missing_steps_have_no_effect():
    counts = np.random.default_rng(8).poisson([3] * 20 + [20] * 20).astype(float)
    counts[[3, 10, 30]] = np.nan
    assert [point.position for point in change_points(pd.Series(counts))] == [20]


@pytest.mark.parametrize("frame", [{"failures": [5], "total": [3]}, {"failures": [-1], "total": [3]}])
def test_invalid_counts_raise_an_error(frame):
    with pytest.raises(ValueError, match="check how the failures were counted"):
        change_points(pd.DataFrame(frame))


@given(st.lists(st.integers(0, 60), min_size=0, max_size=50), st.integers(0, 8))
@settings(max_examples=examples(60), deadline=None)
def test_points_are_in_order_and_inside_their_intervals(counts, season):
    points = change_points(pd.Series(counts, dtype="int64"), season=season)
    positions = [point.position for point in points]
    assert positions == sorted(set(positions))
    for point in points:
        assert 2 <= point.position <= len(counts) - 2
        assert point.interval[0] <= point.at <= point.interval[1]
        assert 0 <= point.p_value <= 0.01


@given(st.lists(st.integers(0, 30), min_size=6, max_size=40))
@settings(max_examples=examples(30), deadline=None)
def test_reading_backwards_finds_the_same_cuts(counts):
    # Periods are counted from the newest step, which is another one when read backwards.
    assume(not detect_season(np.array(counts, dtype=float)))
    forwards = {point.position for point in change_points(pd.Series(counts))}
    backwards = {len(counts) - point.position for point in change_points(pd.Series(counts[::-1]))}
    assert len(forwards) == len(backwards)
