"""A fleet replays to the byte, and what it reports hangs together."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario
from sync_engine.telemetry import ConfigChange, SyncDetail, SyncError, SyncTracking, Truth

SCRIPT = """
import hashlib
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import load_scenario
digest = hashlib.sha256()
for row in simulate_fleet(scenario=load_scenario("demo"), seed=5, device_count=12, days=9):
    digest.update(repr(row).encode())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def rows():
    return list(simulate_fleet(scenario=load_scenario("demo"), seed=7, device_count=40, days=12))


def of(rows, kind):
    return [row for row in rows if isinstance(row, kind)]


def test_a_fleet_replays_to_the_byte_in_another_process_with_another_hash_seed():
    first, second = (
        subprocess.check_output([sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": salt})
        for salt in ("1", "2")
    )
    assert first == second


def test_another_seed_gives_another_fleet():
    def events(seed):
        played = simulate_fleet(scenario=load_scenario("demo"), seed=seed, device_count=5, days=4)
        return [row.event_id for row in played if isinstance(row, SyncError)]

    assert events(1) != events(2)


def test_every_error_has_one_truth_and_every_truth_an_error(rows):
    errors = Counter(row.event_id for row in of(rows, SyncError))
    truths = Counter(row.event_id for row in of(rows, Truth))
    assert errors == truths
    assert set(errors.values()) == {1}


def test_no_truth_is_left_unknown(rows):
    assert not [row for row in of(rows, Truth) if row.cause == "unknown"]


def test_a_truth_names_a_change_of_the_audit_trail(rows):
    changes = {row.change_id for row in of(rows, ConfigChange)}
    named = {row.change_id for row in of(rows, Truth) if row.change_id}
    assert named
    assert named <= changes


def test_each_tracked_sync_has_one_record_and_its_detail(rows):
    tracked = Counter(row.id for row in of(rows, SyncTracking))
    details = {row.sync_id for row in of(rows, SyncDetail)}
    assert set(tracked.values()) == {1}
    assert set(tracked) <= details


def test_autosync_leaves_errors_but_no_tracking_row(rows):
    assert not [row for row in of(rows, SyncTracking) if row.sync_type__v == "autosync__v"]
    unseen = [row for row in of(rows, SyncError) if row.sync_type == "autosync__v"]
    assert unseen
    assert all(row.sync_id is None for row in unseen)


def test_upload_errors_are_counted_as_reported(rows):
    tracked = {row.id: row for row in of(rows, SyncTracking)}
    refused = {row.sync_id for row in of(rows, SyncError) if row.phase == "upload" and row.record_id}
    for sync_id in refused & set(tracked):
        assert tracked[sync_id].number_of_upload_errors__v > 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_plays_and_says_what_it_is(name):
    scenario = load_scenario(name)
    assert scenario.title
    played = list(simulate_fleet(scenario=scenario, seed=3, device_count=6, days=4))
    assert of(played, SyncTracking)


def test_an_unknown_scenario_is_refused_with_the_names_that_exist():
    with pytest.raises(ValueError, match="demo"):
        load_scenario("no-such")
