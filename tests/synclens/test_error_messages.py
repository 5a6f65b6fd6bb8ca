"""Typical mistakes on the command line: each error has a next step."""

import json
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


def joined_error(result):
    return " ".join(result.err.replace("│", " ").split())


class TestIssueIds:
    COMMANDS = ("issue", "suspects", "rehearse")

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_typo_suggests_the_similar_id(self, simulated, an_issue, command):
        typed = an_issue[:5] + ("0" if an_issue[5] != "0" else "1") + an_issue[6:]
        result = simulated(command, typed)
        assert result.code == 2
        assert f"Did you mean {an_issue}" in result.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_prefix_selects_the_issue(self, simulated, an_issue, command):
        assert simulated(command, an_issue[:8]).code == 0
        assert simulated(command, an_issue[:8], "--json").out == simulated(command, an_issue, "--json").out

    def test_a_short_or_unknown_prefix_is_an_error(self, simulated, an_issue):
        for typed in ("", an_issue[:2], "zzzz"):
            result = simulated("issue", typed)
            assert (result.code, result.out) == (2, "")
            assert "synclens issues" in result.err


class TestStorePath:
    def test_a_missing_store_suggests_stores_in_the_folder(self, synclens, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert ".duckdb" not in synclens("triage", "--store", "other").err
        with ingest.open_store("demo.duckdb", read_only=False):
            pass
        assert "--store demo.duckdb" in synclens("triage").err

    def test_a_folder_is_not_a_store(self, synclens, tmp_path):
        result = synclens("triage", "--store", tmp_path)
        assert result.code == 2
        assert "is a folder; a store is one file" in joined_error(result)

    def test_a_missing_folder_is_an_error(self, synclens, tmp_path):
        result = synclens("simulate", "--store", tmp_path / "none" / "x.duckdb")
        assert result.code == 2
        assert "mkdir -p" in joined_error(result)

    def test_triage_of_an_empty_store_suggests_load(self, synclens, tmp_path):
        with ingest.open_store(tmp_path / "test.duckdb", read_only=False):
            pass
        result = synclens("triage")
        assert "synclens load" in result.out
        assert "Next:" not in result.out  # there is no issue to look at

    def test_a_locked_store_names_the_other_process(self, synclens, simulated, tmp_path):
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
            result = simulated("doctor")  # has the shortest timeout
            holder.stdin.close()
        assert result.code == 1
        assert str(holder.pid) in result.out
        assert f"Wait for process {holder.pid}" in " ".join(result.out.replace("│", " ").split())


class TestFiles:
    def test_a_folder_without_files_is_an_error(self, synclens, tmp_path):
        (tmp_path / "exports").mkdir()
        result = synclens("load", tmp_path / "exports")
        assert result.code == 2
        assert "the folder has no files" in result.err

    def test_an_unknown_table_suggests_a_similar_one(self, synclens, tmp_path):
        (tmp_path / "errors.csv").touch()
        result = synclens("load", tmp_path / "errors.csv", "--as", "errors")
        assert result.code == 2
        assert "Did you mean sync_error" in joined_error(result)

    def test_plain_text_is_classified_line_by_line(self, synclens, tmp_path):
        (tmp_path / "pasted.txt").write_text(PASTED, encoding="utf-8")
        result = synclens("classify", tmp_path / "pasted.txt", "--fix")
        answers = [json.loads(line) for line in result.out.splitlines()]
        assert result.code == 0
        assert "each line is read as the message" in result.err
        assert [row["message"] for row in answers] == [line for line in PASTED.splitlines() if line]
        assert [row["cause"] for row in answers[1:]] == ["object-permission", "network"]
        assert answers[1]["fix"].startswith("Admin:")

    def test_windows_1252_text_is_decoded(self, synclens, tmp_path):
        (tmp_path / "pasted.txt").write_bytes("Zeitüberschreitung\r\n".encode("cp1252"))
        (answer,) = synclens("classify", tmp_path / "pasted.txt").out.splitlines()
        assert json.loads(answer)["message"] == "Zeitüberschreitung"
