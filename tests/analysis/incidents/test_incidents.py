"""Issues that begin together, or that hit the same devices, are one incident; coincidences are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analysis import find_incidents, list_incidents
from analysis.incidents.coincidence import find_window, log_binomial_tail
from analysis.incidents.incidents import INCIDENT_COLUMNS, incident_by_issue

MONDAY = datetime(2027, 4, 5, 8, tzinfo=UTC).replace(tzinfo=None)  # as in the store
DAYS = 14
DEVICES = [f"tablet-{number:02}" for number in range(40)]
ISSUES_OF_OUTAGE = {f"{name}-{number}" for name in ("gateway", "radio") for number in range(3)}


class Fleet:
    """Writes a fleet that syncs each day at nine and at fifteen, and errors of named issues."""

    def __init__(self, store):
        self.store = store
        self.count = 0
        store.execute(
            """
            INSERT INTO sync_tracking__v (id, mobile_id__v, created_by__v, sync_start_datetime__v,
                sync_completed_datetime__v, successful_sync__v, source, batch_id)
            SELECT concat_ws('-', d.device, day, hour), d.device, 'user of ' || d.device,
                $monday::TIMESTAMP + to_days(day::INTEGER) + to_minutes((hour * 60 + d.number * 3)::INTEGER) AS start,
                start + INTERVAL 2 MINUTE, true, 't', 't'
            FROM (SELECT unnest($devices) AS device, generate_subscripts($devices, 1) AS number) AS d,
                range($days) AS days (day), unnest([1, 7]) AS hours (hour)
            """,
            {"monday": MONDAY, "devices": DEVICES, "days": DAYS},
        )

    def add(self, issue, cause, device, at, *, status=None, object=None):
        self.count += 1
        event = f"error-{self.count}"
        self.store.execute(
            "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, phase, object, http_status, message, "
            "source, batch_id) VALUES (?, ?, ?, ?, 'upload', ?, ?, 'Refused', 't', 't')",
            [event, at, f"user of {device}", device, object, status],
        )
        self.store.execute(
            "INSERT INTO finding VALUES (?, ?, ?, 0.9, 'test', [], [], 'often', 'server', 't', 't')",
            [event, issue, cause],
        )


@pytest.fixture
def fleet(store):
    return Fleet(store)


def add_outage(fleet, start=MONDAY + timedelta(days=3, hours=2)):
    """Let 24 devices fail within the hour, in six issues of two causes."""
    for number in range(12):
        at = start + timedelta(minutes=4 * number)
        fleet.add(f"gateway-{number % 3}", "server-unavailable", DEVICES[number], at, status=503)
        fleet.add(f"radio-{number % 3}", "network", DEVICES[number + 12], at)


def test_one_outage_is_one_incident_with_its_issues(fleet):
    add_outage(fleet)
    fleet.add("alone", "picklist-value", DEVICES[30], MONDAY + timedelta(days=9), object="visit__c")
    (incident,) = find_incidents(fleet.store)
    assert set(incident.issue_ids) == ISSUES_OF_OUTAGE
    assert set(incident.causes) == {"server-unavailable", "network"}
    assert (incident.events, incident.devices, incident.users) == (24, 24, 24)
    assert incident.first_seen == MONDAY + timedelta(days=3, hours=2)
    assert incident.p_value < 0.001
    assert "6 issues began within 8 minutes on 24 devices, from 2027-04-08 10:00 UTC" in incident.reason
    assert "the server answered 503" in incident.reason


def test_issues_on_the_same_few_devices_are_one_incident(fleet):
    for day in range(DAYS):
        for device in DEVICES[:3]:
            fleet.add(
                f"blocked-{day % 4}", "object-permission", device, MONDAY + timedelta(days=day, hours=1)
            )
    (incident,) = find_incidents(fleet.store)
    assert set(incident.issue_ids) == {f"blocked-{number}" for number in range(4)}
    assert "on the same 3 devices of 40" in incident.reason
    assert "all have the same cause" in incident.reason


def test_two_objects_with_one_cause_are_two_faults(fleet):
    for number in range(12):
        at = MONDAY + timedelta(days=3, hours=2, minutes=4 * number)
        fleet.add(f"one-{number % 6}", "field-permission", DEVICES[number], at, object="visit__c")
        fleet.add(f"two-{number % 6}", "field-permission", DEVICES[number + 12], at, object="sample__c")
    issues = {frozenset(incident.issue_ids) for incident in find_incidents(fleet.store)}
    assert issues == {frozenset(f"{name}-{number}" for number in range(6)) for name in ("one", "two")}


@pytest.mark.parametrize("seed", range(8))
def test_issues_at_random_times_on_random_devices_are_no_incident(fleet, seed):
    rng = np.random.default_rng(seed)
    for issue in range(10):
        start = float(rng.uniform(0, DAYS - 1))
        for device in rng.choice(DEVICES, size=3, replace=False).tolist():
            at = MONDAY + timedelta(days=start + float(rng.uniform(0, 0.2)))
            fleet.add(f"issue-{issue}", "network", device, at)
    assert find_incidents(fleet.store) == []


def test_one_issue_alone_is_no_incident_however_many_devices_it_hits(fleet):
    for number in range(20):
        fleet.add("radio", "network", DEVICES[number], MONDAY + timedelta(days=2, hours=1, minutes=number))
    assert find_incidents(fleet.store) == []


def test_a_morning_on_which_all_sync_is_no_burst(fleet):
    """Errors that follow the syncs of the fleet, however few hours hold them, are no incident."""
    for day in range(DAYS):
        for number in range(day, len(DEVICES), DAYS):
            at = MONDAY + timedelta(days=day, hours=1, minutes=3 * number)
            fleet.add(f"radio-{(day + number) % 5}", "network", DEVICES[number], at)
    assert find_incidents(fleet.store) == []


def test_filters_choose_the_errors_that_count(fleet):
    add_outage(fleet)
    later = (MONDAY + timedelta(days=6)).isoformat()
    assert find_incidents(fleet.store, since=later) == []
    assert len(find_incidents(fleet.store, until=(MONDAY + timedelta(days=12)).isoformat())) == 1


def test_the_order_of_rows_does_not_matter(fleet):
    add_outage(fleet)
    before = find_incidents(fleet.store)
    for table in ("sync_error", "finding", "sync_tracking__v"):
        fleet.store.execute(f"CREATE TEMP TABLE turned AS SELECT * FROM {table} ORDER BY hash(rowid)")
        fleet.store.execute(f"DELETE FROM {table}; INSERT INTO {table} FROM turned; DROP TABLE turned")
    assert find_incidents(fleet.store) == before


def test_the_list_is_a_frame_with_one_row_for_each_incident(fleet):
    assert tuple(list_incidents(fleet.store).columns) == INCIDENT_COLUMNS
    add_outage(fleet)
    (row,) = list_incidents(fleet.store).to_dict("records")
    (incident,) = find_incidents(fleet.store)
    assert (row["incident_id"], row["issues"], row["events"]) == (incident.incident_id, 6, 24)
    assert set(incident_by_issue([incident])) == set(incident.issue_ids)
    assert incident.to_dict()["first_seen"] == "2027-04-08T10:00:00"


def test_the_bound_of_a_tail_is_never_below_the_tail():
    rng = np.random.default_rng(4)
    for share in (0.05, 0.3, 0.7):
        drawn = rng.binomial(20, share, size=40_000)
        for hits in range(21):
            bound = float(np.exp(log_binomial_tail(hits, 20, share)))
            assert (drawn >= hits).mean() <= bound + 0.01


def test_a_window_needs_several_devices():
    clock = np.array([0.5, 0.5001, 0.5002, 0.5003])
    assert find_window(clock, np.array([1, 1, 2, 2]), 0.001) is None
    window = find_window(clock, np.array([1, 2, 3, 4]), 0.001)
    assert window is not None and window.start == 0.5 and window.end == pytest.approx(0.5013)
