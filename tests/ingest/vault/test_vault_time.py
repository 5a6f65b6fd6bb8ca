"""Periods of time are those of the Vault's clock, and what Vault no longer lists is reported."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from ingest import TargetOutcome, pull
from ingest.vault.timestamps import format_second, parse_http_date
from ingest.vault.vault_clock import MARGIN, NO_DATE, format_duration

NOW = datetime(2026, 11, 20, 10, 30, 15, tzinfo=UTC)
MONTH = timedelta(days=30)


def login(number, at):
    return {"id": str(number), "timestamp": format_second(at), "user_name": "rep.six@example.com"} | {
        "full_name": "Rep Six", "source_ip": "203.0.113.9", "type": "User Login", "status": "Wrong password",
        "browser": "Unknown", "platform": "iOS",
    }  # fmt: skip


@pytest.fixture
def dated_vault(vault):
    vault.date = NOW
    vault.trail = [login(number, NOW - timedelta(days=number, minutes=1)) for number in range(29)]
    return vault


@pytest.fixture
def pull_logins(store, client):
    """Pull the sign-ins, at a time of this machine."""

    def run(at, **more):
        report = pull(store, client, objects=[], trails=["login_audit_trail"], clock=lambda: at, **more)
        (trail,) = (each for each in report.targets if each.target == "login_audit_trail")
        return report, trail

    return run


def requested_spans(vault):
    paths = [path for _, path, _, _ in vault.calls if "/audittrail/" in path]
    return [re.search(r"start_date=(\S+?)&end_date=(\S+?)&", path).groups() for path in paths]


@pytest.mark.parametrize("hours", [-9000, -30, -1, 0, 1, 5, 900])
def test_a_trail_is_complete_whatever_the_clock_of_this_machine(dated_vault, pull_logins, hours):
    report, trail = pull_logins(NOW + timedelta(hours=hours))
    assert (trail.outcome, trail.rows_in) == (TargetOutcome.COMPLETE, 29)
    ((start, end),) = requested_spans(dated_vault)
    assert (start, end) == (
        format_second(NOW - MONTH + MARGIN + timedelta(seconds=1)),
        "2026-11-20T10:30:15Z",
    )
    assert len(report.notes) == (1 if hours else 0)


@pytest.mark.parametrize(
    ("ahead", "note"),
    [
        (timedelta(minutes=2), None),
        (timedelta(minutes=2, seconds=1), "2 min ahead of"),
        (-timedelta(minutes=2), None),
        (-timedelta(hours=3, minutes=5), "3 h 5 min behind"),
        (timedelta(days=40, hours=2, minutes=9), "40 d 2 h ahead of"),
    ],
)
def test_clocks_that_differ_are_reported(dated_vault, pull_logins, ahead, note):
    report, _ = pull_logins(NOW + ahead)
    assert [each.split("machine is ")[1].split(" the clock")[0] for each in report.notes] == (
        [note] if note else []
    )


def test_replies_without_a_date_are_reported(vault, pull_logins):
    report, _ = pull_logins(NOW)
    assert report.notes == (NO_DATE,)


def test_the_next_pull_continues_by_the_clock_of_the_vault(dated_vault, pull_logins):
    pull_logins(NOW - timedelta(hours=7))
    dated_vault.date = NOW + timedelta(days=2)
    _, trail = pull_logins(NOW + timedelta(days=2, hours=5))
    assert requested_spans(dated_vault)[-1] == ("2026-11-20T10:15:15Z", "2026-11-22T10:30:15Z")
    assert trail.outcome is TargetOutcome.COMPLETE


def test_a_period_that_is_no_longer_listed_is_reported_once(dated_vault, pull_logins):
    pull_logins(NOW)
    dated_vault.date = later = NOW + timedelta(days=45)
    _, trail = pull_logins(later)
    assert [each.what for each in trail.omissions] == ["2026-11-20T10:30:15Z to 2026-12-05T10:40:16Z"]
    assert "log files of Direct Data" in trail.omissions[0].next_step
    _, trail = pull_logins(later)
    assert trail.omissions == ()


def test_a_watermark_in_the_future_is_not_believed(dated_vault, pull_logins):
    dated_vault.date = NOW + timedelta(days=300)
    pull_logins(NOW)
    dated_vault.date = NOW
    _, trail = pull_logins(NOW)
    assert trail.rows_in == 29
    assert "later than the Vault's time 2026-11-20T10:30:15Z" in trail.notes[0]


@pytest.mark.parametrize("days", [3, 29, 31, 4000])
def test_an_earlier_since_reads_again_and_skips_nothing(dated_vault, pull_logins, days):
    pull_logins(NOW)
    _, trail = pull_logins(NOW, since=NOW - timedelta(days=days))
    assert trail.rows_in == min(days, 29)
    dated_vault.date = NOW + timedelta(days=2)
    _, trail = pull_logins(NOW, since=NOW + timedelta(days=1))
    assert requested_spans(dated_vault)[-1][0] == "2026-11-20T10:15:15Z"


def test_an_earlier_since_reads_rows_of_an_object_again(store, vault, pulled, small_vault):
    pulled(store)
    pulled(store, since=small_vault.start - timedelta(days=1))
    assert vault.asked_since == "2026-11-01T08:00:00.000Z"
    pulled(store, since=small_vault.start + timedelta(days=90))
    assert vault.asked_since == small_vault.stamp(24 - 15)


@pytest.mark.parametrize("text", [None, "", "yesterday", "Fri, 99 Jul 2025 09:08:07 GMT", "Fri, 04 Jul 2025"])
def test_an_unreadable_date_is_no_date(text):
    assert parse_http_date(text) is None


def test_durations_have_two_units():
    lengths = [timedelta(seconds=20), timedelta(minutes=59.6), timedelta(days=1, minutes=3)]
    assert [format_duration(each) for each in lengths] == ["less than 1 min", "1 h", "1 d 3 min"]
