"""Unsent work counts under the issue that stops the sync of its device, the same in every list."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from analysis import (
    TriageState,
    get_device,
    get_issue,
    health,
    list_devices,
    list_issues,
    list_records_at_risk,
    measure,
    ranked_fixes,
    recovery_actions,
    suggest_fix,
    update_issue_states,
)
from analysis.base.quiet_period import QUIET_PERIOD
from analysis.fleet.device_state import describe_state
from analysis.query.filters import Filters
from analysis.query.runner import run_query

AT = datetime(2026, 5, 4, 8)  # noqa: DTZ001 - as in the store
UPDATE, ACTION, RETRY = "after update", "no", "yes"


class Fleet:
    """Adds syncs, errors and pending records to a store; `day` counts from AT."""

    def __init__(self, store):
        self.store = store
        self.count = 0

    def sync(self, device, day, *, good=True, upload_errors=0, pending=None, user=None):
        self.count += 1
        at = AT + timedelta(days=day)
        self.store.execute(
            "INSERT INTO sync_tracking__v (id, created_by__v, sync_type__v, sync_start_datetime__v,"
            " sync_completed_datetime__v, successful_sync__v, sync_canceled__v, upload_processed__v,"
            " number_of_upload_errors__v, source, batch_id)"
            " VALUES (?, ?, 'incremental__v', ?, ?, ?, false, ?, ?, 't', 't')",
            [
                f"s{self.count}",
                user or f"user of {device}",
                at,
                at + timedelta(minutes=1),
                good,
                good,
                upload_errors,
            ],
        ).fetchall()
        self.store.execute(
            "INSERT INTO sync_detail (sync_id, device_id, user_id, pending_uploads, source, batch_id)"
            " VALUES (?, ?, ?, ?, 't', 't')",
            [f"s{self.count}", device, user or f"user of {device}", pending],
        ).fetchall()
        return f"s{self.count}"

    def error(self, device, day, cause, *, retry=ACTION, record=None, sync=None, user=None):
        self.count += 1
        event = f"e{self.count:03}"
        self.store.execute(
            "INSERT INTO sync_error (event_id, sync_id, occurred_at, device_id, user_id, record_id, phase, message,"
            " source, batch_id) VALUES (?, ?, ?, ?, ?, ?, 'connect', ?, 't', 't')",
            [
                event,
                sync,
                AT + timedelta(days=day, minutes=1),
                device,
                user or f"user of {device}",
                record,
                cause,
            ],
        ).fetchall()
        self.store.execute(
            "INSERT INTO finding VALUES (?, ?, ?, 1, 'r', [], [], ?, 'user', 't', 't')",
            [event, f"issue-{cause}", cause, retry],
        ).fetchall()

    def pending(self, device, *records, day, in_error=False):
        for record in records:
            at = AT + timedelta(days=day)
            self.store.execute(
                "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, edited_at, operation,"
                " in_error, source, batch_id) VALUES (?, ?, 'call2__v', ?, ?, ?, 'update', ?, 't', 't')",
                [device, at, record, f"user of {device}", at, in_error],
            ).fetchall()

    def stops(self, **filters):
        sql = "SELECT device, issue_id, shut_out, attempts FROM stopped_device ORDER BY device"
        return [
            tuple(row) for row in run_query(self.store, sql, Filters.of(**filters)).itertuples(index=False)
        ]

    def pending_by_issue(self, **filters):
        return list_issues(self.store, **filters).set_index("issue_id")["pending"].to_dict()


@pytest.fixture
def fleet(store):
    return Fleet(store)


def shut_out(fleet, device="pad", *, records=3):
    """Add a device that worked, and may not sync for two days. It leaves no tracking record of its attempts."""
    fleet.sync(device, 0)
    for day in (1, 2, 3):
        fleet.error(device, day, "app-outdated", retry=UPDATE, sync=f"{device} {day}")
    fleet.pending(device, *(f"{device}-{number}" for number in range(records)), day=3)


def test_all_unsent_work_of_a_shut_out_device_counts_under_the_issue_in_every_list(fleet):
    shut_out(fleet, "a", records=3)
    shut_out(fleet, "b", records=2)
    issue, store = "issue-app-outdated", fleet.store
    assert fleet.pending_by_issue() == {issue: 5}
    assert get_issue(store, issue).summary.pending == 5
    assert get_issue(store, issue).summary.stopped_devices == 2
    assert measure(store, "records_at_risk").set_index("cause")["records"].to_dict() == {"app-outdated": 5}
    assert measure(store, "pending_backlog")[["records", "blocked"]].to_numpy().tolist() == [[5, 5]]
    assert ranked_fixes(store).set_index("cause")["records"].to_dict() == {"app-outdated": 5}
    assert len(suggest_fix(store, issue).pending_records) == 5
    assert len(list_records_at_risk(store, issue_id=issue)) == 5
    assert list_devices(store)["pending_blocked"].sum() == 5
    assert set(get_device(store, "a").pending["issue_id"]) == {issue}


def test_an_attempt_that_left_only_an_error_is_an_attempt(fleet):
    for hour in range(6):
        fleet.sync("pad", hour / 24)
    for day in (1, 2, 3):
        fleet.error("pad", day, "app-outdated", retry=UPDATE, sync=f"untracked {day}")
    fleet.sync("other", 3)
    assert measure(fleet.store, "silent_devices").empty
    (stuck,) = measure(fleet.store, "stuck_devices").to_dict("records")
    assert (stuck["device"], stuck["attempts_since"]) == ("pad", 3)
    (device,) = list_devices(fleet.store).query("device == 'pad'").to_dict("records")
    assert device["status"] == "shut out"
    assert device["problems"] == ["shut out", "stuck"]
    assert device["why"].startswith("all syncs refused since 2026-05-05 08:01 UTC: app-outdated, 3 attempts")
    assert device["last_attempt"] == AT + timedelta(days=3, minutes=1)


@pytest.mark.parametrize("cause", ["app-outdated", "access-policy", "sign-in-failed", "password-expired"])
def test_one_refusal_by_autosync_shuts_a_device_out_until_a_sync_succeeds(fleet, cause):
    fleet.sync("pad", 0)
    fleet.error("pad", 1, cause)
    assert fleet.stops() == [("pad", f"issue-{cause}", True, 1)]
    assert "shut out" in describe_state(get_device(fleet.store, "pad"))
    fleet.sync("pad", 2)
    assert fleet.stops() == []
    assert fleet.stops(until=AT + timedelta(days=1.5)) == [("pad", f"issue-{cause}", True, 1)]


def test_an_autosync_error_that_a_retry_can_pass_stops_nothing(fleet):
    """The next Autosync may have succeeded: it leaves no trace."""
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "network", retry=RETRY)
    fleet.pending("pad", "r", day=1)
    assert fleet.stops() == []
    assert fleet.pending_by_issue() == {"issue-network": 0}


def test_a_failed_sync_stops_the_work_of_its_device_under_its_issue(fleet):
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "network", retry=RETRY, sync=fleet.sync("pad", 1, good=False))
    fleet.pending("pad", "r1", "r2", day=1)
    assert fleet.stops() == [("pad", "issue-network", False, 1)]
    assert fleet.pending_by_issue() == {"issue-network": 2}


def test_an_error_in_a_sync_that_succeeded_stops_nothing(fleet):
    fleet.error("pad", 1, "local-database-busy", sync=fleet.sync("pad", 1))
    assert fleet.stops() == []


def test_a_refused_record_keeps_its_refusal_while_a_retry_can_pass_the_stop(fleet):
    fleet.sync("pad", 0, upload_errors=1)
    fleet.error("pad", 0, "field-permission", record="refused")
    fleet.pending("pad", "refused", day=1, in_error=True)
    fleet.pending("pad", "unsent", day=1)
    fleet.error("pad", 1, "network", retry=RETRY, sync=fleet.sync("pad", 1, good=False))
    assert fleet.pending_by_issue() == {"issue-field-permission": 1, "issue-network": 1}
    fleet.error("pad", 2, "app-outdated", retry=UPDATE)
    assert fleet.pending_by_issue() == {
        "issue-app-outdated": 2, "issue-field-permission": 0, "issue-network": 0,
    }  # fmt: skip
    undo = {
        action.name: action for action in recovery_actions(fleet.store, issue_id="issue-field-permission")
    }["undo"]
    assert undo.offered and undo.lost_records["record_id"].to_list() == ["refused"]


def test_a_lost_connection_after_a_refusal_does_not_end_the_refusal(fleet):
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "password-expired", retry="after change")
    fleet.error("pad", 2, "network", retry=RETRY, sync=fleet.sync("pad", 2, good=False))
    assert fleet.stops() == [("pad", "issue-password-expired", True, 2)]


def test_an_answer_about_a_record_shows_that_the_device_gets_through(fleet):
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "password-expired", retry="after change")
    fleet.error("pad", 2, "field-permission", record="r")
    assert fleet.stops() == []


def test_without_syncs_an_old_stop_is_unknown_and_a_recent_one_counts(fleet):
    fleet.error("old", 0, "app-outdated")
    fleet.error("new", 8, "app-outdated")
    assert [device for device, *_ in fleet.stops()] == ["new"]
    states = list_devices(fleet.store).set_index("device")["problems"].to_dict()
    assert states == {"new": ["shut out", "unknown"], "old": ["unknown"]}


def test_syncs_without_a_device_are_stopped_by_user_and_their_devices_keep_the_work(fleet):
    fleet.store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, user_id, phase, source, batch_id)"
        " VALUES ('e', $1, 'user of pad', 'connect', 't', 't')", [AT],
    ).fetchall()  # fmt: skip
    fleet.store.execute(
        "INSERT INTO finding VALUES ('e', 'issue-x', 'sign-in-failed', 1, '', [], [], 'no', '', '', '')"
    ).fetchall()
    fleet.pending("pad", "r1", "r2", day=0)
    assert fleet.pending_by_issue() == {"issue-x": 2}


def test_a_device_whose_records_are_refused_is_not_ok(fleet):
    fleet.sync("counted", 0, upload_errors=2)
    fleet.sync("listed", 0)
    fleet.pending("listed", "r", day=0, in_error=True)
    fleet.sync("fine", 0)
    devices = list_devices(fleet.store).set_index("device")
    assert devices["status"].to_dict() == {"counted": "work refused", "listed": "work refused", "fine": "ok"}
    assert "1 unsent record in error" in describe_state(get_device(fleet.store, "listed"))
    assert describe_state(get_device(fleet.store, "fine")) == "no current problem"


def test_no_refresh_is_offered_that_cannot_send_first(fleet):
    shut_out(fleet, "a")
    fleet.sync("refused", 0, upload_errors=1, pending=2)
    fleet.pending("refused", "r", day=0.1)
    fleet.sync("fine", 0, pending=0)
    offered = {
        device: action.offered
        for device in ("a", "refused", "fine")
        for action in recovery_actions(fleet.store, device_id=device)
        if action.name == "force_full_refresh__v"
    }
    assert offered == {"a": False, "refused": False, "fine": True}


def test_no_refresh_is_offered_for_a_shut_out_device_because_another_of_its_user_works(fleet):
    fleet.sync("old", 0, user="ana")
    fleet.error("old", 1, "app-outdated", retry=UPDATE, sync="old 1", user="ana")
    fleet.pending("old", "r", day=1)
    fleet.sync("new", 1, pending=0, user="ana")
    offered = {
        device: action.offered
        for device in ("old", "new")
        for action in recovery_actions(fleet.store, device_id=device)
        if action.name == "force_full_refresh__v"
    }
    assert offered == {"old": False, "new": True}


def test_a_device_is_shut_out_since_its_first_refusal_and_not_since_a_lost_connection(fleet):
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "network", retry=RETRY, sync=fleet.sync("pad", 1, good=False))
    fleet.error("pad", 2, "app-outdated", retry=UPDATE, sync="pad 2")
    fleet.error("pad", 3, "app-outdated", retry=UPDATE, sync="pad 3")
    (device,) = list_devices(fleet.store).to_dict("records")
    assert device["why"].startswith("all syncs refused since 2026-05-06 08:01 UTC: app-outdated, 2 attempts")


def test_work_counts_under_the_refusal_of_a_sync_before_that_of_autosync(fleet):
    """One lock-out is two issues if the grouping keeps phases apart; the work is under one of them."""
    fleet.sync("pad", 0)
    fleet.error("pad", 1, "app-outdated", retry=UPDATE, sync="pad 1")
    fleet.error("pad", 2, "access-policy")
    fleet.pending("pad", "r", day=2)
    assert fleet.pending_by_issue() == {"issue-app-outdated": 1, "issue-access-policy": 0}


def test_the_start_of_a_period_cuts_history_and_no_state(fleet):
    shut_out(fleet)
    fleet.sync("stuck", 0)
    for day in (2, 2.5, 3):
        fleet.sync("stuck", day, good=False)
    fleet.sync("stale", -9)
    fleet.sync("now", 3)
    late = AT + timedelta(days=2.9)
    whole, cut = list_devices(fleet.store), list_devices(fleet.store, since=late)
    assert len(set(whole["status"])) == 4
    history = ["syncs", "failures", "errors"]
    assert cut.drop(columns=history).equals(whole.drop(columns=history))
    assert cut["syncs"].sum() == 2 < whole["syncs"].sum()
    for name in ("stuck_devices", "silent_devices", "freshness", "pending_backlog", "records_at_risk"):
        assert measure(fleet.store, name, since=late).equals(measure(fleet.store, name)), name
    (in_period,), (ever,) = (
        list_issues(fleet.store, since=late).to_dict("records"),
        list_issues(fleet.store).to_dict("records"),
    )
    assert (in_period["events"], ever["events"]) == (1, 3)
    for name in ("first_seen", "pending", "stopped_devices", "unrecovered_users", "blocked_since"):
        assert in_period[name] == ever[name], name


def test_a_small_issue_that_stops_work_ranks_above_a_frequent_one_that_is_over(fleet):
    shut_out(fleet, records=4)
    for number in range(8):
        fleet.error(f"pad {number}", 1, "network", retry=RETRY)
        fleet.sync(f"pad {number}", 2)
    assert list_issues(fleet.store)["issue_id"].to_list() == ["issue-app-outdated", "issue-network"]


def test_the_longer_of_two_equal_stops_ranks_first(fleet):
    for cause, day in (("access-policy", 5), ("password-expired", 1), ("sign-in-failed", 4)):
        fleet.sync(cause, 0)
        fleet.error(cause, day, cause)
    causes = list_issues(fleet.store)["cause"].to_list()
    assert causes == ["password-expired", "sign-in-failed", "access-policy"]


class TestNothingIsOverWhileWorkWaits:
    """One issue, twelve days ago; its user has made forty syncs since, unless the case prevents it."""

    @staticmethod
    def states(fleet, tmp_path):
        as_of = health(fleet.store).as_of
        triage = TriageState(tmp_path / "triage.sqlite")
        update_issue_states(fleet.store, triage, as_of)
        (summary,) = list_issues(fleet.store).to_dict("records")
        lifetime = measure(fleet.store, "issue_lifetime")["over_by_itself"].to_list()
        quiet = len(list_issues(fleet.store, query="is:quiet")) == 1
        assert as_of - summary["last_seen"] > QUIET_PERIOD
        return triage.state_of("issue-field-permission").state, quiet, lifetime

    @staticmethod
    def add_recovery(fleet, user="pad"):
        for number in range(40):
            fleet.sync(user, 1 + number / 4)

    @staticmethod
    def add_refusals(fleet, device="pad"):
        for day in (0, 0.5, 0.8):
            sync = fleet.sync(device, day, upload_errors=1)
            fleet.error(device, day, "field-permission", record="r", sync=sync)

    def test_with_clean_syncs_since_it_is_over(self, fleet, tmp_path):
        self.add_refusals(fleet)
        self.add_recovery(fleet)
        assert self.states(fleet, tmp_path) == ("resolved", True, [True])

    def test_with_a_record_that_waits_it_is_not(self, fleet, tmp_path):
        self.add_refusals(fleet)
        self.add_recovery(fleet)
        fleet.pending("pad", "r", day=10.75, in_error=True)
        assert self.states(fleet, tmp_path) == ("ongoing", False, [False])

    def test_with_a_user_who_has_not_synced_since_it_is_not(self, fleet, tmp_path):
        for device in ("pad", "gone"):
            self.add_refusals(fleet, device)
        self.add_recovery(fleet)
        assert self.states(fleet, tmp_path) == ("ongoing", False, [False])

    def test_a_user_whose_account_is_inactive_does_not_keep_it_open(self, fleet, tmp_path):
        for device in ("pad", "gone"):
            self.add_refusals(fleet, device)
        fleet.store.execute(
            "INSERT INTO sync_user (user_id, as_of, active, source, batch_id)"
            " VALUES ('user of gone', $1, false, 't', 't')", [AT],
        ).fetchall()  # fmt: skip
        self.add_recovery(fleet)
        assert self.states(fleet, tmp_path) == ("resolved", True, [True])
