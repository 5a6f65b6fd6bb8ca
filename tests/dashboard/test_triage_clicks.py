"""What people click is kept, at once and with their name, whoever else writes."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

import analysis
from analysis.triage.states import TriageState
from dashboard import data
from dashboard.auth import role_from_claim
from ingest import open_store


@pytest.fixture
def issue_id(stores, tmp_path, monkeypatch):
    """The worst issue of a store of this test's own, which is put in the place of `normal`."""
    copy = tmp_path / "own.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    with open_store(copy) as store:
        return str(analysis.list_issues(store)["issue_id"].iloc[0])


def state(stores) -> TriageState:
    return TriageState.for_store(stores["normal"])


def test_a_resolved_issue_says_so_at_once(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key="do-Resolve").click().run()
    assert state(stores).state_of(issue_id).state == "resolved"
    assert app.button(key="do-Reopen")
    assert any("Resolved" in badge.value for badge in app.markdown)


def test_assignee_priority_and_note_are_kept_with_who_did_it(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.text_input(key=f"assignee-{issue_id}").set_value("ana")
    app.text_area(key=f"note-{issue_id}").set_value("**Called** the admin")
    app.button(key=f"FormSubmitter:triage-{issue_id}-Save").click().run()
    kept = state(stores)
    assert kept.state_of(issue_id).assignee == "ana"
    done = [one for one in kept.activity(issue_id) if one.actor != "synclens"]
    assert [one.action for one in done] == ["assignee", "note"]
    assert done[1].reason == "**Called** the admin"
    assert all(one.actor for one in done)


def test_a_click_does_not_wait_for_an_ingest(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    with open_store(stores["normal"], read_only=False):
        app.button(key="do-Resolve").click().run()
        assert state(stores).state_of(issue_id).state == "resolved"
        assert not app.exception
        assert app.title, "the page from before the ingest is still there"


def test_a_viewer_sees_and_cannot_decide(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    assert app.button(key="do-Resolve").disabled
    assert app.title


def people_shown(app) -> set[str]:
    tables = [table.value for table in app.dataframe]
    return {str(who) for table in tables if "user_id" in table for who in table["user_id"]}


def test_people_are_hidden_from_viewers_when_asked(visit, stores, issue_id, monkeypatch):
    monkeypatch.setenv("SYNCLENS_MASK_NAMES", "1")
    app = visit("issue", period="all time", issue=issue_id)
    assert "hidden" not in people_shown(app), "an engineer sees who it is"
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    assert people_shown(app) == {"hidden"}


def test_nobody_sees_a_page_before_signing_in(visit):
    app = visit("overview")
    app.user = {"is_logged_in": False}
    app.run()
    assert not app.metric
    assert [button.label for button in app.button] == ["Sign in"]


@pytest.mark.parametrize(
    ("claim", "role"),
    [
        (None, "viewer"),
        ("admin", "admin"),
        (["viewer", "engineer"], "engineer"),
        ("administrator", "viewer"),
        (7, "viewer"),
        ([], "viewer"),
    ],
)
def test_a_role_is_never_more_than_the_claim_says(claim, role):
    assert role_from_claim(claim) == role


def test_a_page_does_not_wait_for_a_long_review(visit, stores, issue_id, monkeypatch):
    monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 0.0)
    go_on = Event()
    monkeypatch.setattr(data, "update_issue_states", lambda *_: go_on.wait(60))
    try:
        app = visit("issues", period="all time")
        assert app.dataframe, "the list is there although the review is not"
        assert any("Updating issue states" in one.value for one in app.sidebar.caption)
    finally:
        go_on.set()
        monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 60.0)
        assert not data.is_review_running()


def test_the_review_looks_once_at_each_state_of_the_store(visit, stores, issue_id, monkeypatch):
    looks = []
    monkeypatch.setattr(data, "update_issue_states", lambda *_: looks.append(1))
    visit("issues", period="all time")
    visit("overview", period="all time")
    assert looks == [1]
    with open_store(stores["normal"], read_only=False) as store:
        store.execute("UPDATE ingest_batch SET rows_in = rows_in + 1, rows_new = rows_new + 1")
    visit("issues", period="all time")
    assert looks == [1, 1]
