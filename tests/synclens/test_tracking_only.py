"""Commands on stores with sync tracking records only, or with errors only: unknown is not healthy."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

import ingest
from analysis import TriageState, assess_sync_failure, explain_issue, list_issues, suspects, update_findings
from tests.support.tracked_fleet import MONDAY, add_error, add_syncs, change, regular_syncs

THURSDAY = MONDAY + timedelta(days=3, hours=12)
SINCE = "2026-05-07 13:00"


def fails_for_some(sync):
    is_affected = sync.at > THURSDAY and int(sync.user[1:]) % 4 == 0
    return sync.failing_in_upload() if is_affected else sync


@pytest.fixture
def tracked(tmp_path):
    """A store in which the uploads of eight users fail since Thursday, and nothing else is loaded."""
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_syncs(store, change(regular_syncs(), fails_for_some))
        update_findings(store)
        yield store, list_issues(store)["issue_id"].iloc[0]


@pytest.fixture
def issue_id(tracked):
    store, issue = tracked
    store.close()
    return issue


def test_issues_lists_the_kind_and_what_is_unknown(synclens, issue_id):
    result = synclens("issues")
    assert result.code == 0
    assert (
        issue_id in result.out and "uploads-fail" in result.out and "Uploads fail for 8 users" in result.out
    )
    assert "No error events are loaded" in result.out
    (row,) = json.loads(synclens("issues", "--json").out)
    assert (row["failure_kind"], row["cause"], row["users"]) == ("uploads-fail", "unknown", 8)
    assert "No issue matches" in synclens("issues", "users>=100").out


def test_issue_shows_what_is_excluded_open_and_next(synclens, issue_id):
    out = " ".join(synclens("issue", issue_id[:6]).out.split())
    assert "of 22 other users succeeded" in out
    assert "Get next, the most decisive first 1. The message that the app shows" in out
    assert "from u28, u24, u20" in out and "--as sync_error" in out
    document = json.loads(synclens("issue", issue_id, "--json").out)
    failure = document["sync_failure"]
    assert failure["kind"] == "uploads-fail" and "server-unavailable" not in failure["open_causes"]
    assert failure["next_data"][0]["decides"] > 0.9
    assert failure["first_seen"].startswith("2026-05-07T13:00")


def test_triage_names_the_failure_and_the_datum_to_get(synclens, issue_id):
    out = " ".join(synclens("triage").out.split())
    assert f"1. Uploads fail for 8 users since {SINCE} UTC {issue_id}" in out
    assert "Get next: The message that the app shows" in out
    assert "rehearse" not in out and "no errors" not in out.replace("No error events", "")


def test_history_of_an_affected_and_of_a_healthy_user(synclens, issue_id):
    assert synclens("history", "u04").out.startswith("u04, stuck: no success in 13 attempts")
    assert synclens("history", "u21").out.startswith("u21, no current problem")


def test_explain_error_and_rehearse_work_on_a_failed_sync(synclens, issue_id):
    event = json.loads(synclens("issue", issue_id, "--json").out)["events"][0]["event_id"]
    assert "Uploads fail for 8 users" in synclens("explain-error", event).out
    assert "have no error text" in " ".join(synclens("rehearse", issue_id).out.split())


def test_suspects_of_a_store_without_changes_cannot_be_judged(synclens, issue_id):
    result = synclens("suspects", issue_id)
    assert "cannot be judged: no configuration changes" in result.out
    result = synclens("suspects", issue_id, "--json")
    assert json.loads(result.out) == [] and "cannot be judged" in result.err


@pytest.mark.parametrize("command", ["issues", "triage"])
def test_a_healthy_fleet_without_errors_is_not_all_well(synclens, tmp_path, command):
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_syncs(store, regular_syncs(users=5, days=3))
        update_findings(store)
    out = " ".join(synclens(command).out.split())
    assert "none of 30 tracked syncs failed" in out
    assert "errors of Autosync, which is not tracked, are unknown" in out


@pytest.mark.parametrize("command", ["issues", "triage"])
def test_scattered_failures_are_stated(synclens, tmp_path, command):
    syncs = regular_syncs(users=10, days=4)
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_syncs(store, [syncs[7].failing_in_upload(), *syncs[:7], *syncs[8:]])
        update_findings(store)
    assert "1 failed sync without an error text fit no issue" in " ".join(synclens(command).out.split())


@pytest.mark.parametrize("command", ["issues", "triage", "incidents"])
def test_an_empty_store_says_that_nothing_is_loaded(synclens, tmp_path, command):
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False):
        pass
    out = " ".join(synclens(command).out.split())
    assert "This store has no syncs and no errors" in out and "No incidents" not in out


def test_an_error_list_alone_does_not_show_whether_a_device_works(synclens, tmp_path):
    sync = regular_syncs(users=1, days=1)[0]
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_error(store, sync, with_sync_id=False)
        update_findings(store)
        issue = list_issues(store)["issue_id"].iloc[0]
    out = " ".join(synclens("history", "u00").out.split())
    assert out.startswith("u00, 1 error; whether it works now is unknown, because no syncs of it are loaded")
    assert "No error or failed sync of these devices" not in out and "no successful sync" not in out
    assert "cannot be judged: no syncs are loaded" in synclens("suspects", issue).out
    assert "unknown" in synclens("fleet").out
    assert "No syncs are loaded" in " ".join(synclens("issues").out.split())


def test_an_error_after_the_last_success_is_no_healthy_state(synclens, tmp_path):
    syncs = regular_syncs(users=2, days=3)
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_syncs(store, syncs)
        add_error(store, syncs[-1], with_sync_id=False)
        update_findings(store)
    assert synclens("history", "u01").out.startswith("u01, 1 error since its last successful sync")
    assert synclens("history", "u00").out.startswith("u00, no current problem")


def test_suspects_and_explanations_work_on_failed_syncs(store):
    def rolls_out(sync):
        number = int(sync.user[1:])
        if number >= 12 or sync.at < MONDAY + timedelta(days=2 + number / 4):
            return sync
        return replace(sync, version="302.1.0").failing_in_upload()

    add_syncs(store, change(regular_syncs(days=14), rolls_out))
    update_findings(store)
    (issue,) = list_issues(store)["issue_id"]
    assert suspects(store, issue)[0].target == "302.1.0"
    assert explain_issue(store, issue)[0].where == {"app_version": "302.1.0"}
    assert assess_sync_failure(store, issue).title == "Uploads fail for 12 users since version 302.1.0"


def test_a_decision_follows_the_syncs_if_the_id_changes(store, tmp_path):
    def fails_for_everyone(sync):
        return sync.failing_in_download() if sync.at > MONDAY + timedelta(days=6) else sync

    at = MONDAY + timedelta(days=11)
    triage = TriageState(tmp_path / "triage.sqlite")
    syncs = change(regular_syncs(days=8), fails_for_everyone)
    add_syncs(store, syncs)
    update_findings(store, triage, at=at)
    (first,) = list_issues(store)["issue_id"]
    triage.assign(first, "kim", actor="lee", at=at)
    evening = [sync for sync in syncs if sync.at.hour >= 13 and sync.at.day == MONDAY.day + 5]
    add_syncs(store, [replace(s, at=s.at + timedelta(hours=6)).failing_in_download() for s in evening])
    update_findings(store, triage, at=at)
    (second,) = list_issues(store)["issue_id"]
    assert second != first
    assert triage.states()[second].assignee == "kim"
