"""Corrections, merges, splits and archives: saved immediately, revertible, applied by the next load."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import analysis
from analysis.findings import update_findings
from analysis.grouping.merge_rules import GroupingRule
from analysis.triage.states import TriageState
from ingest import open_store
from synclens.clock import now
from synclens.triage_file import existing_triage

pytestmark = pytest.mark.slow

THEN, DAY = datetime(2026, 3, 1, tzinfo=UTC), date(2027, 1, 4)


@pytest.fixture
def own_store(stores, tmp_path, monkeypatch) -> Path:
    """A copy of `normal` for this test, with findings as after a load."""
    copy = tmp_path / "own_store.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    load(copy)
    return copy


def load(path: Path) -> None:
    with open_store(path, read_only=False) as store:
        update_findings(store, existing_triage(path), at=now())


def issue_ids(path: Path) -> list[str]:
    """Return the issues of errors; failed syncs without an error have issues of another kind."""
    with open_store(path) as store:
        issues = analysis.list_issues(store)
    return [str(issue_id) for issue_id in issues.loc[issues["failure_kind"].isna(), "issue_id"]]


def causes(path: Path) -> dict[str, str]:
    with open_store(path) as store:
        issues = analysis.list_issues(store)
    return dict(zip(issues["issue_id"], issues["cause"], strict=True))


@pytest.fixture
def issue_id(own_store) -> str:
    return issue_ids(own_store)[0]


def triage_of(own_store: Path) -> TriageState:
    return TriageState.for_store(own_store)


def page_title(app) -> str:
    return app.title[0].value.replace("\\", "")


def correct(app, issue_id: str, cause: str):
    app.selectbox(key=f"cause-{issue_id}").set_value(cause)
    app.text_input(key=f"why-cause-{issue_id}").set_value("we **asked** the admin")
    return app.button(key="save-cause").click().run()


def test_a_corrected_cause_shows_immediately_and_survives_the_next_load(visit, own_store, issue_id):
    app = correct(visit("issue", period="all time", issue=issue_id), issue_id, "unknown")
    assert not app.exception
    assert page_title(app) == analysis.load_playbook("unknown").title
    assert triage_of(own_store).corrected_causes() == {issue_id: "unknown"}
    entry = triage_of(own_store).activity(issue_id)[-1]
    assert (entry.action, entry.after, entry.reason) == ("cause", "unknown", "we **asked** the admin")
    load(own_store)
    assert causes(own_store)[issue_id] == "unknown"


def test_a_correction_shows_in_the_list_and_can_be_reverted(visit, own_store, issue_id):
    before = causes(own_store)[issue_id]
    app = correct(visit("issue", period="all time", issue=issue_id), issue_id, "unknown")
    unknown = analysis.load_playbook("unknown").title
    assert unknown in list(visit("issues", period="all time").dataframe[0].value["cause"])
    app.button(key=f"uncorrect-{issue_id}").click().run()
    assert triage_of(own_store).corrected_causes() == {}
    assert page_title(app) == analysis.load_playbook(before).title


def test_a_decision_does_not_wait_for_a_load(visit, own_store, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    with open_store(own_store, read_only=False):
        correct(app, issue_id, "unknown")
        assert triage_of(own_store).corrected_causes() == {issue_id: "unknown"}
        assert not app.exception


def test_issues_merge_with_the_next_load_and_can_be_reverted(visit, own_store):
    one, other = issue_ids(own_store)[:2]
    app = visit("issue", period="all time", issue=one)
    app.multiselect(key=f"merge-{one}").set_value([other])
    app.button(key="save-merge").click().run()
    assert not app.exception
    assert {one, other} <= set(issue_ids(own_store)), "the store is not touched by a click"
    load(own_store)
    assert len({one, other} & set(issue_ids(own_store))) == 1
    gone = max(one, other)
    app = visit("issue", period="all time", issue=gone)
    assert "No data in this view" in app.info[0].value
    assert any(f"Merged with issue {min(one, other)}" in link.label for link in app.get("page_link"))

    app = visit("issue", period="all time", issue=min(one, other))
    app.button(key=f"unrule-{triage_of(own_store).grouping_rules()[0].rule_id}").click().run()
    load(own_store)
    assert {one, other} <= set(issue_ids(own_store))


def test_a_merge_is_logged_on_both_issues(visit, own_store):
    one, other = issue_ids(own_store)[:2]
    app = visit("issue", period="all time", issue=one)
    app.multiselect(key=f"merge-{one}").set_value([other])
    app.button(key="save-merge").click().run()
    for issue_id in (one, other):
        entry = triage_of(own_store).activity(issue_id)[-1]
        assert entry.action == "note"
        assert one in entry.reason
        assert other in entry.reason


def test_an_issue_without_errors_links_to_its_successor(visit, own_store, issue_id):
    triage_of(own_store)
    load(own_store)  # the triage file now stores the content of each issue
    with triage_of(own_store).transaction() as state:
        state.execute("INSERT INTO lineage VALUES (?, 'an-older-id', 0)", (issue_id,))
    app = visit("issue", period="all time", issue="an-older-id")
    assert any(f"Its errors are now in issue {issue_id}" in link.label for link in app.get("page_link"))


def test_a_merge_without_other_issues_saves_nothing(visit, own_store, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key="save-merge").click().run()
    assert triage_of(own_store).grouping_rules() == []
    assert "Nothing was merged" in app.toast[0].value


def test_a_split_message_becomes_a_separate_issue(visit, own_store):
    with open_store(own_store, read_only=False) as store:
        store.execute(
            "UPDATE sync_error SET message = CASE WHEN hash(event_id) % 2 = 0 THEN 'The tide is out'"
            " ELSE 'The moon is full' END, object = 'call2__v', error_type = 'X', operation = 'create',"
            " phase = 'upload', field = CASE WHEN hash(event_id) % 2 = 0 THEN 'a' ELSE 'b' END"
        )
        update_findings(store, existing_triage(own_store), at=now())
    both = issue_ids(own_store)
    triage_of(own_store).add_grouping_rule(
        GroupingRule.create("merge", issues=both), actor="a", at=THEN, reason=""
    )
    load(own_store)
    (merged,) = issue_ids(own_store)
    app = visit("issue", period="all time", issue=merged)
    app.multiselect(key=f"part-{merged}").set_value(["The moon is full"])
    app.button(key="save-part").click().run()
    assert not app.exception
    load(own_store)
    assert len(issue_ids(own_store)) == 2


@pytest.mark.parametrize(
    ("kind", "set_value", "value"),
    [
        ("time", lambda app, name: app.date_input(key=f"until-time-{name}").set_value(DAY), f"{DAY}T00:00:00"),
        ("events", lambda app, name: app.number_input(key=f"until-events-{name}").set_value(25), "25"),
        ("device_share", lambda app, name: app.slider(key=f"until-share-{name}").set_value(20), "0.2"),
        ("release", None, "25.3.1"),
        ("forever", None, None),
    ],
)  # fmt: skip
def test_an_issue_is_archived_until(visit, own_store, issue_id, kind, set_value, value):
    app = visit("issue", period="all time", issue=issue_id)
    app.radio(key=f"until-{issue_id}").set_value(kind).run()
    if set_value:
        set_value(app, issue_id)
    app.button(key="save-archive").click().run()
    state = triage_of(own_store).state_of(issue_id)
    assert (state.state, state.until_kind, state.until_value) == ("archived", kind, value)
    assert any("Archived" in badge.value for badge in app.markdown)


def test_a_viewer_cannot_save_a_decision(visit, own_store, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    app.button(key="save-cause").click().run()
    assert triage_of(own_store).corrected_causes() == {}
    assert any("Viewers cannot" in error.value for error in app.error)
