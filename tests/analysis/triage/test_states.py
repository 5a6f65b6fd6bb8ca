"""Triage state: decisions of users, their log, and many writers at the same time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from analysis import list_issues
from analysis.grouping.merge_rules import GroupingRule
from analysis.triage.states import (
    PRIORITIES,
    STATES,
    UNTIL_KINDS,
    TriageError,
    TriageState,
    default_priority,
)
from tests.support.examples import examples

NOW = datetime(2026, 3, 30, 8, tzinfo=UTC)


@pytest.fixture
def triage(tmp_path):
    return TriageState(tmp_path / "fleet.triage.sqlite")


def test_an_issue_without_decisions_is_new(triage):
    assert triage.state_of("i1").state == "new"
    assert triage.activity() == []


def test_every_change_is_in_the_log_with_actor_and_reason(triage):
    triage.assign("i1", "mia", actor="lead", at=NOW)
    triage.resolve("i1", actor="mia", at=NOW, reason="permission given back", fixed_in="25.3.2")
    triage.add_note("i1", "told the reps", actor="mia", at=NOW)
    assert [(a.actor, a.action, a.before, a.after, a.reason) for a in triage.activity("i1")] == [
        ("lead", "assignee", None, "mia", ""),
        ("mia", "state", "new", "resolved", "permission given back"),
        ("mia", "note", None, None, "told the reps"),
    ]
    result = triage.state_of("i1")
    assert (result.state, result.assignee, result.fixed_in) == ("resolved", "mia", "25.3.2")


def test_timestamps_are_stored_in_utc(triage):
    triage.reopen("i1", actor="mia", at=datetime.fromisoformat("2026-03-30T10:00:00+02:00"), reason="")
    assert triage.state_of("i1").since.isoformat() == "2026-03-30T08:00:00"


def test_a_new_decision_forgets_the_conditions_of_the_old(triage):
    triage.archive("i1", actor="mia", at=NOW, reason="later", until="events", value=50)
    triage.reopen("i1", actor="mia", at=NOW, reason="now")
    result = triage.state_of("i1")
    assert (result.state, result.until_kind, result.until_value) == ("ongoing", None, None)


@pytest.mark.parametrize(
    ("until", "value"),
    [("time", "soon"), ("events", "many"), ("device_share", None), ("the end", 1)],
)
def test_an_archive_without_a_usable_end_is_refused(triage, until, value):
    with pytest.raises(TriageError) as refused:
        triage.archive("i1", actor="mia", at=NOW, reason="", until=until, value=value)
    assert refused.value.next_step
    assert triage.activity() == []


def test_unknown_values_are_rejected_with_a_list_of_valid_ones(triage):
    with pytest.raises(TriageError) as state:
        triage.set_state("i1", "fixed", actor="mia", at=NOW, reason="")
    with pytest.raises(TriageError) as priority:
        triage.pin_priority("i1", "urgent", actor="mia", at=NOW)
    assert "resolved" in state.value.next_step
    assert "medium" in priority.value.next_step


def test_a_change_without_an_actor_is_not_made(triage):
    with pytest.raises(TriageError):
        triage.resolve("i1", actor="", at=NOW, reason="")
    assert triage.state_of("i1").state == "new"


def test_user_text_is_data(triage):
    hostile = "'); DROP TABLE activity; --"
    triage.add_note(hostile, hostile, actor=hostile, at=NOW)
    assert triage.activity(hostile)[0].reason == hostile


def test_a_pinned_priority_beats_the_automatic_one(triage, stormy_store):
    wanted = list_issues(stormy_store).issue_id[0]
    triage.pin_priority(wanted, "low", actor="mia", at=NOW)
    triage.assign(wanted, "mia", actor="mia", at=NOW)
    triage.resolve(wanted, actor="mia", at=NOW, reason="done")
    result = list_issues(stormy_store, triage=triage).set_index("issue_id").loc[wanted]
    assert (result.priority, result.assignee, result.state) == ("low", "mia", "resolved")
    assert wanted not in list_issues(stormy_store, triage=triage, query="-is:resolved").issue_id.to_list()
    assert list_issues(stormy_store, triage=triage, query="assignee:mia").issue_id.to_list() == [wanted]


def test_priority_follows_the_records_at_risk():
    assert [default_priority(*case) for case in ((10, 1), (1, 1), (0, 3), (0, 2))] == [
        "high", "medium", "medium", "low",
    ]  # fmt: skip


def test_rules_and_corrections_are_stored_and_reverted(triage):
    merge = GroupingRule.create("merge", messages=["b", "a"])
    triage.add_grouping_rule(merge, actor="mia", at=NOW, reason="same thing")
    triage.correct_cause("i1", "record-locked", actor="mia", at=NOW, reason="asked the rep")
    assert triage.grouping_rules() == [merge]
    assert triage.corrected_causes() == {"i1": "record-locked"}
    triage.remove_grouping_rule(merge.rule_id, actor="mia", at=NOW, reason="no")
    triage.correct_cause("i1", None, actor="mia", at=NOW, reason="no")
    assert (triage.grouping_rules(), triage.corrected_causes()) == ([], {})
    assert len(triage.activity()) == 4


def test_an_invalid_state_file_is_rejected_with_a_next_step(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"this is not a database, and long enough to be read as one" * 100)
    with pytest.raises(TriageError) as refused:
        TriageState(tmp_path / "x.sqlite")
    assert refused.value.next_step


def test_threads_lose_no_change(triage):
    def note(number):
        triage.add_note(f"i{number % 3}", str(number), actor="mia", at=NOW + timedelta(seconds=number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(80)))
    assert sorted(int(entry.reason) for entry in triage.activity()) == list(range(80))


def test_processes_lose_no_change(triage):
    """Two dashboards and the command line."""
    script = (
        "import sys; from datetime import datetime; from analysis.triage.states import TriageState\n"
        "state = TriageState(sys.argv[1])\n"
        "at = datetime(2026, 3, 30)\n"
        "for n in range(25): state.resolve('i1', actor=sys.argv[2], at=at, reason=str(n))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(triage.path), actor]) for actor in ("a", "b", "c")
    ]
    assert [process.wait(timeout=300) for process in running] == [0, 0, 0]
    log = triage.activity("i1")
    assert len(log) == 75
    assert all(later.before == earlier.after for earlier, later in pairwise(log))


class TriageMachine(RuleBasedStateMachine):
    """For any order of decisions, each issue has one state, and the log explains it."""

    def __init__(self):
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.triage = TriageState(f"{self.folder.name}/triage.sqlite")
        self.changes = 0

    def teardown(self):
        self.folder.cleanup()

    issues = st.sampled_from(["i1", "i2"])

    @rule(issue=issues, state=st.sampled_from(STATES))
    def move(self, issue, state):
        self.triage.set_state(issue, state, actor="mia", at=NOW, reason="")
        self.changes += 1

    @rule(issue=issues, until=st.sampled_from([u for u in UNTIL_KINDS if u in ("forever", "escalating")]))
    def archive(self, issue, until):
        self.triage.archive(issue, actor="mia", at=NOW, reason="", until=until)
        self.changes += 1

    @rule(issue=issues, priority=st.sampled_from([*PRIORITIES, None]))
    def pin(self, issue, priority):
        self.triage.pin_priority(issue, priority, actor="mia", at=NOW)
        self.changes += 1

    @invariant()
    def the_log_explains_the_state(self):
        log = self.triage.activity()
        assert len(log) == self.changes
        for issue_id, result in self.triage.states().items():
            states = [entry.after for entry in log if entry.issue_id == issue_id and entry.action == "state"]
            assert result.state == (states[-1].split()[0] if states else "new")


TestTriageMachine = TriageMachine.TestCase
TestTriageMachine.settings = settings(max_examples=examples(15), stateful_step_count=12, deadline=None)


@settings(max_examples=examples(30), deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_any_text_is_returned_unchanged(text, tmp_path_factory):
    triage = TriageState(tmp_path_factory.mktemp("triage") / "t.sqlite")
    triage.add_note("i1", text, actor="mia", at=NOW)
    assert triage.activity("i1")[0].reason == text
