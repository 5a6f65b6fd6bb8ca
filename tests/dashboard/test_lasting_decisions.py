"""Corrections, merges, partings and archives: kept at once, shown at once, taken back, heeded by the next load."""

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

THEN, DAY = datetime(2026, 3, 1, tzinfo=UTC), date(2027, 1, 4)


@pytest.fixture
def own(stores, tmp_path, monkeypatch) -> Path:
    """A store of this test's own in the place of `normal`, with findings updated as a load does."""
    copy = tmp_path / "own.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    load(copy)
    return copy


def load(path: Path) -> None:
    with open_store(path, read_only=False) as store:
        update_findings(store, existing_triage(path), at=now())


def listed(path: Path) -> list[str]:
    with open_store(path) as store:
        return [str(one) for one in analysis.list_issues(store)["issue_id"]]


def causes(path: Path) -> dict[str, str]:
    with open_store(path) as store:
        found = analysis.list_issues(store)
    return dict(zip(found["issue_id"], found["cause"], strict=True))


@pytest.fixture
def issue_id(own) -> str:
    return listed(own)[0]


def kept(own: Path) -> TriageState:
    return TriageState.for_store(own)


def titles(app) -> str:
    return app.title[0].value.replace("\\", "")


def correct(app, issue_id: str, cause: str):
    app.selectbox(key=f"cause-{issue_id}").set_value(cause)
    app.text_input(key=f"why-cause-{issue_id}").set_value("we **asked** the admin")
    return app.button(key="keep-cause").click().run()


def test_a_corrected_cause_shows_at_once_and_holds_in_the_next_load(visit, own, issue_id):
    app = correct(visit("issue", period="all time", issue=issue_id), issue_id, "unknown")
    assert not app.exception
    assert titles(app) == analysis.load_playbook("unknown").title
    assert kept(own).corrected_causes() == {issue_id: "unknown"}
    said = kept(own).activity(issue_id)[-1]
    assert (said.action, said.after, said.reason) == ("cause", "unknown", "we **asked** the admin")
    load(own)
    assert causes(own)[issue_id] == "unknown"


def test_a_correction_shows_in_the_list_too_and_can_be_taken_back(visit, own, issue_id):
    before = causes(own)[issue_id]
    app = correct(visit("issue", period="all time", issue=issue_id), issue_id, "unknown")
    unknown = analysis.load_playbook("unknown").title
    assert unknown in list(visit("issues", period="all time").dataframe[0].value["cause"])
    app.button(key=f"uncorrect-{issue_id}").click().run()
    assert kept(own).corrected_causes() == {}
    assert titles(app) == analysis.load_playbook(before).title


def test_a_decision_does_not_wait_for_an_ingest(visit, own, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    with open_store(own, read_only=False):
        correct(app, issue_id, "unknown")
        assert kept(own).corrected_causes() == {issue_id: "unknown"}
        assert not app.exception


def test_merged_issues_are_one_after_the_next_load_and_two_when_taken_back(visit, own):
    one, other = listed(own)[:2]
    app = visit("issue", period="all time", issue=one)
    app.multiselect(key=f"merge-{one}").set_value([other])
    app.button(key="keep-merge").click().run()
    assert not app.exception
    assert {one, other} <= set(listed(own)), "the store is not touched by a click"
    load(own)
    assert len({one, other} & set(listed(own))) == 1
    gone = max(one, other)
    app = visit("issue", period="all time", issue=gone)
    assert "No data in this view" in app.info[0].value
    assert any(f"Merged with issue {min(one, other)}" in link.label for link in app.get("page_link"))

    app = visit("issue", period="all time", issue=min(one, other))
    app.button(key=f"unrule-{kept(own).grouping_rules()[0].rule_id}").click().run()
    load(own)
    assert {one, other} <= set(listed(own))


def test_both_merged_issues_say_so_in_their_log(visit, own):
    one, other = listed(own)[:2]
    app = visit("issue", period="all time", issue=one)
    app.multiselect(key=f"merge-{one}").set_value([other])
    app.button(key="keep-merge").click().run()
    for issue_id in (one, other):
        said = kept(own).activity(issue_id)[-1]
        assert said.action == "note"
        assert one in said.reason
        assert other in said.reason


def test_an_issue_that_is_gone_leads_to_the_one_that_took_over(visit, own, issue_id):
    kept(own)
    load(own)  # now that there is a state file, it learns what each issue says
    with kept(own).transaction() as state:
        state.execute("INSERT INTO lineage VALUES (?, 'an-older-id', 0)", (issue_id,))
    app = visit("issue", period="all time", issue="an-older-id")
    assert any(f"Its errors are now in issue {issue_id}" in link.label for link in app.get("page_link"))


def test_nothing_chosen_is_nothing_kept(visit, own, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key="keep-merge").click().run()
    assert kept(own).grouping_rules() == []
    assert "Nothing was merged" in app.toast[0].value


def test_a_message_that_is_parted_becomes_an_issue_of_its_own(visit, own):
    with open_store(own, read_only=False) as store:
        store.execute(
            "UPDATE sync_error SET message = CASE WHEN hash(event_id) % 2 = 0 THEN 'The tide is out'"
            " ELSE 'The moon is full' END, object = 'call2__v', error_type = 'X', operation = 'create',"
            " phase = 'upload', field = CASE WHEN hash(event_id) % 2 = 0 THEN 'a' ELSE 'b' END"
        )
        update_findings(store, existing_triage(own), at=now())
        both = analysis.list_issues(store)["issue_id"].tolist()
    kept(own).add_grouping_rule(GroupingRule.create("merge", issues=both), actor="a", at=THEN, reason="")
    load(own)
    (merged,) = listed(own)
    app = visit("issue", period="all time", issue=merged)
    app.multiselect(key=f"part-{merged}").set_value(["The moon is full"])
    app.button(key="keep-part").click().run()
    assert not app.exception
    load(own)
    assert len(listed(own)) == 2


@pytest.mark.parametrize(
    ("kind", "settle", "value"),
    [
        ("time", lambda app, name: app.date_input(key=f"until-time-{name}").set_value(DAY), f"{DAY}T00:00:00"),
        ("events", lambda app, name: app.number_input(key=f"until-events-{name}").set_value(25), "25"),
        ("device_share", lambda app, name: app.slider(key=f"until-share-{name}").set_value(20), "0.2"),
        ("release", None, "25.3.1"),
        ("forever", None, None),
    ],
)  # fmt: skip
def test_an_issue_is_archived_until(visit, own, issue_id, kind, settle, value):
    app = visit("issue", period="all time", issue=issue_id)
    app.radio(key=f"until-{issue_id}").set_value(kind).run()
    if settle:
        settle(app, issue_id)
    app.button(key="keep-archive").click().run()
    state = kept(own).state_of(issue_id)
    assert (state.state, state.until_kind, state.until_value) == ("archived", kind, value)
    assert any("Archived" in badge.value for badge in app.markdown)


def test_a_viewer_cannot_keep_a_decision(visit, own, issue_id):
    app = visit("issue", period="all time", issue=issue_id)
    app.user = {"is_logged_in": True, "email": "v@example.com", "roles": ["viewer"]}
    app.run()
    app.button(key="keep-cause").click().run()
    assert kept(own).corrected_causes() == {}
    assert any("Viewers cannot" in one.value for one in app.error)
