"""Stores of version 0.1.0 may have secrets: they are counted, and removed with every trace in the file."""

import json

import pytest

from ingest import Pseudonymizer, find_stored_secrets, load, open_store, remove_stored_secrets
from ingest.vault.pull_state import PullState
from synclens.doctor import run_checks
from tests.ingest.protection.planted import MESSAGE, NAME, NAMES, NOTE, SECRETS, SESSION, traces


@pytest.fixture
def old_store(tmp_path, clock):
    """Write a store as version 0.1.0 did: session ids of a usage log in CSV in clear, also of its broken rows."""
    export = tmp_path / "errors.csv"
    export.write_text("Time,User,Error Message\n2026-11-18T07:11:02Z,41300,Upload failed\n")
    path = tmp_path / "old.duckdb"
    load(export, path, clock=clock)
    broken = json.dumps(["2026-11-18T07:12:00Z", SESSION, "41377"])
    with open_store(path, read_only=False) as store:
        store.execute(
            "UPDATE sync_error SET message = $message, extra = $extra",
            {"message": MESSAGE, "extra": json.dumps({"sessionid": SESSION, "note": NOTE})},
        )
        store.execute(
            "INSERT INTO rejected_row SELECT batch_id, 'log.csv', 'sync_error', 7, $raw, ['row: has 3 cells'], "
            "NULL, NULL FROM ingest_batch",
            {"raw": broken},
        )
    return path


def test_doctor_counts_them_and_names_the_command(old_store):
    checks = {check.name: check for check in run_checks(old_store, environment={})}
    assert not checks["secrets"].ok
    assert "sync_error.extra (1)" in checks["secrets"].result
    assert "--remove-secrets" in checks["secrets"].next_step
    assert not [secret for secret in SECRETS if secret in str(checks)]


def test_no_trace_is_left_in_the_file(old_store):
    before = {(each.table, each.column) for each in remove_stored_secrets(old_store)}
    assert before == {
        ("main.rejected_row", "raw"),
        ("main.sync_error", "extra"),
        ("main.sync_error", "message"),
    }
    with open_store(old_store, read_only=False) as store:
        assert find_stored_secrets(store) == []
        assert store.execute("SELECT count(*) FROM error").fetchall() == [(1,)]
        assert traces(store, old_store, SECRETS) == []


def test_a_store_without_secrets_is_not_written_again(old_store):
    remove_stored_secrets(old_store)
    before = old_store.stat()
    assert remove_stored_secrets(old_store) == []
    assert old_store.stat().st_ino == before.st_ino


def test_a_pulled_page_is_protected(tmp_path, clock):
    path = tmp_path / "pulled.duckdb"
    state = PullState(path, "crm.example", clock, Pseudonymizer(b"key of a test"))
    rows = [
        {
            "id": "V5X000000000001", "modified_date__v": "2026-11-18T07:11:02Z", "username__sys": NAMES[1],
            "name__v": NAME, "status__v": ["active__v"], "note__c": f"{MESSAGE} {NOTE}",
        }
    ]  # fmt: skip
    report = state.store_page("user__sys", rows, notes=[f"{NAME}: password={SESSION}"])
    assert report.rows_new == 1
    with open_store(path, read_only=False) as store:
        assert traces(store, path, (*SECRETS, *NAMES), str(report)) == []
