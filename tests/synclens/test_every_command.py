"""Commands and options that the other files do not cover: output, files and exit codes."""

import json
from importlib.resources import files

import pytest

import analysis
import ingest

USERS = "user_id,name,email,as_of\nU1,Mia Huber,mia@example.com,2026-11-02T08:00:00Z\n"
SLASHED = "timestamp,user,message\n11/03/2026 08:12,U1,The request timed out.\n"
OWN_RULE = """
[[rule]]
id = "gatehouse"
cause = "access-policy"
tier = "words"
words = ['gatehouse \\d+ declined']

"""


def of(result):
    assert result.code == 0, result.err
    return json.loads(result.out)


class TestExplainError:
    @pytest.fixture
    def event(self, simulated):
        worst = of(simulated("issues", "--json"))[0]["issue_id"]
        return of(simulated("issue", worst, "--json"))["events"][0]["event_id"]

    def test_shows_cause_evidence_and_fix(self, simulated, event):
        answer = of(simulated("explain-error", event, "--json"))
        assert answer["event"]["event_id"] == event
        result = simulated("explain-error", event)
        output = " ".join(result.out.split())
        assert f"{answer['event']['cause']} ({answer['event']['confidence']:.0%})" in output
        assert analysis.load_playbook(answer["event"]["cause"]).short_fix[:40] in output

    def test_an_unknown_event_is_an_error(self, simulated):
        result = simulated("explain-error", "e-none")
        assert (result.code, result.out) == (2, "")
        assert "synclens issue" in result.err


class TestLoad:
    def test_pseudonyms_replace_names_and_are_stable(self, synclens, tmp_path):
        (tmp_path / "users.csv").write_text(USERS, encoding="utf-8")
        arguments = ("load", tmp_path / "users.csv", "--as", "sync_user", "--pseudonymize", "--json")
        synclens(*arguments)
        for path in tmp_path.glob("test.*"):
            assert b"Huber" not in path.read_bytes()
        (key,) = tmp_path.glob("*.key")
        assert key.stat().st_mode & 0o777 == 0o600
        (again,) = of(synclens(*arguments))
        assert (again["rows_new"], again["rows_updated"], again["rows_rejected"]) == (0, 0, 0)

    def test_rejected_rows_load_with_a_new_mapping(self, synclens, tmp_path):
        (tmp_path / "desk.csv").write_text(SLASHED, encoding="utf-8")
        assert synclens("load", tmp_path / "desk.csv").code == 1
        assert len(of(synclens("rejected", "--json"))) == 1
        mapping = files("ingest.mapping").joinpath("mappings", "error_list.toml").read_text("utf-8")
        (tmp_path / "desk.toml").write_text(f'date_order = "mdy"\n{mapping}', encoding="utf-8")
        result = synclens("load", "--retry-rejected", "--mapping", tmp_path / "desk.toml", "--json")
        assert [batch["rows_new"] for batch in of(result)] == [1]
        assert of(synclens("rejected", "--json")) == []
        with ingest.open_store(tmp_path / "test.duckdb") as store:
            ((at,),) = store.execute("SELECT occurred_at FROM sync_error").fetchall()
        assert f"{at:%Y-%m-%d %H:%M}" == "2026-11-03 08:12"

    def test_a_failed_load_leaves_no_empty_store(self, synclens, tmp_path):
        (tmp_path / "desk.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        assert synclens("load", tmp_path / "desk.csv").code == 2
        assert not (tmp_path / "test.duckdb").exists()
        (tmp_path / "users.csv").write_text(USERS, encoding="utf-8")
        synclens("load", tmp_path / "users.csv", "--as", "sync_user")
        assert synclens("load", tmp_path / "desk.csv").code == 2
        assert (tmp_path / "test.duckdb").exists()

    def test_dismissed_rows_remain_listed_with_all(self, synclens, tmp_path):
        (tmp_path / "desk.csv").write_text(SLASHED, encoding="utf-8")
        synclens("load", tmp_path / "desk.csv")
        wrong = synclens("rejected", "--dismiss", "desk")
        assert wrong.code == 2
        assert "desk.csv" in wrong.err
        assert synclens("rejected", "--dismiss", "desk.csv").code == 0
        assert of(synclens("rejected", "--json")) == []
        assert "--all lists them" in synclens("rejected").err
        (ever,) = of(synclens("rejected", "--all", "--json"))
        assert ever["resolution"].startswith("dismissed")

    def test_load_without_files_is_an_error(self, synclens):
        result = synclens("load")
        assert result.code == 2
        assert "--retry-rejected" in result.err


class TestLint:
    def test_exits_1_with_a_fix_for_each_finding(self, synclens):
        synclens("simulate", "--scenario", "vmoc-without-device", "--seed", 1, "--devices", 4, "--days", 7)
        result = synclens("lint", "--json")
        findings = json.loads(result.out)["findings"]
        assert result.code == 1
        assert findings
        assert all(finding["fix"] for finding in findings)

    def test_exits_0_without_findings(self, synclens):
        synclens("simulate", "--scenario", "calm", "--seed", 1, "--devices", 3, "--days", 2)
        assert of(synclens("lint", "--json"))["findings"] == []


class TestRules:
    @pytest.fixture
    def draft(self, tmp_path):
        (tmp_path / "draft.toml").write_text(OWN_RULE.lstrip(), encoding="utf-8")
        return tmp_path / "draft.toml"

    def test_check_shows_the_changes_of_a_draft(self, synclens, tmp_path, draft):
        error = {"event_id": "e-1", "occurred_at": "2026-11-03T08:12:00Z", "message": "Gatehouse 7 declined"}
        (tmp_path / "errors.jsonl").write_text(json.dumps(error), encoding="utf-8")
        synclens("load", tmp_path / "errors.jsonl")
        (change,) = of(synclens("rules", "check", "--catalogue", draft, "--json"))
        assert (change["cause_before"], change["cause_after"]) == ("unknown", "access-policy")
        assert [row["events"] for row in of(synclens("unknown", "--json"))] == [1]  # nothing was stored

    def test_an_invalid_draft_is_an_error(self, simulated, draft):
        draft.write_text(
            draft.read_text("utf-8").replace('cause = "access-policy"', 'cause = "gate-policy"', 1), "utf-8"
        )
        result = simulated("rules", "check", "--catalogue", draft)
        assert result.code == 2
        assert "gate-policy" in result.err
        assert "Next:" in result.err


def test_limit_sets_the_number_of_rows(simulated, tmp_path):
    ids = [row["issue_id"] for row in of(simulated("issues", "--json"))]
    assert len(ids) > 2
    shown = simulated("issues", "--limit", 2).out
    assert [issue_id for issue_id in ids if issue_id in shown] == ids[:2]


def test_demo_without_dashboard_ends_with_the_triage_summary(synclens, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("demo", "--store", "d.duckdb", "--devices", 4, "--days", 3, "--no-serve")
    first = synclens(*arguments)
    assert first.code == 0
    assert "Clean syncs" in first.out
    assert synclens(*arguments).out == first.out
