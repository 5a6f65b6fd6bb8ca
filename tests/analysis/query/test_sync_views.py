"""A query reads the narrowest view of syncs that has its columns, and the answer stays the same."""

import pandas as pd
import pytest

from analysis import METRICS, health, measure
from analysis.query import filters
from analysis.query.runner import filtered_query
from analysis.query.sync_views import DETAIL_COLUMNS, FLEET_COLUMNS, narrowest_sync_view


def _columns(store, view):
    return {row[0] for row in store.execute(f"DESCRIBE {view}").fetchall()}


def test_each_view_of_syncs_extends_the_one_before(store):
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
def test_the_narrowest_view_with_every_column_is_chosen(sql, view):
    assert narrowest_sync_view(sql) == view


FILTERED = (
    {},
    {"country": ["DE", "FR"]},
    {"since": "2026-03-05", "app_version": "26.1.1"},
    {"cause": "network"},
)


@pytest.mark.parametrize("chosen_filters", FILTERED, ids=str)
def test_the_narrowest_view_does_not_change_an_answer(stormy_store, monkeypatch, chosen_filters):
    def answers():
        return {name: measure(stormy_store, name, **chosen_filters) for name in METRICS}

    narrow, narrow_health = answers(), health(stormy_store, **chosen_filters)
    queries = []
    monkeypatch.setattr(filters, "narrowest_sync_view", lambda *sql: queries.append(sql) or "sync")
    for name, whole in answers().items():
        pd.testing.assert_frame_equal(narrow[name], whole)
    assert health(stormy_store, **chosen_filters) == narrow_health
    assert queries


def test_a_query_without_filters_and_details_has_no_join(stormy_store):
    text, bound = filtered_query(METRICS["success_rate"].sql, filters.Filters.of())
    plan = stormy_store.execute(f"EXPLAIN {text}", bound).fetchall()[0][1]
    assert "sync_tracking__v" in plan and "Join" not in plan
