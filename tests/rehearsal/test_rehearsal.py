"""A rehearsal can be repeated, says what it assumed, and answers on the command line."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

import ingest
from analysis.issues.listing import UnknownIssue
from rehearsal.result import CANDIDATE_COLUMNS
from rehearsal.run import rehearse
from synclens.commands.rehearse import rehearse as command
from tests.support.issue_store_builder import ISSUE, IssueStoreBuilder


def fill(store, devices=6):
    ward = IssueStoreBuilder(store, "field-permission")
    for at in range(devices):
        ward.add_stuck_record(f"ipad-{at}", f"A{at}", "update", "account__v", field="phone__v")


@pytest.fixture
def path(tmp_path):
    with ingest.open_store(tmp_path / "ward.duckdb", read_only=False) as store:
        fill(store)
    return tmp_path / "ward.duckdb"


@pytest.fixture
def run(path):
    app = typer.Typer()
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, [*words, "--store", str(path)])


def test_the_same_seed_gives_the_same_answer(path):
    first, second = (rehearse(path, ISSUE, seed=5, max_devices=3).to_dict() for _ in range(2))
    assert first == second and first["total"] == 3


def test_the_seed_draws_the_devices_and_the_draw_is_told(store):
    fill(store, 40)
    found = rehearse(store, ISSUE, max_devices=5)
    assert found.total == 5
    assert "Of 40 devices 5 were drawn by the seed; the others are left out." in found.assumptions


def test_without_pending_records_the_assumption_is_told(store):
    fill(store)
    store.execute("DELETE FROM pending_record")
    found = rehearse(store, ISSUE)
    assert found.total == 6 and found.best is not None and found.best.freed == 6
    assert any("assumed to wait again" in sentence for sentence in found.assumptions)
    assert not [one for one in found.candidates if one.kind == "lever"]


def test_a_device_with_several_users_is_told(store):
    fill(store, 1)
    IssueStoreBuilder(store, "field-permission").add_pending("ipad-0", "B1", user="another", in_error=False)
    assert any("several users" in sentence for sentence in rehearse(store, ISSUE).assumptions)


def test_an_unknown_issue_is_a_clear_error(store):
    with pytest.raises(UnknownIssue, match="no issue 'nothing'"):
        rehearse(store, "nothing")


def test_a_hostile_store_is_only_data(store):
    ward = IssueStoreBuilder(store, "validation-rule")
    name = "x'; DROP TABLE record; --"
    ward.add_stuck_record("ipad'--", "<b>%s</b>", "create", name, message="No [rule'; --]")
    ward.add_stuck_record("ipad'--", "{record}", "delete", name)
    found = rehearse(store, ISSUE)
    assert found.best is not None and found.best.freed == found.total == 1


def test_it_comes_as_a_frame_with_the_best_first(path):
    found = rehearse(path, ISSUE)
    frame = found.to_frame()
    assert tuple(frame.columns) == CANDIDATE_COLUMNS
    assert frame["freed"].is_monotonic_decreasing and frame["name"][0] == found.best.name


def test_it_comes_as_text_too_and_takes_an_open_store(store):
    fill(store)
    found = rehearse(store, ISSUE)
    said = found.to_text().splitlines()
    assert said[0] == f"Issue {ISSUE} ({found.cause}): {found.stuck_text}"
    assert said[1].startswith(f"- {found.best.name} (") and found.best.summary in said[1]
    assert [line for line in said if line.startswith("Assumed: ")]


def test_the_command_speaks_json(run):
    said = run(ISSUE, "--json")
    found = json.loads(said.stdout)
    assert said.exit_code == 0
    assert found["best"] == "Give Edit on account__v.phone__v back"
    assert found["candidates"][0]["summary"] == "frees 6 of 6 records"


def test_the_command_shows_candidates_and_assumptions(run):
    said = " ".join(run(ISSUE).stdout.split())
    assert (
        "frees 6 of 6 records" in said and "Assumed: All users are taken to share one permission set" in said
    )


def test_the_command_says_when_it_cannot_rehearse(run, path):
    with ingest.open_store(path, read_only=False) as store:
        store.execute("UPDATE finding SET cause = 'unknown'")
    assert "is not rehearsed" in run(ISSUE).stdout
