"""Decisions of users follow the content of errors: through loads, wider templates, merges, restarts and old files."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import analysis
from analysis.findings import CORRECTION_RULE_ID, update_findings
from analysis.grouping.merge_rules import GroupingRule
from analysis.triage.id_migration import successors
from analysis.triage.overrides import NO_ERRORS_YET
from analysis.triage.states import TriageError, TriageState
from tests.conftest import fresh_store
from tests.support.examples import examples

NOW = datetime(2026, 3, 30, 8)  # noqa: DTZ001 - as in the store
OBJECTS = ["call2__v", "account__v"]
# Family of messages: the text of its messages. Names vary; numbers are masked; the last two are one word apart.
FAMILIES = {
    "left": "user {} left the room",
    "tapped": "somebody tapped {} and nothing came",
    "locked": "Record V4W00000000{}01 is locked",
    "started": "Sync Started at noon",
    "paused": "Sync Paused at noon",
}
NAMES = ["ann", "bob", "cleo", "dora", "emil"]
CAUSES = ["network", "record-locked", "unknown", "app-outdated"]
row_strategy = st.tuples(st.sampled_from(OBJECTS), st.sampled_from(list(FAMILIES)), st.sampled_from(NAMES))


def message_of(family: str, name: str) -> str:
    return FAMILIES[family].format(NAMES.index(name) if family == "locked" else name)


class Events:
    """A store to which errors are added, and its triage file, opened again for each query."""

    def __init__(self, store, folder: str | Path):
        self.store, self.path, self.count = store, Path(folder) / "fleet.triage.sqlite", 0
        for table in ("sync_error", "finding"):
            store.execute(f"DELETE FROM {table}")

    @property
    def triage(self) -> TriageState:
        return TriageState(self.path)

    def add(self, *rows: tuple[str, str, str]) -> None:
        for object_name, family, name in rows:
            self.count += 1
            self.store.execute(
                "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, phase, operation, object,"
                " error_type, message, payload, source, batch_id)"
                " VALUES (?, ?, 'u1', 'd1', 'upload', 'update', ?, 'X', ?, ?, 't', 't')",
                [
                    f"e{self.count}",
                    NOW,
                    object_name,
                    message_of(family, name),
                    json.dumps([object_name, family, name]),
                ],
            )

    def update(self) -> None:
        update_findings(self.store, self.triage, at=NOW)

    def load(self, *rows: tuple[str, str, str]) -> None:
        self.add(*rows)
        self.update()

    def findings(self) -> list[tuple[str, ...]]:
        return self.store.execute("SELECT * EXCLUDE (evidence, also) FROM finding ORDER BY ALL").fetchall()

    def rows(self):
        """Return the content of each error, its issue, and its corrected cause."""
        sql = "SELECT payload, f.issue_id, cause, rule FROM finding AS f JOIN sync_error USING (event_id)"
        for payload, issue, cause, how in self.store.execute(sql).fetchall():
            yield tuple(json.loads(payload)), issue, cause if how == CORRECTION_RULE_ID else None

    def issue(self, object_name: str, family: str, name: str = "ann") -> str:
        return next(issue for content, issue, _ in self.rows() if content == (object_name, family, name))

    def corrected_causes(self) -> dict[tuple[str, ...], str]:
        return {content: cause for content, _, cause in self.rows() if cause}


@pytest.fixture
def events(store, tmp_path):
    return Events(store, tmp_path)


def correct(events: Events, issue: str, cause: str | None = "network", why: str = "asked the rep") -> None:
    events.triage.correct_cause(issue, cause, actor="mia", at=NOW, reason=why)


ANN, BOB, CLEO = (("call2__v", "left", name) for name in NAMES[:3])
LOCKED, ELSEWHERE = ("call2__v", "locked", "ann"), ("account__v", "left", "ann")


def test_a_correction_holds_when_a_wider_template_changes_the_issue_id(events):
    events.load(ANN, LOCKED)
    before = events.issue(*ANN)
    correct(events, before)
    events.load(BOB, ELSEWHERE)
    assert events.issue(*ANN) == events.issue(*BOB) != before
    assert events.corrected_causes() == {ANN: "network"}, (
        "nobody has looked at Bob's, and it is another object elsewhere"
    )


def test_a_correction_of_many_names_applies_to_new_names_but_not_other_text(events):
    events.load(ANN, BOB)
    correct(events, events.issue(*ANN))
    events.load(CLEO, ELSEWHERE, ("call2__v", "tapped", "ann"))
    assert events.corrected_causes() == {ANN: "network", BOB: "network", CLEO: "network"}


def test_text_that_changes_the_meaning_is_not_a_name(events):
    events.load(ANN, BOB)
    correct(events, events.issue(*ANN))
    events.store.execute("UPDATE sync_error SET message = 'user not left the room' WHERE event_id = 'e2'")
    events.update()
    assert events.corrected_causes() == {ANN: "network"}


def test_a_correction_outlives_the_store(events):
    events.load(ANN, LOCKED)
    correct(events, events.issue(*ANN))
    for table in ("sync_error", "finding"):
        events.store.execute(f"DELETE FROM {table}")
    events.load(BOB)
    events.load(ANN, LOCKED)
    assert events.corrected_causes() == {ANN: "network"}


def test_the_newest_correction_wins_and_reverting_it_restores_the_older_one(events):
    events.load(ANN, BOB)
    issue = events.issue(*ANN)
    correct(events, issue, "network")
    correct(events, issue, "record-locked")
    assert events.triage.corrected_causes() == {issue: "record-locked"}
    correct(events, issue, None)
    assert events.triage.current_correction(issue) == "network"
    events.update()
    assert set(events.corrected_causes().values()) == {"network"}


def test_a_correction_is_reverted_by_its_number_too(events):
    events.load(ANN)
    correct(events, events.issue(*ANN))
    (correction,) = events.triage.correction_rules()
    assert (correction.actor, correction.reason, correction.cause) == ("mia", "asked the rep", "network")
    events.triage.revert_correction(correction.number, actor="mia", at=NOW, reason="no")
    assert events.triage.correction_rules() == []
    with pytest.raises(TriageError) as refused:
        events.triage.revert_correction(correction.number, actor="mia", at=NOW, reason="no")
    assert "list of corrections" in refused.value.next_step


def test_a_cause_that_does_not_exist_is_refused_with_those_that_do(events):
    with pytest.raises(TriageError) as refused:
        correct(events, "any", "gremlins")
    assert "network" in refused.value.next_step


def test_corrections_become_labelled_errors(events):
    events.load(ANN, BOB, LOCKED)
    correct(events, events.issue(*ANN))
    assert events.triage.labeled_samples() == [
        {"error_type": "X", "object": "call2__v", "operation": "update", "phase": "upload",
         "message": message_of("left", name), "cause": "network"}
        for name in ("ann", "bob")
    ]  # fmt: skip


def old_file(path: Path, corrections: dict[str, str], rules: dict[str, object]) -> None:
    """A state file as the first version made it: corrections by the id of an issue."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "CREATE TABLE issue_state (issue_id TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL,"
            " until_kind TEXT, until_value TEXT, fixed_in TEXT, assignee TEXT, priority TEXT);"
            "CREATE TABLE activity (number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL,"
            " actor TEXT NOT NULL, issue_id TEXT NOT NULL, action TEXT NOT NULL, before TEXT, after TEXT,"
            " reason TEXT NOT NULL);"
            "CREATE TABLE grouping_rule (rule_id TEXT PRIMARY KEY, kind TEXT NOT NULL, content TEXT NOT NULL);"
            "CREATE TABLE correction (key TEXT PRIMARY KEY, cause TEXT NOT NULL);"
        )
        for key, cause in corrections.items():
            old.execute("INSERT INTO correction VALUES (?, ?)", (key, cause))
            old.execute(
                "INSERT INTO activity (at, actor, issue_id, action, after, reason)"
                " VALUES ('2026-01-01T00:00:00', 'tom', ?, 'cause', ?, 'old')", (key, cause),
            )  # fmt: skip
            old.execute(
                "INSERT INTO activity (at, actor, issue_id, action, after, reason)"
                " VALUES ('2026-01-01T00:00:00', 'tom', ?, 'state', 'archived', 'old')", (key,),
            )  # fmt: skip
            old.execute(
                "INSERT INTO issue_state (issue_id, state, since)"
                " VALUES (?, 'archived', '2026-01-01T00:00:00')", (key,),
            )  # fmt: skip
        for key, content in rules.items():
            old.execute("INSERT INTO grouping_rule VALUES (?, 'merge', ?)", (key, json.dumps(content)))
        old.commit()


