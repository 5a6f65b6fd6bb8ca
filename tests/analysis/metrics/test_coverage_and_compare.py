"""The share of tracked uploads, and a metric compared with the period before."""

import pytest

from analysis import AnalysisError
from analysis.base.intervals import failure_free_tries_needed, rate_ratio_interval, wilson_interval
from analysis.fleet.coverage import estimate_coverage
from analysis.metrics.compare import measure_compared
from analysis.metrics.registry import METRICS, measure

PERIOD = {"since": "2026-03-16", "until": "2026-03-23"}


def test_the_estimated_coverage_contains_the_simulated_one(stormy_store):
    """In the synthetic fleet, every edit that no tracked sync uploads leaves by autosync or waits."""
    coverage = estimate_coverage(stormy_store)
    ((uploaded, left),) = stormy_store.execute(
        "SELECT sum(uploads), sum(records_created)"
        " - (SELECT sum(p) FROM (SELECT arg_max(pending_uploads, started_at) AS p FROM detailed_sync"
        " GROUP BY device_id))"
        " FROM detailed_sync"
    ).fetchall()
    assert coverage.low < uploaded / left < coverage.high
    assert coverage.high - coverage.low < 0.05
    assert coverage.badge.startswith("based on about 59%")


def test_without_counts_the_coverage_is_unknown(own_stormy_store):
    own_stormy_store.execute("UPDATE sync_detail SET records_created = NULL").fetchall()
    coverage = estimate_coverage(own_stormy_store)
    assert (coverage.tracked_share, coverage.share_with_created_count) == (None, 0.0)
    assert "unknown" in coverage.badge


def test_an_empty_store_has_no_coverage(store):
    coverage = estimate_coverage(store)
    assert (coverage.syncs, coverage.tracked_share, coverage.share_with_device) == (0, None, None)
    assert "no tracked sync" in coverage.badge


def test_the_same_seed_returns_the_same_bounds(stormy_store):
    assert estimate_coverage(stormy_store, seed=4) == estimate_coverage(stormy_store, seed=4)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_compared(stormy_store, name):
    compared = measure_compared(stormy_store, name, **PERIOD)
    now = measure(stormy_store, name, **PERIOD)
    assert len(compared) >= len(now)
    assert set(now.columns) <= set(compared.columns)


def test_a_comparison_counts_both_periods(stormy_store):
    compared = measure_compared(stormy_store, "errors_by_cause", **PERIOD).set_index("cause")
    before = measure(stormy_store, "errors_by_cause", since="2026-03-09", until="2026-03-16").set_index(
        "cause"
    )
    row = compared.loc["network"]
    assert row.events_before == before.events["network"]
    assert row.events_change == row.events - row.events_before
    assert compared.events_change.abs().dropna().is_monotonic_decreasing


def test_days_are_matched_by_their_position_in_the_period(stormy_store):
    compared = measure_compared(stormy_store, "failures_by_day", **PERIOD)
    assert compared.step.to_list() == list(range(7))
    assert compared.syncs_before.notna().all()


def test_a_comparison_requires_a_period(stormy_store):
    with pytest.raises(AnalysisError) as caught:
        measure_compared(stormy_store, "success_rate", since="2026-03-16")
    assert "until" in caught.value.next_step


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(1, 10, 0.018, 0.404), (3, 8, 0.137, 0.694), (10, 100, 0.055, 0.174), (0, 300, 0.0, 0.013)],
)
def test_wilson_agrees_with_the_tables(hits, n, low, high):
    interval = wilson_interval(hits, n)
    assert (round(interval.low, 3), round(interval.high, 3)) == (low, high)


def test_ratios_and_the_rule_of_three():
    low, high = rate_ratio_interval(30, 100, 10, 100)
    assert 1 < low < 3 < high
    assert failure_free_tries_needed(0.01) == 300
