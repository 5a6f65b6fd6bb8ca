"""The synthetic fleet: requested size, repeatable by seed, consistent, and marked as synthetic."""

import pytest

from tests.conftest import fresh_store
from tests.support.synthetic import TABLES, fill

SIZES = {"syncs": 2_000, "errors": 300, "devices": 40, "days": 14}


def rows(store, table):
    return store.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_the_same_seed_produces_the_same_rows_in_every_table():
    with fresh_store() as first, fresh_store() as second:
        fill(first, **SIZES, seed=5)
        fill(second, **SIZES, seed=5)
        assert all(rows(first, table) == rows(second, table) for table in TABLES)


def test_another_seed_produces_another_fleet():
    with fresh_store() as first, fresh_store() as second:
        fill(first, **SIZES, seed=5)
        fill(second, **SIZES, seed=6)
        assert rows(first, "sync_error") != rows(second, "sync_error")


def test_it_has_the_requested_size(store):
    filled = fill(store, **SIZES, seed=1)
    assert filled.rows["sync_error"] == 300
    assert filled.rows["device"] == 40
    assert 0.9 * 2_000 <= filled.rows["sync_tracking__v"] <= 2_000


def test_every_row_is_marked_as_synthetic(stormy_store):
    for table in set(TABLES) - {"finding"}:
        assert stormy_store.execute(f"SELECT DISTINCT source FROM {table}").fetchall() == [("synthetic",)]


def test_errors_belong_to_syncs_that_exist_and_hurt(stormy_store):
    orphans, unharmed = stormy_store.execute(
        "SELECT count(*) FILTER (WHERE s.sync_id IS NULL), count(*) FILTER (WHERE s.outcome = 'succeeded')"
        " FROM sync_error AS e LEFT JOIN sync AS s ON s.sync_id = e.sync_id WHERE e.sync_id IS NOT NULL"
    ).fetchall()[0]
    assert (orphans, unharmed) == (0, 0)


def test_each_event_has_one_finding_and_one_truth_that_agree(stormy_store):
    (agreed,) = stormy_store.execute(
        "SELECT count(*) FROM sync_error JOIN finding AS f USING (event_id)"
        " JOIN engine_truth.event_cause AS t USING (event_id) WHERE f.cause = t.cause"
    ).fetchall()[0]
    assert agreed == 1_500


def test_a_change_precedes_the_errors_that_it_causes(stormy_store):
    late = stormy_store.execute(
        "SELECT c.change_id FROM config_change AS c JOIN engine_truth.event_cause AS t USING (change_id)"
        " JOIN sync_error AS e USING (event_id) GROUP BY c.change_id, c.changed_at"
        " HAVING min(e.occurred_at) < c.changed_at"
    ).fetchall()
    assert late == []


@pytest.mark.parametrize("wrong", [{"syncs": 0}, {"devices": 0}, {"days": 0}, {"errors": -1}])
def test_sizes_that_make_no_sense_are_refused(store, wrong):
    with pytest.raises(ValueError, match="at least"):
        fill(store, **(SIZES | wrong))
