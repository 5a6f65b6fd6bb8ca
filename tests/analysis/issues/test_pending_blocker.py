"""The error that blocks a pending record is the same in the issue list, the metrics, the fixes and the pages."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from analysis import (
    get_device,
    get_issue,
    list_devices,
    list_issues,
    list_records_at_risk,
    measure,
    ranked_fixes,
    recovery_actions,
    suggest_fix,
)
from analysis.query.filters import Filters
from analysis.query.runner import run_query
from tests.conftest import fresh_store
from tests.support.synthetic import fill

AT = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - as in the store


class OutboxStore:
    """Adds pending records and errors to a store."""

    def __init__(self, store):
        self.store = store

    def pending(self, device, record, *, parent=None, in_error=True, user=None, at=AT):
        self.store.execute(
            "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, parent_record_id,"
            " edited_at, operation, in_error, source, batch_id)"
            " VALUES (?, ?, 'account__v', ?, ?, ?, ?, 'update', ?, 't', 't')",
            [device, at, record, user, parent, at, in_error],
        ).fetchall()

    def error(self, device, record, cause, *, hours=0, user=None):
        event = f"{device}-{record}-{cause}-{hours}"
        self.store.execute(
            "INSERT INTO sync_error (event_id, occurred_at, device_id, user_id, record_id, source, batch_id)"
            " VALUES (?, ?, ?, ?, ?, 't', 't')",
            [event, AT + timedelta(hours=hours), device, user, record],
        ).fetchall()
        self.store.execute(
            "INSERT INTO finding VALUES (?, ?, ?, 1, '', [], [], '', '', '', '')",
            [event, f"issue-{cause}", cause],
        ).fetchall()

    def blockers(self, **filters):
        sql = "SELECT device_id, record_id, cause FROM pending_blocker ORDER BY ALL"
        rows = run_query(self.store, sql, Filters.of(**filters)).itertuples(index=False)
        return [(device, record, cause if isinstance(cause, str) else None) for device, record, cause in rows]


@pytest.fixture
def outbox(store):
    return OutboxStore(store)


def at_risk_by_cause(store, **filters):
    return measure(store, "records_at_risk", **filters).set_index("cause")["records"].to_dict()


def pending_by_issue(store):
    return list_issues(store).set_index("issue_id")["pending"].to_dict()


def test_each_copy_of_a_record_is_blocked_by_the_newest_error_of_its_own_device(outbox):
    for device in ("a", "b"):
        outbox.pending(device, "r")
    outbox.error("a", "r", "network")
    outbox.error("b", "r", "field-permission", hours=1)
    assert pending_by_issue(outbox.store) == {"issue-network": 1, "issue-field-permission": 1}
    assert at_risk_by_cause(outbox.store) == {"network": 1, "field-permission": 1}
    assert outbox.blockers() == [("a", "r", "network"), ("b", "r", "field-permission")]


def test_a_filter_selects_records_and_does_not_change_their_cause(outbox):
    outbox.pending("a", "r", user="u")
    outbox.error("a", "r", "network", user="u")
    outbox.error("a", "r", "field-permission", hours=1, user="u")
    assert at_risk_by_cause(outbox.store) == {"field-permission": 1}
    assert at_risk_by_cause(outbox.store, cause="field-permission") == {"field-permission": 1}
    assert at_risk_by_cause(outbox.store, cause="network") == {}


def test_an_error_without_a_device_blocks_the_records_of_its_user(outbox):
    outbox.pending("a", "r", user="u")
    outbox.pending("b", "r", user="other")
    outbox.error(None, "r", "network", user="u")
    assert outbox.blockers() == [("a", "r", "network"), ("b", "r", None)]


def test_a_device_whose_clock_is_ahead_keeps_the_cause_of_its_records(outbox):
    outbox.error("b", "other", "network")
    outbox.pending("a", "r", at=AT + timedelta(days=400))
    outbox.error("a", "r", "device-clock", hours=24 * 400)
    assert outbox.blockers() == [("a", "r", "device-clock")]


def test_an_error_after_the_end_of_the_period_blocks_nothing(outbox):
    outbox.pending("a", "r")
    outbox.error("a", "r", "network", hours=1)
    outbox.error("a", "r", "field-permission", hours=30)
    assert outbox.blockers(until=AT + timedelta(hours=3)) == [("a", "r", "network")]


def test_a_record_listed_twice_on_one_device_counts_once(outbox):
    outbox.pending("a", "r")
    outbox.pending("a", "r", in_error=False)
    outbox.error("a", "r", "network")
    assert at_risk_by_cause(outbox.store) == {"network": 1}
    assert pending_by_issue(outbox.store) == {"issue-network": 1}
    assert measure(outbox.store, "pending_backlog")["records"].to_list() == [1]
    assert list_devices(outbox.store)["pending"].to_list() == [1]


def test_a_pending_record_without_an_error_is_blocked_by_the_record_above_it_only(outbox):
    outbox.pending("a", "call")
    outbox.pending("a", "sample", parent="call", in_error=False)
    outbox.pending("a", "other", in_error=False)
    outbox.pending("a", "child", parent="other")
    outbox.error("a", "call", "network")
    outbox.error("a", "child", "record-locked")
    assert outbox.blockers() == [
        ("a", "call", "network"), ("a", "child", "record-locked"), ("a", "other", None),
        ("a", "sample", "network"),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", [3, 11, 12])
def test_every_view_counts_the_same_records_for_each_cause_and_issue(seed):
    with fresh_store() as store:
        fill(store, syncs=2_000, errors=900, devices=40, days=14, seed=seed)
        share_some_records(store)
        records = list_records_at_risk(store)
        issues = list_issues(store)
        by_cause = dict(Counter(records["cause"].fillna("unknown")))
        assert len(by_cause) > 2
        assert at_risk_by_cause(store) == by_cause
        assert ranked_fixes(store).set_index("cause")["records"].loc[list(by_cause)].to_dict() == by_cause
        assert issues.groupby("cause")["pending"].sum().loc[list(by_cause)].to_dict() == by_cause
        assert measure(store, "pending_backlog")["blocked"].sum() == len(records)
        assert measure(store, "pending_backlog")["in_error"].sum() == records["in_error"].sum()
        assert list_devices(store)["pending_blocked"].sum() == len(records)
        for issue_id, pending in issues.set_index("issue_id")["pending"].items():
            assert get_issue(store, issue_id).summary.pending == pending
            assert len(suggest_fix(store, issue_id).pending_records) == pending
            assert len(list_records_at_risk(store, issue_id=issue_id)) == pending
        device = records["device_id"].iloc[0]
        pending = get_device(store, device).pending
        assert (pending["in_error"] | pending["stopped"]).sum() == (records["device_id"] == device).sum()


def share_some_records(store):
    """Put every fifth record on another device too, where an older error of another issue blocks it."""
    store.execute("""
        CREATE TEMP TABLE shared AS
        SELECT p.*, (SELECT min(device_id) FROM pending_record WHERE device_id <> p.device_id) AS other
        FROM pending_record AS p WHERE p.in_error QUALIFY row_number() OVER (ORDER BY record_id, device_id) % 5 = 0
    """).fetchall()
    store.execute("""
        INSERT INTO pending_record BY NAME
        SELECT DISTINCT ON (s.other, s.object, s.record_id) s.* EXCLUDE (other)
            REPLACE (s.other AS device_id, n.as_of AS as_of)
        FROM shared AS s
        JOIN (SELECT device_id, max(as_of) AS as_of FROM pending_record GROUP BY 1) AS n ON n.device_id = s.other
        WHERE NOT EXISTS (
            SELECT 1 FROM pending_record AS p
            WHERE p.device_id = s.other AND p.object = s.object AND p.record_id = s.record_id
        )
    """).fetchall()
    store.execute("""
        INSERT INTO sync_error BY NAME
        SELECT DISTINCT ON (s.other, s.record_id) e.* REPLACE (
            'shared-' || s.other || s.record_id AS event_id, s.other AS device_id, s.record_id AS record_id,
            s.user_id AS user_id, TIMESTAMP '2026-03-02 01:00:00' AS occurred_at)
        FROM shared AS s, (SELECT * FROM sync_error ORDER BY event_id LIMIT 1) AS e
    """).fetchall()
    store.execute("""
        INSERT INTO finding BY NAME
        SELECT f.* REPLACE (e.event_id AS event_id)
        FROM sync_error AS e, (SELECT * FROM finding ORDER BY cause, event_id LIMIT 1) AS f
        WHERE e.event_id LIKE 'shared-%'
    """).fetchall()


def test_undo_of_an_issue_is_offered_for_the_records_it_blocks(outbox):
    outbox.pending("a", "r")
    outbox.pending("b", "r")
    outbox.error("a", "r", "field-permission")
    outbox.error("b", "r", "field-permission")
    outbox.error("b", "r", "network", hours=1)
    (undo,) = [
        action for action in recovery_actions(outbox.store, issue_id="issue-field-permission")
        if action.name == "undo"
    ]  # fmt: skip
    assert undo.lost_records["device_id"].to_list() == ["a"]
