"""`synclens history`: one rep on the phone."""

import json

import pytest

import ingest
from analysis import list_devices, list_records_at_risk


@pytest.fixture
def busiest(simulated_store):
    """The device on which most records are in error, and its user."""
    with ingest.open_store(simulated_store) as store:
        known = list_devices(store)
        first = known.loc[known["pending_in_error"].idxmax()]
        return first["device"], first["user_id"], len(list_records_at_risk(store, device_id=first["device"]))


def test_a_users_device_is_told_in_order_of_time(simulated, busiest):
    device, user, in_error = busiest
    said = simulated("history", user)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{device} of user {user}, ")
    moments = [line.split("  ")[1] for line in lines if line.startswith("  2026-")]
    assert moments == sorted(moments) and len(moments) > 3
    assert f"{in_error} in error" in said.out
    assert "Recovery actions" in said.out and "Next: `synclens issue " in said.out


def test_the_device_itself_can_be_named_and_few_events_asked_for(simulated, busiest):
    device, user, _ = busiest
    (told,) = json.loads(simulated("history", device, "--limit", 2, "--json").out)
    assert (told["device"], told["summary"]["user_id"], len(told["timeline"])) == (device, user, 2)
    assert told["pending"] and {lever["name"] for lever in told["recovery_actions"]} >= {"undo", "undelete"}


def test_somebody_whom_nobody_knows_is_said(simulated):
    said = simulated("history", "nobody")
    assert said.code == 2
    assert "synclens fleet --all" in said.err


def test_a_hostile_message_is_text(simulated, synclens, busiest, tmp_path):
    device, _, _ = busiest
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        store.execute("UPDATE sync_error SET message = '[bold red]no[/] \x1b[31m' || chr(10) || 'two'")
    said = simulated("history", device).out
    assert "[bold red]no[/]" in said


def test_a_user_of_whom_only_errors_are_known_is_told(synclens, tmp_path):
    error = {
        "event_id": "e1",
        "occurred_at": "2026-03-04T08:00:00Z",
        "user_id": "u1",
        "message": "No network",
    }
    (tmp_path / "errors.jsonl").write_text(json.dumps(error) + "\n")
    synclens("load", tmp_path / "errors.jsonl")
    said = synclens("history", "u1").out
    assert said.startswith("u1, ") and "No network" in said
    assert "0 tracked syncs, 0 failed, never successful; 1 error" in said
    assert "Pending records: none loaded" in said
    assert "`synclens explain-error e1" in said
