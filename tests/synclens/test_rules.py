"""`synclens rules`: correct causes, list and revert corrections, and preview a new grouping."""

import json
import re

import pytest

import ingest


@pytest.fixture
def issues(simulated):
    return json.loads(simulated("issues", "--json").out)


def causes(simulated) -> dict[str, str]:
    return {row["issue_id"]: row["cause"] for row in json.loads(simulated("issues", "--json").out)}


def test_a_correction_applies_at_once_and_can_be_listed_and_reverted(simulated, issues, tmp_path):
    issue, before = issues[0]["issue_id"], issues[0]["cause"]
    result = simulated("rules", "correct", issue[:8], "record-locked", "--reason", "asked the admin")
    assert result.code == 0
    assert f"The cause of {issue} is now record-locked." in result.err
    assert causes(simulated)[issue] == "record-locked"
    (row,) = json.loads(simulated("rules", "corrections", "--json").out)
    assert (row["issue_id"], row["cause"], row["reason"]) == (issue, "record-locked", "asked the admin")
    shown = simulated("rules", "corrections").out  # in columns, so only short arguments stay whole
    assert {"asked", "admin"} <= set(re.findall(r"\w+", shown))

    samples = tmp_path / "corrected.jsonl"
    samples.write_text(simulated("rules", "corrections", "--samples").out, encoding="utf-8")
    labelled = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    assert {row["cause"] for row in labelled} == {"record-locked"}

    assert "has no correction now" in simulated("rules", "correct", issue, "--revert").err
    assert causes(simulated)[issue] == before
    assert "No cause has been corrected" in simulated("rules", "corrections").err


def test_a_correction_needs_a_valid_cause(simulated, issues):
    issue = issues[0]["issue_id"]
    assert "pass either a cause or --revert" in simulated("rules", "correct", issue).err
    result = simulated("rules", "correct", issue, "gremlins")
    assert result.code == 2
    assert "there is no cause 'gremlins'" in result.err
    assert "Did you mean" in simulated("rules", "correct", f"{issue[:-1]}z", "network").err


def test_listing_corrections_creates_no_file(simulated, tmp_path):
    store = tmp_path / "test.duckdb"
    assert "No cause has been corrected" in simulated("rules", "corrections").err
    assert simulated("rules", "corrections", "--samples").out == ""
    assert simulated("rules", "regroup").code == 0
    assert store.exists()
    assert not list(tmp_path.glob("*.triage.sqlite*"))


def test_regroup_previews_a_new_grouping(simulated, tmp_path):
    assert "No issue changes" in simulated("rules", "regroup").err
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        store.execute("""UPDATE finding SET "grouping" = '2020-01-01', issue_id = 'old'""")
        events = store.execute("SELECT count(*) FROM finding").fetchone()[0]
    rows = json.loads(simulated("rules", "regroup", "--json").out)
    assert {row["issue_before"] for row in rows} == {"old"}
    assert {row["grouping_before"] for row in rows} == {"2020-01-01"}
    assert sum(row["events"] for row in rows) == events
    assert f"{events} errors move to another issue" in simulated("rules", "regroup").out