def test_an_old_file_is_migrated_and_unknown_issues_are_kept_and_reported(events):
    events.add(ANN, LOCKED)
    analysis.update_findings(events.store)
    left, locked = events.issue(*ANN), events.issue(*LOCKED)
    old_file(events.path, {left: "network", "gone": "network"}, {"r": {"issues": [left, locked]}})
    assert events.triage.state_of(left).decided_by == "tom"
    events.load(BOB)
    assert events.corrected_causes() == {ANN: "network"}
    assert events.issue(*ANN) == events.issue(*BOB) == events.issue(*LOCKED)
    (rule,) = events.triage.correction_rules()
    assert (rule.actor, rule.reason, rule.at.year) == ("tom", "old", 2026)
    assert events.triage.state_of(events.issue(*BOB)).state == "archived"
    assert events.triage.corrected_causes()["gone"] == "network"
    for _ in range(2):
        events.update()
    assert [entry.reason for entry in events.triage.activity("gone")].count(NO_ERRORS_YET) == 1


def test_a_correction_of_an_issue_not_loaded_yet_applies_from_the_next_load(events):
    events.add(ANN)
    analysis.update_findings(events.store)
    correct(events, events.issue(*ANN))
    assert events.triage.corrected_causes() == {events.issue(*ANN): "network"}
    events.load(BOB)
    assert events.corrected_causes() == {ANN: "network"}


