"""What people type who have never seen this: each answer says what to do next."""

import json
import os
import subprocess
import sys

import pytest

import ingest

PASTED = """Errors Tab, rep Mia Huber
INSUFFICIENT_ACCESS: No Read permission on object account__v

The request timed out.
"""


@pytest.fixture
def an_issue(simulated):
    return json.loads(simulated("issues", "--json").out)[0]["issue_id"]


def said_whole(said):
    return " ".join(said.err.replace("│", " ").split())


class TestAnIssueIsMistyped:
    COMMANDS = ("issue", "suspects", "rehearse")

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_slip_of_the_finger_is_met_with_the_id_meant(self, simulated, an_issue, command):
        typed = an_issue[:5] + ("0" if an_issue[5] != "0" else "1") + an_issue[6:]
        said = simulated(command, typed)
        assert said.code == 2
        assert f"Did you mean {an_issue}" in said.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_the_beginning_of_an_id_is_enough(self, simulated, an_issue, command):
        assert simulated(command, an_issue[:8]).code == 0
        assert simulated(command, an_issue[:8], "--json").out == simulated(command, an_issue, "--json").out

    def test_a_beginning_that_is_too_short_or_none_is_not_guessed(self, simulated, an_issue):
        for typed in ("", an_issue[:2], "zzzz"):
            said = simulated("issue", typed)
            assert (said.code, said.out) == (2, "")
            assert "synclens issues" in said.err


class TestTheStoreIsElsewhere:
    def test_stores_that_lie_here_are_named(self, synclens, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert ".duckdb" not in synclens("triage", "--store", "other").err
        with ingest.open_store("demo.duckdb", read_only=False):
            pass
        assert "--store demo.duckdb" in synclens("triage").err

    def test_a_folder_is_no_store(self, synclens, tmp_path):
        said = synclens("triage", "--store", tmp_path)
        assert said.code == 2
        assert "is a folder; a store is one file" in said_whole(said)

    def test_a_folder_that_is_missing_is_to_be_made(self, synclens, tmp_path):
        said = synclens("simulate", "--store", tmp_path / "none" / "x.duckdb")
        assert said.code == 2
        assert "mkdir -p" in said_whole(said)

    def test_an_empty_store_says_how_to_fill_it(self, synclens, tmp_path):
        with ingest.open_store(tmp_path / "test.duckdb", read_only=False):
            pass
        said = synclens("triage")
        assert "synclens load" in said.out
        assert "Next:" not in said.out  # there is no issue to look at

    def test_one_held_by_another_process_names_it(self, synclens, simulated, tmp_path):
        held = (
            "import sys, ingest\n"
            "with ingest.open_store(sys.argv[1], read_only=False):\n"
            "    print(1, flush=True); sys.stdin.read()"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", held, str(tmp_path / "test.duckdb")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        with holder:
            assert holder.stdout.readline().strip() == b"1"
            said = simulated("doctor")  # which is the least patient
            holder.stdin.close()
        assert said.code == 1
        assert str(holder.pid) in said.out
        assert f"Let process {holder.pid}" in " ".join(said.out.replace("│", " ").split())


class TestFilesOfOnesOwn:
    def test_a_folder_is_asked_for_its_files(self, synclens, tmp_path):
        assert "without files" in synclens("load", tmp_path).err
        (tmp_path / "errors.csv").touch()
        said = synclens("load", tmp_path)
        assert said.code == 2
        assert f"synclens load {tmp_path}{os.sep}*" in said.err

    def test_a_table_that_is_none_is_met_with_the_one_meant(self, synclens, tmp_path):
        (tmp_path / "errors.csv").touch()
        said = synclens("load", tmp_path / "errors.csv", "--as", "errors")
        assert said.code == 2
        assert "Did you mean sync_error" in said_whole(said)

    def test_a_pasted_list_is_read_line_by_line(self, synclens, tmp_path):
        (tmp_path / "pasted.txt").write_text(PASTED, encoding="utf-8")
        said = synclens("classify", tmp_path / "pasted.txt", "--fix")
        answers = [json.loads(line) for line in said.out.splitlines()]
        assert said.code == 0
        assert "each line is read as the message" in said.err
        assert [one["message"] for one in answers] == [line for line in PASTED.splitlines() if line]
        assert [one["cause"] for one in answers[1:]] == ["object-permission", "network"]
        assert answers[1]["fix"].startswith("Admin:")

    def test_one_typed_on_an_older_windows_keeps_its_letters(self, synclens, tmp_path):
        (tmp_path / "pasted.txt").write_bytes("Zeitüberschreitung\r\n".encode("cp1252"))
        (answer,) = synclens("classify", tmp_path / "pasted.txt").out.splitlines()
        assert json.loads(answer)["message"] == "Zeitüberschreitung"
