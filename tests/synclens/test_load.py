"""`synclens load` reports each file, and its exit code is 0, 1 or 2 for all, some or nothing loaded."""

import io
import json
import sys
import zipfile

import pytest

from tests.support.containers import pack_zip

ERRORS = "event_id,occurred_at,error_type,message\nE1,2026-12-03T09:00:00Z,NETWORK,The network connection was lost\n"
FOREIGN = "Shop,Amount\nKiosk,12\n"
EMPTY = "event_id,occurred_at,error_type,message\n"
BROKEN = ERRORS.replace("2026-12-03T", "2026-13-41T").replace("E1", "E2")


@pytest.fixture
def put(tmp_path):
    def written(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def outcomes(result):
    return {report["source"]: report["outcome"] for report in json.loads(result.out)}


@pytest.mark.parametrize(
    ("files", "code", "expected"),
    [
        ({"a.csv": ERRORS}, 0, {"a.csv": "loaded"}),
        ({"a.csv": ERRORS, "b.csv": FOREIGN}, 1, {"a.csv": "loaded", "b.csv": "refused"}),
        ({"b.csv": FOREIGN, "z.csv": ERRORS}, 1, {"b.csv": "refused", "z.csv": "loaded"}),
        ({"a.csv": ERRORS, "b.csv": BROKEN}, 1, {"a.csv": "loaded", "b.csv": "rejected"}),
        ({"a.csv": ERRORS, "b.csv": EMPTY}, 1, {"a.csv": "loaded", "b.csv": "empty"}),
        ({"a.csv": ERRORS, "b.csv": ""}, 1, {"a.csv": "loaded", "b.csv": "refused"}),
        ({"b.csv": FOREIGN}, 2, {"b.csv": "refused"}),
        ({"b.csv": EMPTY}, 2, {"b.csv": "empty"}),
        ({"b.csv": FOREIGN, "c.csv": ""}, 2, {"b.csv": "refused", "c.csv": "refused"}),
        ({"b.csv": BROKEN}, 1, {"b.csv": "rejected"}),
    ],
)
def test_each_file_has_its_outcome_and_the_exit_code_follows(synclens, tmp_path, put, files, code, expected):
    paths = [put(name, content) for name, content in files.items()]
    result = synclens("load", *paths, "--json")
    assert (result.code, outcomes(result)) == (code, expected)
    for report in json.loads(result.out):
        assert report["path"].endswith(report["source"])
        assert (report["reason"] is None) == (report["outcome"] in ("loaded", "rejected"))
        assert report["outcome"] != "refused" or report["next_step"]
    stored = "loaded" in expected.values() or "rejected" in expected.values()
    assert (tmp_path / "test.duckdb").exists() == stored


def test_a_missing_file_costs_only_itself(synclens, put, tmp_path):
    result = synclens("load", tmp_path / "gone.csv", put("a.csv", ERRORS))
    assert result.code == 1
    assert "gone.csv was not loaded: there is no file" in result.err.replace("\n", " ")


def test_errors_beside_a_foreign_file_are_classified(synclens, put):
    assert synclens("load", put("b.csv", FOREIGN), put("z.csv", ERRORS)).code == 1
    (issue,) = json.loads(synclens("issues", "--json").out)
    assert issue["cause"] == "network"


def test_what_is_left_out_is_printed(synclens, put):
    result = synclens(
        "load", put("a.csv", "Errors of week 49\n" + ERRORS), put("b.csv", FOREIGN), put("c.csv", EMPTY)
    )
    printed = result.err.replace("\n", " ")
    assert "a.csv: skipped above the header: Errors of week 49" in printed
    assert "b.csv was not loaded: the table is not recognized" in printed
    assert "c.csv: nothing was loaded: the table has no rows" in printed


def test_standard_input_is_loaded_whatever_it_is(synclens, monkeypatch):
    for content in (ERRORS.encode(), pack_zip("e.csv", ERRORS.replace("E1", "E5"))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        result = synclens("load", "-", "--json")
        assert result.code == 0
        assert [report["rows_new"] for report in json.loads(result.out)] == [1]


def test_an_encoding_can_be_set_and_is_checked(synclens, put):
    path = put("a.csv", ERRORS.replace("lost", "getrennt für Jörg").encode("cp1252"))
    assert "read as Windows-1252; set another encoding with --encoding" in synclens("load", path).err
    assert synclens("load", path, "--encoding", "Latin-1").code == 0
    wrong = synclens("load", path, "--encoding", "klingon")
    assert wrong.code == 2
    assert "is not a text encoding" in wrong.err.replace("\n", " ").replace("│", "")
    assert synclens("load", path, "--encoding", "base64").code == 2


def test_the_same_skipped_part_of_many_archives_is_one_line(synclens, tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for day in ("0915", "0930"):
            folder = f"4711-20261203-{day}-N"
            archive.writestr(f"{folder}/manifest.csv", "extract,extract_label,type,records,file\n")
            archive.writestr(
                f"{folder}/Object/sync_tracking__v.csv",
                "id,modified_date__v,sync_start_datetime__v,successful_sync__v\n"
                f"S{day},2026-12-03T09:10:00Z,2026-12-03T08:00:00Z,true\n",
            )
    (tmp_path / "two.zip").write_bytes(file.getvalue())
    result = synclens("load", tmp_path / "two.zip")
    assert result.code == 0
    assert sum("it is the index of the archive" in line for line in result.err.splitlines()) == 1