def test_decisions_follow_an_issue_to_its_new_id_with_its_log(events):
    events.load(ANN)
    before = events.issue(*ANN)
    triage = events.triage
    triage.add_note(before, "the admin knows", actor="mia", at=NOW)
    triage.archive(before, actor="mia", at=NOW, reason="later", until="events", value=50)
    triage.assign(before, "mia", actor="tom", at=NOW)
    triage.pin_priority(before, "high", actor="tom", at=NOW)
    events.load(BOB)
    now = triage.state_of(events.issue(*BOB))
    assert (now.state, now.until_kind, now.until_value) == ("archived", "events", "50")
    assert (now.assignee, now.priority, now.decided_by, now.since) == ("mia", "high", "mia", NOW)
    log = triage.activity(events.issue(*BOB))
    assert [entry.action for entry in log] == ["note", "state", "assignee", "priority", "taken over"]
    assert before in log[-1].reason
    assert triage.successors_of(before) == {events.issue(*BOB)}
    assert triage.predecessors_of(events.issue(*BOB)) == {before}
    assert "archived until events 50, assigned to mia, priority high" in log[-1].after


def test_two_merged_issues_stay_open_if_either_was_open_and_the_log_names_both(events):
    four = [("call2__v", "tapped", name) for name in NAMES[:4]]
    events.load(*four[:2])
    first, second = (events.issue(*content) for content in four[:2])
    assert first != second
    events.triage.archive(first, actor="mia", at=NOW, reason="harmless")
    events.triage.assign(first, "mia", actor="mia", at=NOW)
    events.triage.reopen(second, actor="tom", at=NOW - timedelta(days=1), reason="hurts")
    events.load(*four[2:])
    both = events.issue(*four[0])
    assert both == events.issue(*four[1])
    state = events.triage.state_of(both)
    assert (state.state, state.assignee) == ("ongoing", "mia")
    met = next(entry.reason for entry in events.triage.activity(both) if entry.action == "taken over")
    assert f"{first}: archived until forever, assigned to mia" in met and f"{second}: ongoing" in met


def test_a_user_decision_has_priority_over_the_automatic_review(events):
    four = [("call2__v", "tapped", name) for name in NAMES[:4]]
    events.load(*four[:2])
    first, second = (events.issue(*content) for content in four[:2])
    events.triage.set_state(second, "escalating", actor="synclens", at=NOW, reason="8 devices")
    events.triage.archive(first, actor="mia", at=NOW - timedelta(days=9), reason="harmless")
    events.load(*four[2:])
    assert events.triage.state_of(events.issue(*four[1])).state == "archived"


