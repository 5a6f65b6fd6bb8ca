"""The command line as its users meet it: data on stdout, narration on stderr, telling exit codes."""

import json
from pathlib import Path

import analysis
from synclens import cli
from synclens.lazy_commands import CommandRegistry

DATA = Path(__file__).parents[1] / "data"


def test_every_command_explains_itself_with_a_sentence(synclens):
    shelf = CommandRegistry(cli.PANELS)
    assert len(shelf) > 20
    for name in shelf:
        said = synclens(name, "--help")
        assert said.code == 0
        assert shelf.list_entry(name).help[:30] in said.out


def test_version_names_the_parts_that_decide(synclens):
    assert analysis.load_catalogue().version in synclens("--version").out


def test_a_missing_store_is_a_clear_answer(synclens):
    said = synclens("issues")
    assert said.code == 2
    assert said.out == ""
    assert "there is no store" in said.err
    assert "synclens load" in said.err


def test_a_file_that_is_not_there_is_a_clear_answer(synclens, tmp_path):
    for command in ("load", "classify"):
        said = synclens(command, tmp_path / "nothing.csv")
        assert said.code == 2
        assert "nothing.csv" in said.err


def test_an_unknown_scenario_or_metric_names_the_known_ones(simulated):
    assert "calm" in simulated("simulate", "--scenario", "nonsense").err
    said = simulated("metric", "nonsense")
    assert said.code == 2
    assert "success_rate" in said.err


class TestClassify:
    def lines(self, said):
        return [json.loads(line) for line in said.out.splitlines()]

    def test_gives_a_line_for_a_line(self, synclens, tmp_path):
        events = tmp_path / "events.jsonl"
        events.write_text(
            '{"error_type": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}\n'
            '{"message": "database or disk is full"}\n',
            encoding="utf-8",
        )
        said = synclens("classify", events)
        assert said.code == 0
        assert [line["cause"] for line in self.lines(said)] == ["rate-limit", "device-storage-full"]
        assert all(set(line) == {"cause", "confidence", "rule", "also"} for line in self.lines(said))

    def test_keeps_a_broken_line_with_its_reason(self, synclens, tmp_path):
        events = tmp_path / "events.jsonl"
        events.write_bytes(b'{"message": "x"}\n[1]\n{"message"\n\xff\xfe\n\n{"message": null}\n')
        said = synclens("classify", events)
        assert said.code == 1
        reasons = [line.get("reason") for line in self.lines(said)]
        assert [bool(reason) for reason in reasons] == [False, True, True, True, True, False]
        assert "line 2 is not a JSON object" in reasons[1]

    def test_of_nothing_is_nothing(self, synclens, tmp_path):
        (tmp_path / "empty.jsonl").touch()
        said = synclens("classify", tmp_path / "empty.jsonl")
        assert (said.code, said.out) == (0, "")


class TestLoad:
    def test_balances_every_row_and_says_so(self, synclens):
        said = synclens("load", DATA / "sync_tracking__v_export.csv", "--json")
        (batch,) = json.loads(said.out)
        assert said.code == 1  # the sample has broken rows on purpose
        parts = ("rows_new", "rows_updated", "rows_unchanged", "rows_rejected")
        assert batch["rows_in"] == sum(batch[part] for part in parts)
        rejected = json.loads(synclens("rejected", "--json").out)
        assert len(rejected) == batch["rows_rejected"] > 0
        assert all(row["reasons"] and row["raw"] for row in rejected)

    def test_twice_changes_nothing(self, synclens):
        synclens("load", DATA / "sync_tracking__v_export.csv")
        (again,) = json.loads(synclens("load", DATA / "sync_tracking__v_export.csv", "--json").out)
        assert again["rows_new"] == again["rows_updated"] == 0


class TestAsk:
    def test_issues_lead_to_an_error_and_its_fix(self, simulated):
        issues = json.loads(simulated("issues", "--json").out)
        assert issues
        assert issues == sorted(issues, key=lambda row: -row["users"])
        event = json.loads(simulated("metric", "errors_by_cause", "--json").out)
        assert sum(row["events"] for row in event) == sum(row["events"] for row in issues)

    def test_triage_fits_one_screen(self, simulated):
        said = simulated("triage")
        assert said.code == 0
        assert len(said.out.splitlines()) <= 45
        assert "Sync success" in said.out

    def test_triage_says_what_is_quiet_and_goes_on_with_what_is_not(self, synclens, tmp_path):
        errors = tmp_path / "errors.jsonl"
        told = [("e1", "u1", "01T08:00:00", "locked"), ("e2", "u2", "01T09:00:00", "locked")]
        told += [("e3", "u1", "08T10:00:00", "gone")]
        words = {
            "locked": "The record [V6D000000001001] is locked",
            "gone": "The resource [V6D000000001001] does not exist",
        }
        rows = [
            {
                "event_id": event, "occurred_at": f"2026-03-{at}Z", "user_id": user, "error_type": "INVALID_DATA",
                "message": words[what],
            }
            for event, user, at, what in told
        ]  # fmt: skip
        errors.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        assert synclens("load", errors).code == 0
        said = synclens("triage")
        other, worst = json.loads(synclens("triage", "--json").out)["issues"]
        assert (other["quiet"], worst["quiet"]) == (False, True)
        assert f"1. locked-by-workflow  {other['issue_id']}" not in said.out
        assert f"{other['issue_id']}  1 user, 1 error, since 03-08 10:00" in said.out
        quiet = said.out.index("Quiet for 7 days or longer")
        assert said.out.index(f"{worst['issue_id']}  2 users, 2 errors, 03-01 to 03-01") > quiet
        assert f"synclens issue {other['issue_id']}" in " ".join((said.out + said.err).split())

    def test_triage_names_what_most_records_wait_for(self, simulated, synclens, tmp_path):
        said, waiting = simulated("triage").out, json.loads(simulated("triage", "--json").out)["most_pending"]
        issues = json.loads(simulated("issues", "--json").out)
        assert waiting["pending"] == max(issue["pending"] for issue in issues) > 0
        assert f"Most pending records: {waiting['cause']} {waiting['issue_id']}" in said
        assert f"synclens issue {waiting['issue_id']}" in " ".join(said.split())

    def test_metric_lists_itself(self, synclens):
        listed = {row["name"] for row in json.loads(synclens("metric", "--json").out)}
        assert listed == set(analysis.METRICS)

    def test_a_filter_narrows(self, simulated):
        everyone = json.loads(simulated("metric", "success_rate", "--json").out)
        nobody = json.loads(simulated("metric", "success_rate", "--json", "-f", "country=Atlantis").out)
        assert everyone
        assert everyone != nobody


def test_a_metric_of_ones_own_and_a_value_that_nobody_has(simulated, tmp_path):
    own = tmp_path / "syncs.sql"
    own.write_text("-- title: Syncs\n-- unit: syncs\n-- good: neither\nSELECT count(*) AS syncs FROM sync\n")
    (row,) = json.loads(simulated("metric", own, "--json").out)
    assert row["syncs"] > 0
    assert "Did you mean iPad?" in simulated("metric", "success_rate", "-f", "platform=Ipad").err
    assert "Did you mean success_rate?" in simulated("metric", "sucess_rate").err
    assert simulated("metric", tmp_path / "none.sql").code == 2


def test_the_same_seed_simulated_twice_changes_nothing(simulated):
    before = json.loads(simulated("issues", "--json").out)
    said = simulated("simulate", "--seed", 3, "--devices", 8, "--days", 4)
    assert "0 new" in said.err
    assert json.loads(simulated("issues", "--json").out) == before
