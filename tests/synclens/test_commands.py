"""The main commands: data on stdout, messages on stderr, and the documented exit codes."""

import json
from pathlib import Path

import analysis
from synclens import cli
from synclens.lazy_commands import CommandRegistry

DATA = Path(__file__).parents[1] / "data"


def test_every_command_has_help(synclens):
    registry = CommandRegistry(cli.PANELS)
    assert len(registry) > 20
    for name in registry:
        result = synclens(name, "--help")
        assert result.code == 0
        assert registry.list_entry(name).help[:30] in result.out


def test_version_names_the_catalogue(synclens):
    assert analysis.load_catalogue().version in synclens("--version").out


def test_a_missing_store_is_an_error_with_a_next_step(synclens):
    result = synclens("issues")
    assert result.code == 2
    assert result.out == ""
    assert "there is no store" in result.err
    assert "synclens load" in result.err


def test_a_missing_file_is_an_error_that_names_it(synclens, tmp_path):
    for command in ("load", "classify"):
        result = synclens(command, tmp_path / "nothing.csv")
        assert result.code == 2
        assert "nothing.csv" in result.err


def test_an_unknown_scenario_or_metric_lists_the_valid_ones(simulated):
    assert "calm" in simulated("simulate", "--scenario", "nonsense").err
    result = simulated("metric", "nonsense")
    assert result.code == 2
    assert "success_rate" in result.err


class TestClassify:
    def lines(self, result):
        return [json.loads(line) for line in result.out.splitlines()]

    def test_prints_one_line_per_error_with_its_source_and_row(self, synclens, tmp_path):
        events = tmp_path / "events.jsonl"
        events.write_text(
            '{"error_type": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}\n'
            '{"message": "database or disk is full"}\n',
            encoding="utf-8",
        )
        result = synclens("classify", events)
        assert result.code == 0
        assert [line["cause"] for line in self.lines(result)] == ["rate-limit", "device-storage-full"]
        assert [(line["source"], line["row"]) for line in self.lines(result)] == [
            ("events.jsonl", 1),
            ("events.jsonl", 2),
        ]
        fields = {"source", "row", "message", "cause", "confidence", "rule", "also", "chances"}
        assert all(set(line) - {"error_type"} == fields for line in self.lines(result))

    def test_reports_the_reason_for_an_invalid_line(self, synclens, tmp_path):
        events = tmp_path / "events.jsonl"
        events.write_bytes(b'{"message": "x"}\n[1]\n{"message"\n\xff\xfe\n\n{"message": null}\n')
        result = synclens("classify", events)
        assert result.code == 1
        reasons = [line.get("reason") for line in self.lines(result)]
        assert [bool(reason) for reason in reasons] == [False, True, True, True, False]
        assert "is not a JSON object" in reasons[1]
        assert [line["row"] for line in self.lines(result)] == [1, 2, 3, 4, 5]

    def test_prints_nothing_for_an_empty_file(self, synclens, tmp_path):
        (tmp_path / "empty.jsonl").touch()
        result = synclens("classify", tmp_path / "empty.jsonl")
        assert (result.code, result.out) == (0, "")


class TestLoad:
    def test_reports_the_result_of_every_row(self, synclens):
        result = synclens("load", DATA / "sync_tracking__v_export.csv", "--json")
        (batch,) = json.loads(result.out)
        assert result.code == 1  # the sample has broken rows on purpose
        parts = ("rows_new", "rows_updated", "rows_unchanged", "rows_rejected")
        assert batch["rows_in"] == sum(batch[part] for part in parts)
        rejected = json.loads(synclens("rejected", "--json").out)
        assert len(rejected) == batch["rows_rejected"] > 0
        assert all(row["reasons"] and row["raw"] for row in rejected)

    def test_loading_twice_changes_nothing(self, synclens):
        synclens("load", DATA / "sync_tracking__v_export.csv")
        (again,) = json.loads(synclens("load", DATA / "sync_tracking__v_export.csv", "--json").out)
        assert again["rows_new"] == again["rows_updated"] == 0