def test_an_update_after_an_interrupted_load_completes_the_migration(events):
    events.load(ANN)
    events.triage.archive(events.issue(*ANN), actor="mia", at=NOW, reason="harmless")
    events.add(BOB)
    analysis.update_findings(events.store)  # the store has new ids, and the triage file does not have them
    events.update()
    assert events.triage.state_of(events.issue(*BOB)).state == "archived"


OTHER_LOCKED = ("call2__v", "locked", "bob")  # the same content as LOCKED, because only the id differs


@pytest.mark.parametrize("is_rebuilt", [False, True], ids=["store upgraded", "store rebuilt"])
def test_decisions_survive_a_version_of_the_grouping_that_masks_more(events, is_rebuilt):
    events.load(LOCKED, OTHER_LOCKED, ANN)
    triage, issue, other = events.triage, events.issue(*LOCKED), events.issue(*ANN)
    # As an earlier version left it: the two records are two contents in two issues.
    with triage.transaction() as connection:
        connection.execute("DELETE FROM content WHERE issue_id = ?", (issue,))
        for number, name in enumerate(("ann", "bob")):
            content = ("X", "call2__v", "update", "upload", message_of("locked", name))
            connection.execute(
                "INSERT INTO content VALUES (?, ?, ?, ?, ?, ?, ?)",
                (f"old{number}", f"issue{number}", *content),
            )
            sql = "UPDATE finding SET issue_id = ? WHERE event_id = ?"
            events.store.execute(sql, (f"issue{number}", f"e{number + 1}"))
    if is_rebuilt:
        events.store.execute("DELETE FROM finding")
    else:
        with triage.transaction() as connection:
            connection.execute("DELETE FROM content WHERE fingerprint LIKE 'old%'")
    triage.archive("issue0", actor="mia", at=NOW, reason="harmless")
    triage.assign("issue1", "tom", actor="mia", at=NOW)
    triage.archive(other, actor="mia", at=NOW, reason="harmless")
    events.update()
    assert events.issue(*LOCKED) == events.issue(*OTHER_LOCKED) == issue
    state = triage.state_of(issue)
    assert (state.state, state.assignee) == ("archived", "tom")
    assert triage.predecessors_of(issue) == {"issue0", "issue1"}
    assert triage.state_of(other).state == "archived" and triage.predecessors_of(other) == set()
    log = triage.activity(issue)
    events.update()
    assert triage.activity(issue) == log  # nothing is inherited twice


def test_content_that_moves_between_existing_issues_moves_no_decisions():
    assert successors({"a": "x", "b": "x", "c": "y"}, {"a": "x", "b": "y", "c": "y"}) == {}
    assert successors({"a": "x", "b": "x"}, {"a": "x", "b": "z"}) == {"z": ["x"]}
    assert successors({"a": "x", "b": "y"}, {"a": "z", "b": "z", "c": "z"}) == {"z": ["x", "y"]}


@pytest.fixture(scope="module", autouse=True)
def shared_store():
    with fresh_store() as made:
        TriageMachine.store = made
        yield
        TriageMachine.store = None


