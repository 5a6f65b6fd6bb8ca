"""A rehearsal is repeatable, lists its assumptions, and runs from the command line."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

import ingest
from analysis.issues.details import UnknownIssue
from rehearsal.result import CANDIDATE_COLUMNS
from rehearsal.run import rehearse
from synclens.commands.rehearse import rehearse as command
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def fill(store, devices=6):
    builder = IssueStoreBuilder(store, "field-permission")
    for number in range(devices):
        builder.add_stuck_record(f"ipad-{number}", f"A{number}", "update", "account__v", field="phone__v")


@pytest.fixture
def path(tmp_path):
    with ingest.open_store(tmp_path / "issue.duckdb", read_only=False) as store:
        fill(store)
    return tmp_path / "issue.duckdb"


@pytest.fixture
def run(path):
    app = typer.Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--store", str(path)])


def test_the_same_seed_produces_the_same_result(path):
    first, second = (rehearse(path, ISSUE, seed=5, max_devices=3).to_dict() for _ in range(2))
    assert first == second and first["total"] == 3


def test_the_seed_samples_the_devices_and_the_sample_is_reported(store):
    fill(store, 40)
    result = rehearse(store, ISSUE, max_devices=5)
    assert result.total == 5
    assert "A random sample of 5 of 40 devices is rebuilt; the others are left out." in result.assumptions


def test_missing_pending_records_are_reported_as_an_assumption(store):
    fill(store)
    store.execute("DELETE FROM pending_record")
    result = rehearse(store, ISSUE)
    assert result.total == 6 and result.best is not None and result.best.freed == 6
    assert any("assumed to be pending again" in sentence for sentence in result.assumptions)
    assert not [candidate for candidate in result.candidates if candidate.kind == "recovery_action"]


def test_a_device_with_several_users_is_reported(store):
    fill(store, 1)
    IssueStoreBuilder(store, "field-permission").add_pending("ipad-0", "B1", user="another", in_error=False)
    assert any("several users" in sentence for sentence in rehearse(store, ISSUE).assumptions)


def test_an_unknown_issue_raises_a_clear_error(store):
    with pytest.raises(UnknownIssue, match="no issue 'nothing'"):
        rehearse(store, "nothing")


def test_hostile_text_in_the_store_is_only_data(store):
    builder = IssueStoreBuilder(store, "validation-rule")
    name = "x'; DROP TABLE record; --"
    builder.add_stuck_record("ipad'--", "<b>%s</b>", "create", name, message="No [rule'; --]")
    builder.add_stuck_record("ipad'--", "{record}", "delete", name)
    result = rehearse(store, ISSUE)
    assert result.best is not None and result.best.freed == result.total == 1


def test_the_frame_lists_the_best_candidate_first(path):
    result = rehearse(path, ISSUE)
    frame = result.to_frame()
    assert tuple(frame.columns) == CANDIDATE_COLUMNS
    assert frame["freed"].is_monotonic_decreasing and frame["name"][0] == result.best.name


def test_an_open_store_is_rehearsed_and_printed_as_text(store):
    fill(store)
    result = rehearse(store, ISSUE)
    lines = result.to_text().splitlines()
    assert lines[0] == f"Issue {ISSUE} ({result.cause}): {result.stuck_text}"
    assert lines[1].startswith(f"- {result.best.name} (") and result.best.summary in lines[1]
    assert [line for line in lines if line.startswith("Assumed: ")]


def test_the_command_prints_json(run):
    finished = run(ISSUE, "--json")
    result = json.loads(finished.stdout)
    assert finished.exit_code == 0
    assert result["best"] == "Grant Edit on account__v.phone__v"
    assert result["candidates"][0]["summary"] == "frees 6 of 6 records"


def test_the_command_shows_candidates_and_assumptions(run):
    output = " ".join(run(ISSUE).stdout.split())
    assert "frees 6 of 6 records" in output
    assert "Assumed: All users are assumed to share one permission set" in output


def test_the_command_reports_why_it_cannot_rehearse(run, path):
    with ingest.open_store(path, read_only=False) as store:
        store.execute("UPDATE finding SET cause = 'unknown'")
    assert "cannot be rehearsed" in run(ISSUE).stdout
