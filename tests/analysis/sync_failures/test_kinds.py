"""The files of the kinds and of the data to get next."""

import pytest

from analysis import CAUSES
from analysis.sync_failures.kinds import FailureKind, load_failure_kinds
from analysis.sync_failures.next_data import load_data, rank_next_data
from analysis.sync_failures.observations import observe
from tests.support.tracked_fleet import add_syncs, regular_syncs

HEADER = """-- title: Uploads fail
-- noun: failed uploads
-- compare: rates
-- among: finished
-- usual: 0.04
-- dispersion: 1
-- users: 1
-- failures: yes
-- changes: setting
-- causes: network
--   rate-limit
-- open: Why.
-- A failed upload.
"""


def test_reads_a_kind():
    kind = FailureKind.parse("slow_uploads", f"{HEADER}SELECT 1")
    assert (kind.name, kind.usual, kind.min_users, kind.is_failure, kind.lasts) == (
        "slow-uploads",
        0.04,
        1,
        True,
        False,
    )
    assert kind.causes == ("network", "rate-limit")
    assert kind.description == "A failed upload."


@pytest.mark.parametrize(
    "change",
    [
        ("-- title: Uploads fail\n", ""),
        ("-- among: finished", "-- among: all"),
        ("-- compare: rates", "-- compare: so"),
    ],
)
def test_rejects_a_header_that_is_incomplete_or_invalid(change):
    with pytest.raises(ValueError, match=r"x\.sql"):
        FailureKind.parse("x", f"{HEADER}SELECT 1".replace(*change))


def test_every_cause_of_a_kind_exists_and_is_decided_by_some_datum():
    decided = {cause for datum in load_data().values() for cause in datum.decides}
    assert decided <= set(CAUSES)
    for kind in load_failure_kinds().values():
        assert set(kind.causes) <= set(CAUSES) & decided, kind.name


def test_data_are_ranked_by_what_they_decide_and_left_out_if_loaded(store):
    causes = load_failure_kinds()["records-refused"].causes
    ranked = rank_next_data(store, "records-refused", causes, ["u1", "u2"])
    assert [datum.decides for datum in ranked] == sorted((datum.decides for datum in ranked), reverse=True)
    assert ranked[0].name == "errors-tab" and "u1, u2" in ranked[0].title and ranked[0].decides == 1.0
    assert "config-changes" in [datum.name for datum in ranked]
    store.execute(
        "INSERT INTO config_change (change_id, changed_at, kind, target, source, batch_id)"
        " VALUES ('c', '2026-05-04', 'setting', 's', 't', 'b')"
    )
    later = rank_next_data(store, "records-refused", causes, ["u1", "u2"])
    assert "config-changes" not in [datum.name for datum in later]


def test_a_datum_that_cannot_be_had_is_left_out(store):
    causes = load_failure_kinds()["syncs-stopped"].causes
    assert "sync-message" not in [
        datum.name for datum in rank_next_data(store, "syncs-stopped", causes, [], limit=99)
    ]


def test_every_kind_runs_on_a_store(store):
    add_syncs(store, regular_syncs(users=3, days=2))
    with observe(store) as observations:
        assert set(observations.hits) == set(load_failure_kinds())
