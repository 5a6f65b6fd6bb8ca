"""A question pays for the joins it needs and for no other; its answer is the same as over all of them."""

import pandas as pd
import pytest

from analysis import METRICS, health, measure
from analysis.query import filters
from analysis.query.runner import filtered_query
from analysis.query.sync_views import DETAIL_COLUMNS, FLEET_COLUMNS, narrowest_sync_view


def _columns(store, view):
    return {row[0] for row in store.execute(f"DESCRIBE {view}").fetchall()}


def test_each_view_of_a_sync_is_the_one_before_and_more(store):
    tracked, detailed, whole = (_columns(store, view) for view in ("tracked_sync", "detailed_sync", "sync"))
    assert detailed - tracked == set(DETAIL_COLUMNS) and tracked - detailed == {"created_by"}
    assert whole - detailed == set(FLEET_COLUMNS) and detailed <= whole


@pytest.mark.parametrize(
    ("sql", "view"),
    [
        ("SELECT outcome, count(*) FROM sync GROUP BY 1", "tracked_sync"),
        ("SELECT count(DISTINCT Device_Id) FROM sync", "detailed_sync"),
        ("SELECT count(*) FROM sync WHERE list_contains($filter_country, country)", "sync"),
        ("SELECT count(*) FROM sync WHERE outcome = $filter_country", "tracked_sync"),
        ("SELECT * FROM sync", "sync"),
        ("SELECT s.* FROM sync AS s", "sync"),
        ("SELECT outcome, * FROM sync", "sync"),
        ("SELECT COLUMNS('x') FROM sync", "sync"),
        ("SELECT retries * 2 FROM sync", "tracked_sync"),
        ("WITH few AS (SELECT outcome FROM sync) SELECT *, 1 AS n FROM few ORDER BY 1", "tracked_sync"),
        ("WITH few AS (SELECT outcome FROM sync) SELECT * FROM few JOIN sync USING (outcome)", "sync"),
        ("WITH few AS (SELECT outcome FROM sync) SELECT *, (SELECT 1 FROM few) FROM sync", "sync"),
        ("WITH few AS (SELECT * FROM sync) SELECT * FROM few", "sync"),
    ],
)
def test_the_leanest_view_is_chosen_that_has_every_column_asked_for(sql, view):
    assert narrowest_sync_view(sql) == view


NARROWED = (
    {},
    {"country": ["DE", "FR"]},
    {"since": "2026-03-05", "app_version": "26.1.1"},
    {"cause": "network"},
)


@pytest.mark.parametrize("narrowed", NARROWED, ids=str)
def test_a_lean_answer_is_the_whole_one(stormy_store, monkeypatch, narrowed):
    def answers():
        return {name: measure(stormy_store, name, **narrowed) for name in METRICS}

    lean, lean_health = answers(), health(stormy_store, **narrowed)
    queries = []
    monkeypatch.setattr(filters, "narrowest_sync_view", lambda *sql: queries.append(sql) or "sync")
    for name, whole in answers().items():
        pd.testing.assert_frame_equal(lean[name], whole)
    assert health(stormy_store, **narrowed) == lean_health
    assert queries


def test_no_filter_and_no_detail_means_no_join(stormy_store):
    text, bound = filtered_query(METRICS["success_rate"].sql, filters.Filters.of())
    plan = stormy_store.execute(f"EXPLAIN {text}", bound).fetchall()[0][1]
    assert "sync_tracking__v" in plan and "Join" not in plan
