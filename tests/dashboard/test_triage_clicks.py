"""Clicks are saved immediately with the user, even during a load."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

import analysis
from analysis.triage.states import TriageState
from dashboard import data
from dashboard.auth import role_from_claim
from ingest import open_store

pytestmark = pytest.mark.slow


@pytest.fixture
def issue_id(stores, tmp_path, monkeypatch):
    """The worst issue of a copy of `normal` for this test."""
    copy = tmp_path / "own.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    with open_store(copy) as store:
        return str(analysis.list_issues(store)["issue_id"].iloc[0])


def state(stores) -> TriageState:
    return TriageState.for_store(stores["normal"])


def test_a_resolved_issue_shows_immediately(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key="do-Resolve").click().run()
    assert state(stores).state_of(issue_id).state == "resolved"
    assert app.button(key="do-Reopen")
    assert any("Resolved" in badge.value for badge in app.markdown)


def test_assignee_priority_and_note_are_saved_with_the_user(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.text_input(key=f"assignee-{issue_id}").set_value("ana")
    app.text_area(key=f"note-{issue_id}").set_value("**Called** the admin")
    app.button(key=f"FormSubmitter:triage-{issue_id}-Save").click().run()
    kept = state(stores)
    assert kept.state_of(issue_id).assignee == "ana"
    done = [entry for entry in kept.activity(issue_id) if entry.actor != "synclens"]
    assert [entry.action for entry in done] == ["assignee", "note"]
    assert done[1].reason == "**Called** the admin"
    assert all(entry.actor for entry in done)


def test_a_click_does_not_wait_for_a_load(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    with open_store(stores["normal"], read_only=False):
        app.button(key="do-Resolve").click().run()
        assert state(stores).state_of(issue_id).state == "resolved"
        assert not app.exception
        assert app.title, "the page from before the ingest is still there"


def test_a_viewer_can_read_but_not_edit(visit, stores, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    assert app.button(key="do-Resolve").disabled
    assert app.title


def users_shown(app) -> set[str]:
    tables = [table.value for table in app.dataframe]
    return {str(who) for table in tables if "user_id" in table for who in table["user_id"]}


def test_names_are_masked_for_viewers(visit, stores, issue_id, monkeypatch):
    monkeypatch.setenv("SYNCLENS_MASK_NAMES", "1")
    app = visit("issue", period="all time", issue=issue_id)
    assert "hidden" not in users_shown(app), "an engineer sees who it is"
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    assert users_shown(app) == {"hidden"}


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
def test_a_role_never_exceeds_the_claim(claim, role):
    assert role_from_claim(claim) == role


def test_a_page_does_not_wait_for_a_long_review(visit, stores, issue_id, monkeypatch):
    monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 0.0)
    go_on = Event()
    monkeypatch.setattr(data, "update_issue_states", lambda *_: go_on.wait(60))
    try:
        app = visit("issues", period="all time")
        assert app.dataframe, "the list is there although the review is not"
        assert any("Updating issue states" in element.value for element in app.sidebar.caption)
    finally:
        go_on.set()
        monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 60.0)
        assert not data.is_review_running()


def test_each_version_of_the_store_is_reviewed_once(visit, stores, issue_id, monkeypatch):
    reviews = []
    monkeypatch.setattr(data, "update_issue_states", lambda *_: reviews.append(1))
    visit("issues", period="all time")
    visit("overview", period="all time")
    assert reviews == [1]
    with open_store(stores["normal"], read_only=False) as store:
        store.execute("UPDATE ingest_batch SET rows_in = rows_in + 1, rows_new = rows_new + 1")
    visit("issues", period="all time")
    assert reviews == [1, 1]