class TriageMachine(RuleBasedStateMachine):
    """Loads, merges, corrections and other decisions in any order, compared with a simple model.

    `rules` are the corrections with the content that the issue had at the time. `notes_by_content` has the notes
    that were added to the issue of each content.
    """

    store = None

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.events = Events(self.store, self.folder.name)
        self.rules: list[tuple[str, set[tuple[str, str]], set[tuple[str, str, str]]]] = []
        self.merged = self.notes = 0
        self.notes_by_content: dict[tuple[str, ...], set[str]] = {}
        self.assigned: dict[tuple[str, ...], str] = {}

    def teardown(self):
        self.folder.cleanup()

    @initialize(rows=st.lists(row_strategy, min_size=1, max_size=4))
    def begin(self, rows):
        self.events.load(*rows)

    @rule(rows=st.lists(row_strategy, min_size=1, max_size=4))
    def load(self, rows):
        self.events.load(*rows)

    @rule(data=st.data(), cause=st.sampled_from(CAUSES))
    def correct(self, data, cause):
        issue, shown = self.choose_issue(data)
        correct(self.events, issue, cause)
        assert self.events.triage.corrected_causes()[issue] == cause
        names: dict[tuple[str, str], set[str]] = {}
        for object_name, family, name in shown:
            names.setdefault((object_name, family), set()).add(name)
        always = {(object_name, family) for object_name, family in names if family not in ("left", "tapped")}
        varies = {key for key, result in names.items() if self.is_place_for_names(key[1], result)}
        self.rules.append((cause, always | varies, shown))
        self.events.update()

    @staticmethod
    def is_place_for_names(family: str, names: set[str]) -> bool:
        return len(names) >= {"left": 2, "tapped": 4}.get(family, 1)

    @precondition(lambda self: self.rules)
    @rule(data=st.data())
    def withdraw(self, data):
        place = data.draw(st.integers(0, len(self.rules) - 1))
        number = self.events.triage.correction_rules()[place].number
        self.events.triage.revert_correction(number, actor="mia", at=NOW, reason="no")
        del self.rules[place]
        self.events.update()

    @rule(data=st.data(), cause=st.sampled_from(CAUSES))
    def correct_and_revert(self, data, cause):
        issue, _ = self.choose_issue(data)
        before, corrections = self.events.findings(), self.events.triage.corrected_causes()
        correct(self.events, issue, cause)
        self.events.update()
        correct(self.events, issue, None)
        assert self.events.triage.corrected_causes() == corrections
        self.events.update()
        assert self.events.findings() == before

    @rule(data=st.data())
    def merge(self, data):
        first, second = self.choose_issue(data)[0], self.choose_issue(data)[0]
        self.merged += 1
        issues = tuple(sorted({first, second}))
        merge = GroupingRule(rule_id=f"r{self.merged}", kind="merge", issues=issues)
        self.events.triage.add_grouping_rule(merge, actor="mia", at=NOW, reason="")
        self.events.update()
        assert len({issue for _, issue, _ in self.events.rows() if issue in (first, second)}) == 1

    @precondition(lambda self: self.events.triage.grouping_rules())
    @rule(data=st.data())
    def revert_merge(self, data):
        names = [rule.rule_id for rule in self.events.triage.grouping_rules()]
        self.events.triage.remove_grouping_rule(
            data.draw(st.sampled_from(names)), actor="mia", at=NOW, reason=""
        )
        self.events.update()

    @rule(data=st.data())
    def note(self, data):
        issue, shown = self.choose_issue(data)
        self.notes += 1
        self.events.triage.add_note(issue, f"note {self.notes}", actor="mia", at=NOW)
        for content in shown:
            self.notes_by_content.setdefault(content, set()).add(f"note {self.notes}")

    @rule(data=st.data(), who=st.sampled_from(["mia", "tom"]))
    def assign(self, data, who):
        issue, shown = self.choose_issue(data)
        self.events.triage.assign(issue, who, actor="tom", at=NOW)
        self.assigned |= dict.fromkeys(shown, who)

    def choose_issue(self, data) -> tuple[str, set[tuple[str, ...]]]:
        rows = sorted(self.events.rows(), key=str)
        issue = data.draw(st.sampled_from(sorted({issue for _, issue, _ in rows})))
        return issue, {content for content, result, _ in rows if result == issue}

    @invariant()
    def only_errors_with_corrected_content_have_the_corrected_cause(self):
        for content, _, cause in self.events.rows():
            causes = [rule[0] for rule in self.rules if content in rule[2] or content[:2] in rule[1]]
            assert cause == (causes[-1] if causes else None), content

    @invariant()
    def decisions_follow_an_error_to_its_current_issue(self):
        triage = self.events.triage
        inside: dict[str, set[str]] = {}
        for content, issue, _ in self.events.rows():
            notes = {entry.reason for entry in triage.activity(issue) if entry.action == "note"}
            assert self.notes_by_content.get(content, set()) <= notes
            if content in self.assigned:
                inside.setdefault(issue, set()).add(self.assigned[content])
        for issue, people in inside.items():
            assert triage.state_of(issue).assignee in people


TestTriageMachine = TriageMachine.TestCase
TestTriageMachine.settings = settings(max_examples=examples(6), stateful_step_count=8, deadline=None)