class TestAsk:
    def test_issues_and_metric_count_the_same_errors(self, simulated):
        issues = json.loads(simulated("issues", "--json").out)
        assert issues
        event = json.loads(simulated("metric", "errors_by_cause", "--json").out)
        assert sum(row["events"] for row in event) == sum(row["events"] for row in issues)

    def test_triage_fits_one_screen(self, simulated):
        result = simulated("triage")
        assert result.code == 0
        assert len(result.out.splitlines()) <= 45
        assert "Clean syncs" in result.out

    def test_triage_lists_quiet_issues_last(self, synclens, tmp_path):
        errors = tmp_path / "errors.jsonl"
        events = [("e1", "u1", "01T08:00:00", "locked"), ("e2", "u2", "01T09:00:00", "locked")]
        events += [("e3", "u1", "08T10:00:00", "gone")]
        messages = {
            "locked": "The record [V6D000000001001] is locked",
            "gone": "The resource [V6D000000001001] does not exist",
        }
        rows = [
            {
                "event_id": event, "occurred_at": f"2026-03-{at}Z", "user_id": user, "error_type": "INVALID_DATA",
                "message": messages[kind],
            }
            for event, user, at, kind in events
        ]  # fmt: skip
        errors.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        recovered = tmp_path / "syncs.jsonl"
        syncs = [
            {
                "id": f"s-{user}", "created_by__v": user, "sync_start_datetime__v": "2026-03-07T12:00:00Z",
                "sync_completed_datetime__v": "2026-03-07T12:01:00Z", "successful_sync__v": True,
            }
            for user in ("u1", "u2")
        ]  # fmt: skip
        recovered.write_text("".join(json.dumps(row) + "\n" for row in syncs), encoding="utf-8")
        assert synclens("load", errors, recovered).code == 0
        result = synclens("triage")
        active, quiet = json.loads(synclens("triage", "--json").out)["issues"]
        assert (active["quiet"], quiet["quiet"]) == (False, True)
        assert f"1. locked-by-workflow  {active['issue_id']}" not in result.out
        assert f"{active['issue_id']}  1 user, 1 error, since 03-08 10:00" in result.out
        heading = result.out.index("Quiet for 7 days or longer")
        assert result.out.index(f"{quiet['issue_id']}  2 users, 2 errors, 03-01 to 03-01") > heading
        assert f"synclens issue {active['issue_id']}" in " ".join((result.out + result.err).split())

    def test_triage_names_the_issue_with_the_most_pending_records(self, simulated, synclens, tmp_path):
        result, waiting = (
            simulated("triage").out,
            json.loads(simulated("triage", "--json").out)["most_pending"],
        )
        issues = json.loads(simulated("issues", "--json").out)
        assert waiting["pending"] == max(issue["pending"] for issue in issues) > 0
        assert f"Most pending records: {waiting['cause']} {waiting['issue_id']}" in result
        assert f"synclens issue {waiting['issue_id']}" in " ".join(result.split())

    def test_metric_without_a_name_lists_all_metrics(self, synclens):
        listed = {row["name"] for row in json.loads(synclens("metric", "--json").out)}
        assert listed == set(analysis.METRICS)

    def test_a_filter_changes_the_result(self, simulated):
        everyone = json.loads(simulated("metric", "success_rate", "--json").out)
        nobody = json.loads(simulated("metric", "success_rate", "--json", "-f", "country=Atlantis").out)
        assert everyone
        assert everyone != nobody


def test_a_custom_metric_file_and_suggestions_for_typos(simulated, tmp_path):
    own = tmp_path / "syncs.sql"
    own.write_text("-- title: Syncs\n-- unit: syncs\n-- good: neither\nSELECT count(*) AS syncs FROM sync\n")
    (row,) = json.loads(simulated("metric", own, "--json").out)
    assert row["syncs"] > 0
    assert "Did you mean iPad?" in simulated("metric", "success_rate", "-f", "platform=Ipad").err
    assert "Did you mean success_rate?" in simulated("metric", "sucess_rate").err
    assert simulated("metric", tmp_path / "none.sql").code == 2


def test_simulating_the_same_seed_twice_changes_nothing(simulated):
    before = json.loads(simulated("issues", "--json").out)
    result = simulated("simulate", "--seed", 3, "--devices", 8, "--days", 4)
    assert "0 new" in result.err
    assert json.loads(simulated("issues", "--json").out) == before
