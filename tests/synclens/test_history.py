"""`synclens history`."""

import json

import pytest

import ingest
from analysis import list_devices, list_records_at_risk


@pytest.fixture
def busiest(simulated_store):
    """The device with the most records in error, and its user."""
    with ingest.open_store(simulated_store) as store:
        devices = list_devices(store)
        first = devices.loc[devices["pending_in_error"].idxmax()]
        return first["device"], first["user_id"], len(list_records_at_risk(store, device_id=first["device"]))


def test_shows_the_events_of_a_users_device_in_order(simulated, busiest):
    device, user, in_error = busiest
    result = simulated("history", user)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith(f"{device} of user {user}, ")
    timestamps = [line.split("  ")[1] for line in lines if line.startswith("  2026-")]
    assert timestamps == sorted(timestamps) and len(timestamps) > 3
    assert f"{in_error} in error" in result.out
    assert "Recovery actions" in result.out and "Next: `synclens issue " in result.out


def test_accepts_a_device_id_and_a_limit(simulated, busiest):
    device, user, _ = busiest
    (entry,) = json.loads(simulated("history", device, "--limit", 2, "--json").out)
    assert (entry["device"], entry["summary"]["user_id"], len(entry["timeline"])) == (device, user, 2)
    assert entry["pending"] and {action["name"] for action in entry["recovery_actions"]} >= {
        "undo",
        "undelete",
    }


def test_an_unknown_user_is_an_error(simulated):
    result = simulated("history", "nobody")
    assert result.code == 2
    assert "synclens fleet --all" in result.err


def test_a_message_is_not_parsed_as_markup(simulated, synclens, busiest, tmp_path):
    device, _, _ = busiest
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        store.execute("UPDATE sync_error SET message = '[bold red]no[/] \x1b[31m' || chr(10) || 'two'")
    result = simulated("history", device).out
    assert "[bold red]no[/]" in result


def test_shows_a_user_with_errors_only(synclens, tmp_path):
    error = {
        "event_id": "e1",
        "occurred_at": "2026-03-04T08:00:00Z",
        "user_id": "u1",
        "message": "No network",
    }
    (tmp_path / "errors.jsonl").write_text(json.dumps(error) + "\n")
    synclens("load", tmp_path / "errors.jsonl")
    result = synclens("history", "u1").out
    assert result.startswith("u1, ") and "No network" in result
    assert "no tracked sync is loaded; 1 error" in result
    assert "Pending records: none loaded" in result
    assert "`synclens explain-error e1" in result
