"""`synclens incidents` lists each incident with its issues and its reason."""

import json
from datetime import UTC, datetime

import analysis
import ingest
from sync_engine.telemetry import SyncError
from tests.analysis.incidents.test_incidents import Fleet, add_outage


def test_an_outage_is_listed_with_issues_and_reason(synclens, tmp_path):
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        add_outage(Fleet(store))
    (incident,) = json.loads(synclens("incidents", "--json").out)
    output = synclens("incidents").out
    assert incident["incident_id"] in output and incident["reason"][:40] in " ".join(output.split())
    for issue_id in incident["issue_ids"][:5]:
        assert issue_id in output
    assert "and 1 more issue" in output


def test_every_issue_of_an_incident_is_an_issue(simulated):
    issues = {row["issue_id"] for row in json.loads(simulated("issues", "--json").out)}
    for incident in json.loads(simulated("incidents", "--json").out):
        assert issues.issuperset(incident["issue_ids"]) and len(incident["issue_ids"]) > 1


def test_errors_without_an_incident_are_not_denied(synclens, tmp_path):
    event = SyncError(
        event_id="e", occurred_at=datetime(2026, 11, 2, tzinfo=UTC), user_id="u", device_id="d",
        error_type="NETWORK", message="No connection", phase="upload", sync_id=None,
    )  # fmt: skip
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False) as store:
        ingest.append(
            store, [event], source="test", started_at=event.occurred_at, clock=lambda: event.occurred_at
        )
        analysis.update_findings(store)
    printed = synclens("incidents").out
    assert "No incidents" in printed and "No issues" not in printed and "failed" not in printed


def test_a_store_without_errors_says_so(synclens, tmp_path):
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False):
        pass
    result = synclens("incidents")
    assert result.code == 0 and "This store has no syncs and no errors." in result.out
