"""`synclens incidents` lists each incident with its issues and its reason."""

import json

import ingest
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


def test_a_store_without_errors_says_so(synclens, tmp_path):
    with ingest.open_store(tmp_path / "test.duckdb", read_only=False):
        pass
    result = synclens("incidents")
    assert result.code == 0 and "This store has no syncs and no errors." in result.out
