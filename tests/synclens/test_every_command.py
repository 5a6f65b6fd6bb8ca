"""Commands and options that no other file here types: what they print, what they leave, how they end."""

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


def of(said):
    assert said.code == 0, said.err
    return json.loads(said.out)


class TestExplainError:
    @pytest.fixture
    def event(self, simulated):
        worst = of(simulated("issues", "--json"))[0]["issue_id"]
        return of(simulated("issue", worst, "--json"))["events"][0]["event_id"]

    def test_says_what_why_and_what_to_do(self, simulated, event):
        answer = of(simulated("explain-error", event, "--json"))
        assert answer["event"]["event_id"] == event
        said = simulated("explain-error", event)
        words = " ".join(said.out.split())
        assert f"{answer['event']['cause']} ({answer['event']['confidence']:.0%})" in words
        assert analysis.load_playbook(answer["event"]["cause"]).short_fix[:40] in words

    def test_refuses_an_event_that_is_none(self, simulated):
        said = simulated("explain-error", "e-none")
        assert (said.code, said.out) == (2, "")
        assert "synclens issue" in said.err


class TestLoad:
    def test_masked_names_are_nowhere_and_stay_the_same(self, synclens, tmp_path):
        (tmp_path / "users.csv").write_text(USERS, encoding="utf-8")
        words = ("load", tmp_path / "users.csv", "--as", "sync_user", "--pseudonymize", "--json")
        synclens(*words)
        for path in tmp_path.glob("test.*"):
            assert b"Huber" not in path.read_bytes()
        (key,) = tmp_path.glob("*.key")
        assert key.stat().st_mode & 0o777 == 0o600
        (again,) = of(synclens(*words))
        assert (again["rows_new"], again["rows_updated"], again["rows_rejected"]) == (0, 0, 0)

    def test_rejected_rows_come_in_once_a_mapping_says_how(self, synclens, tmp_path):
        (tmp_path / "desk.csv").write_text(SLASHED, encoding="utf-8")
        assert synclens("load", tmp_path / "desk.csv").code == 1
        assert len(of(synclens("rejected", "--json"))) == 1
        mapping = files("ingest.mapping").joinpath("mappings", "error_list.toml").read_text("utf-8")
        (tmp_path / "desk.toml").write_text(f'date_order = "mdy"\n{mapping}', encoding="utf-8")
        said = synclens("load", "--retry-rejected", "--mapping", tmp_path / "desk.toml", "--json")
        assert [batch["rows_new"] for batch in of(said)] == [1]
        assert of(synclens("rejected", "--json")) == []
        with ingest.open_store(tmp_path / "test.duckdb") as store:
            ((at,),) = store.execute("SELECT occurred_at FROM sync_error").fetchall()
        assert f"{at:%Y-%m-%d %H:%M}" == "2026-11-03 08:12"

    def test_a_refused_file_leaves_no_empty_store_behind(self, synclens, tmp_path):
        (tmp_path / "desk.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        assert synclens("load", tmp_path / "desk.csv").code == 2
        assert not (tmp_path / "test.duckdb").exists()
        (tmp_path / "users.csv").write_text(USERS, encoding="utf-8")
        synclens("load", tmp_path / "users.csv", "--as", "sync_user")
        assert synclens("load", tmp_path / "desk.csv").code == 2
        assert (tmp_path / "test.duckdb").exists()

    def test_rejected_rows_can_be_dismissed_and_stay(self, synclens, tmp_path):
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

    def test_nothing_to_load_is_said(self, synclens):
        said = synclens("load")
        assert said.code == 2
        assert "--retry-rejected" in said.err


class TestLint:
    def test_exits_1_where_something_is_planted_and_says_how_to_mend_it(self, synclens):
        synclens("simulate", "--scenario", "vmoc-without-device", "--seed", 1, "--devices", 4, "--days", 7)
        said = synclens("lint", "--json")
        found = json.loads(said.out)["findings"]
        assert said.code == 1
        assert found
        assert all(one["fix"] for one in found)

    def test_exits_0_where_nothing_is(self, synclens):
        synclens("simulate", "--scenario", "calm", "--seed", 1, "--devices", 3, "--days", 2)
        assert of(synclens("lint", "--json"))["findings"] == []


class TestRules:
    @pytest.fixture
    def draft(self, tmp_path):
        newest = f"{analysis.load_catalogue().version}.toml"
        text = files("analysis.classification").joinpath("causes", newest).read_text("utf-8")
        at = text.index("[[rule]]")
        (tmp_path / "draft.toml").write_text(text[:at] + OWN_RULE.lstrip() + text[at:], encoding="utf-8")
        return tmp_path / "draft.toml"

    def test_a_draft_says_what_it_would_change(self, synclens, tmp_path, draft):
        error = {"event_id": "e-1", "occurred_at": "2026-11-03T08:12:00Z", "message": "Gatehouse 7 declined"}
        (tmp_path / "errors.jsonl").write_text(json.dumps(error), encoding="utf-8")
        synclens("load", tmp_path / "errors.jsonl")
        (change,) = of(synclens("rules", "check", "--catalogue", draft, "--json"))
        assert (change["cause_before"], change["cause_after"]) == ("unknown", "access-policy")
        assert [one["events"] for one in of(synclens("unknown", "--json"))] == [1]  # nothing was stored

    def test_a_draft_that_is_broken_is_refused_in_words(self, simulated, draft):
        draft.write_text(
            draft.read_text("utf-8").replace('cause = "access-policy"', 'cause = "gate-policy"', 1), "utf-8"
        )
        said = simulated("rules", "check", "--catalogue", draft)
        assert said.code == 2
        assert "gate-policy" in said.err
        assert "Next:" in said.err


def test_a_list_shows_as_many_rows_as_asked_for(simulated, tmp_path):
    ids = [one["issue_id"] for one in of(simulated("issues", "--json"))]
    assert len(ids) > 2
    shown = simulated("issues", "--limit", 2).out
    assert [one for one in ids if one in shown] == ids[:2]


def test_a_demo_without_pages_ends_with_the_summary(synclens, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("demo", "--store", "d.duckdb", "--devices", 4, "--days", 3, "--no-serve")
    first = synclens(*words)
    assert first.code == 0
    assert "Sync success" in first.out
    assert synclens(*words).out == first.out
