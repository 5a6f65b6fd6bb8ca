"""The automatic state changes, on small handwritten stores and on a thousand quiet weeks."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from analysis.base.versions import is_newer_version
from analysis.triage.auto_review import update_issue_states
from analysis.triage.escalation import BASELINE_DAYS, assess_escalation
from analysis.triage.resolution_stats import resolution_stats
from analysis.triage.states import TriageState

START = datetime(2026, 3, 2)  # noqa: DTZ001 - as in the store


class Fleet:
    """Writes syncs and errors of a small fleet: `day` counts from START."""

    def __init__(self, store, triage):
        self.store, self.triage = store, triage

    def syncs(self, day, devices=20, version="25.3.0"):
        self.store.execute(
            "INSERT INTO sync_tracking__v (id, created_by__v, sync_type__v, sync_start_datetime__v,"
            " sync_completed_datetime__v, successful_sync__v, version__v, source, batch_id)"
            " SELECT $v || '-' || $d || '-' || i, 'u' || i, 'incremental__v', $at, $at, true, $v, 't', 't'"
            " FROM range($n) AS r(i)",
            {"d": day, "n": devices, "v": version, "at": START + timedelta(days=day, hours=9)},
        ).fetchall()

    def errors(self, day, devices, issue="i1", per_device=1, version="25.3.0"):
        at = START + timedelta(days=day, hours=9)
        names = [f"{issue}-{day}-{d}-{n}" for d in devices for n in range(per_device)]
        users = [f"u{d}" for d in devices for _ in range(per_device)]
        self.store.execute(
            "INSERT INTO sync_error (event_id, occurred_at, user_id, app_version, source, batch_id)"
            " SELECT unnest($e), $at, unnest($u), $v, 't', 't'",
            {"e": names, "u": users, "at": at, "v": version},
        ).fetchall()
        self.store.execute(
            "INSERT INTO finding SELECT unnest($e), $i, 'network', 1, '', [], [], '', '', '', ''",
            {"e": names, "i": issue},
        ).fetchall()

    def review(self, day):
        return update_issue_states(self.store, self.triage, START + timedelta(days=day, hours=12))

    def state(self, issue="i1"):
        return self.triage.state_of(issue).state


@pytest.fixture
def fleet(store, tmp_path):
    made = Fleet(store, TriageState(tmp_path / "t.sqlite"))
    for day in range(30):
        made.syncs(day)
    return made


def test_an_empty_store_moves_nothing(store, tmp_path):
    assert update_issue_states(store, TriageState(tmp_path / "t.sqlite"), START) == []


def test_a_first_seen_issue_is_new_and_then_ongoing(fleet):
    fleet.errors(15, [1])
    fleet.review(15)
    assert fleet.state() == "new"
    fleet.errors(20, [2])
    fleet.review(23)
    assert fleet.state() == "ongoing"


def test_an_issue_that_ended_long_before_the_first_review_is_resolved_at_once(fleet):
    for day in range(3):
        fleet.errors(day, range(20))
    assert [entry.issue_id for entry in fleet.review(29)] == ["i1"]
    assert fleet.state() == "resolved"
    assert fleet.review(29) == []


def test_an_issue_on_which_records_wait_is_not_resolved(fleet):
    """Quiet for weeks and resolved; then a list of pending records shows a record that it still blocks."""
    for day in range(3):
        fleet.errors(day, range(20))
    fleet.review(29)
    assert fleet.state() == "resolved"
    fleet.store.execute(
        "UPDATE sync_error SET record_id = 'r1', device_id = 'ipad-1' WHERE event_id = 'i1-0-0-0'"
    ).fetchall()
    fleet.store.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, user_id, in_error, source, batch_id)"
        " VALUES ('ipad-1', $at, 'call2__v', 'r1', 'u0', true, 't', 't')",
        {"at": START + timedelta(days=29)},
    ).fetchall()
    (moved,) = fleet.review(29)
    assert (moved.before, moved.after) == ("resolved", "ongoing")
    assert fleet.review(29) == []


def test_reviewing_twice_changes_nothing_more(fleet):
    fleet.errors(15, [1, 2])
    assert len(fleet.review(15)) == 1
    assert fleet.review(15) == []


def test_many_devices_at_once_escalate(fleet):
    fleet.errors(20, range(8))
    (moved,) = fleet.review(20)
    assert moved.after == "escalating"
    assert "8 devices" in moved.reason


def test_one_device_retrying_500_times_never_escalates(fleet):
    fleet.errors(20, [7], per_device=500)
    fleet.review(20)
    assert fleet.state() == "new"


def test_an_escalation_calms_down(fleet):
    fleet.errors(20, range(8))
    fleet.review(20)
    fleet.errors(24, [3])
    fleet.review(24)
    assert fleet.state() == "ongoing"


def test_a_steady_issue_does_not_escalate(fleet):
    for day in range(25):
        fleet.errors(day, [day % 20, (day + 7) % 20, (day + 13) % 20])
    for day in range(16, 25):
        fleet.review(day)
    assert fleet.state() == "ongoing"


def test_quiet_with_enough_syncs_resolves_itself(fleet):
    for day in range(10):
        fleet.errors(day, range(5))
    fleet.review(9)
    moved = fleet.review(25)
    assert [entry.after for entry in moved] == ["resolved"]
    assert "are enough" in moved[0].reason


def test_quiet_without_syncs_proves_nothing(store, tmp_path):
    fleet = Fleet(store, TriageState(tmp_path / "t.sqlite"))
    for day in range(10):
        fleet.syncs(day)
        fleet.errors(day, [1])
    fleet.syncs(28, devices=1)
    fleet.review(9)
    fleet.review(28)
    assert fleet.state() == "ongoing"


def test_a_rare_issue_needs_a_longer_quiet_time(fleet):
    fleet.errors(2, [1])
    fleet.errors(12, [1])
    fleet.review(12)
    fleet.review(25)
    assert fleet.state() != "resolved"


def test_a_resolved_issue_that_recurs_is_a_regression(fleet):
    fleet.errors(5, [1])
    fleet.review(5)
    fleet.triage.resolve("i1", actor="mia", at=START + timedelta(days=6), reason="fixed")
    assert fleet.review(7) == []
    fleet.errors(10, [2])
    fleet.review(10)
    assert fleet.state() == "regressed"


def test_devices_without_the_fix_are_no_regression(fleet):
    fleet.errors(5, [1], version="25.3.0")
    fleet.review(5)
    fleet.triage.resolve("i1", actor="mia", at=START + timedelta(days=6), reason="fixed", fixed_in="25.10.0")
    fleet.errors(8, [1, 2, 3], version="25.9.1")
    assert fleet.review(8) == []
    fleet.errors(9, [4], version="25.10.0")
    fleet.review(9)
    assert fleet.state() == "regressed"


@pytest.mark.parametrize(
    ("until", "value", "still", "over"),
    [
        ("time", "2026-03-12T00:00:00", 9, 11),
        ("events", 8, 9, 12),
        ("device_share", 0.3, 9, 12),
        ("release", "25.3.0", 9, 14),
        ("escalating", None, 9, 13),
    ],
)
def test_an_archived_issue_returns_when_its_condition_is_met(fleet, until, value, still, over):
    fleet.errors(5, [1, 2])
    fleet.review(5)
    fleet.triage.archive("i1", actor="mia", at=START + timedelta(days=6), reason="", until=until, value=value)
    fleet.errors(8, [1])
    fleet.errors(11, range(7))
    fleet.errors(13, range(12))
    fleet.syncs(14, version="25.4.0")
    fleet.review(still)
    assert fleet.state() == "archived"
    fleet.review(over)
    assert fleet.state() in ("ongoing", "escalating")


def test_archived_forever_is_forever(fleet):
    fleet.errors(5, [1])
    fleet.triage.archive("i1", actor="mia", at=START + timedelta(days=5), reason="noise")
    fleet.errors(20, range(20))
    assert fleet.review(20) == []


@pytest.mark.parametrize(
    ("version", "other"), [("25.10.0", "25.9.1"), ("26.1", "25.99.99"), ("25.3.1", "25.3")]
)
def test_versions_compare_by_their_numbers(version, other):
    assert is_newer_version(version, other)
    assert not is_newer_version(other, version)
    assert not is_newer_version(version, version)


@pytest.mark.parametrize("steadiness", [25, 10])
def test_a_thousand_quiet_weeks_escalate_in_less_than_one_in_a_hundred(steadiness):
    """Constant trouble on 200 devices, from rare to common, overdispersed, looked at seven times a week."""
    rng = np.random.default_rng(11)
    weeks = false = 0
    for rate in (0.002, 0.01, 0.03, 0.1):
        for _ in range(250):
            # A day's rate wobbles by a fifth, or by a third, as real days do.
            wobble = rng.gamma(steadiness, 1 / steadiness, BASELINE_DAYS + 7)
            days = rng.binomial(200, np.clip(rate * wobble, 0, 1))
            false += any(
                assess_escalation(
                    devices=int(days[day]),
                    active=200,
                    before=int(days[day - BASELINE_DAYS : day].sum()),
                    active_before=200 * BASELINE_DAYS,
                ).escalates
                for day in range(BASELINE_DAYS, BASELINE_DAYS + 7)
            )
            weeks += 1
    assert weeks == 1000
    assert false < 10


def test_a_real_rise_is_seen_on_its_first_day():
    rng = np.random.default_rng(12)
    seen = 0
    for _ in range(200):
        before = int(rng.binomial(200 * BASELINE_DAYS, 0.01))
        seen += assess_escalation(
            devices=int(rng.binomial(200, 0.08)), active=200, before=before, active_before=200 * BASELINE_DAYS
        ).escalates
    assert seen / 200 > 0.9


def test_the_resolution_stats_counts_resolutions_and_returns(fleet):
    fleet.errors(1, [1], issue="held")
    fleet.errors(1, [2], issue="broken")
    fleet.errors(1, [3], issue="open")
    at = {day: START + timedelta(days=day) for day in (3, 5, 8, 60)}
    fleet.triage.resolve("held", actor="mia", at=at[3], reason="")
    fleet.triage.resolve("broken", actor="mia", at=at[5], reason="")
    fleet.triage.set_state("broken", "regressed", actor="synclens", at=at[8], reason="")
    result = resolution_stats(fleet.store, fleet.triage, at[60])
    assert (result.issues, result.open, result.resolutions, result.reopened) == (3, 2, 2, 1)
    assert result.reopen_rate == result.fix_held == 0.5
    assert result.days_to_resolve == pytest.approx(3.625)


def test_the_resolution_stats_are_empty_without_issues(store, tmp_path):
    result = resolution_stats(store, TriageState(tmp_path / "t.sqlite"), START)
    assert (result.issues, result.days_to_resolve, result.reopen_rate, result.fix_held) == (
        0,
        None,
        None,
        None,
    )
