"""Every figure that two questions state is the same, on six stores, for the whole period and its last 24 hours.

Each figure has a name and the answers of all questions that state it; a question that cannot see the part of the
store that another counts (a sync without a user, a record without an issue) is compared over what both see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

import analysis
import ingest
from analysis.alerting.prometheus import prometheus_text
from analysis.findings import update_findings
from analysis.fixes.suggestion import suggest_fix
from analysis.issues.listing import list_issue_summaries
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import load_scenario
from tests.conftest import fresh_store

SIMULATED = {"storm": 7, "bad-build-rollout": 11, "expired-passwords": 13, "silent-devices": 17}
STORES = (*SIMULATED, "syncs alone", "errors alone")
# What the answer is without: tracking records alone, and error messages alone.
_DELETED = {
    "syncs alone": ("sync_error", "sync_detail", "pending_record", "device"),
    "errors alone": ("sync_tracking__v", "sync_detail", "pending_record", "device", "sync_user"),
}
MOST = 3  # issues and devices whose pages are opened: the worst ones
_NOW_COLUMNS = ("pending", "stopped_devices", "unrecovered_users", "blocked_since", "first_seen")

Answers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=STORES)
def fleet(request: pytest.FixtureRequest) -> Iterator[DuckDBPyConnection]:
    """Yield a fleet of eight devices over five days, or what is left of it without the other tables."""
    name = request.param if request.param in SIMULATED else "storm"
    with fresh_store() as connection:
        rows = list(
            simulate_fleet(scenario=load_scenario(name), seed=SIMULATED[name], device_count=8, days=5)
        )
        ingest.append(connection, rows, source="simulation")
        for table in _DELETED.get(request.param, ()):
            connection.execute(f"DELETE FROM {table}").fetchall()
        update_findings(connection)
        yield connection


@pytest.fixture(params=["the whole period", "the last 24 hours"])
def period(request: pytest.FixtureRequest, fleet: DuckDBPyConnection) -> dict[str, Any]:
    """Return the filters of a period that ends at the reference time."""
    if request.param == "the whole period":
        return {}
    return _last_day(fleet)


def _last_day(fleet: DuckDBPyConnection) -> dict[str, Any]:
    as_of = reference_time_for(fleet, Filters())
    assert as_of is not None
    return {"since": as_of - timedelta(days=1), "until": as_of + timedelta(seconds=1)}


def _differing(answers: Answers) -> Answers:
    return {name: by for name, by in answers.items() if len({str(value) for value in by.values()}) > 1}


def _total(frame: Any, column: str) -> int:
    return int(frame[column].sum())


def test_the_fleet_is_counted_alike(fleet: DuckDBPyConnection, period: dict[str, Any]) -> None:
    answers: Answers = defaultdict(dict)
    health = analysis.health(fleet, **period)
    devices = analysis.list_devices(fleet, **period)
    metrics = {name: analysis.measure(fleet, name, **period) for name in analysis.METRICS}
    rates, clean, by_day = (metrics[name] for name in ("success_rate", "sync_clean_syncs", "failures_by_day"))
    for outcome in ("good", "bad", "canceled", "unfinished"):
        answers[outcome] = {"health": getattr(health, outcome), "success_rate": _total(rates, outcome)}
    answers["syncs"] = {
        "health": health.syncs,
        "fleet": _total(devices, "syncs"),
        "coverage": analysis.estimate_coverage(fleet, **period).syncs,
        "success_rate": sum(_total(rates, name) for name in ("good", "bad", "canceled", "unfinished")),
        "version_adoption": _total(metrics["version_adoption"], "syncs") if not period else health.syncs,
    }
    answers["failed"] = {
        "health": health.bad,
        "fleet": _total(devices, "failures"),
        "failures_by_day": _total(by_day, "failed"),
        "version_risk": _total(metrics["version_risk"], "failures"),
    }
    answers["finished"] = {
        "health": health.good + health.bad,
        "failures_by_day": sum(
            sign * _total(by_day, name) for name, sign in (("syncs", 1), ("canceled", -1), ("unfinished", -1))
        ),
        "clean": _total(clean, "syncs"),
        "version_risk": _total(metrics["version_risk"], "syncs"),
    }
    answers["clean"] = {"health": health.clean, "sync_clean_syncs": _total(clean, "clean")}
    answers["devices"] = {"health": health.devices, "fleet": int((devices["syncs"] > 0).sum())}
    answers["devices with a failure"] = {
        "health": health.devices_with_failure, "fleet": int((devices["failures"] > 0).sum()),
    }  # fmt: skip
    answers["errors"] = {
        "health": health.errors,
        "fleet": _total(devices, "errors"),
        **{
            name: _total(metrics[name], "events")
            for name in ("errors_by_cause", "errors_by_day", "errors_by_object")
        },
        "loaded": fleet.execute("SELECT count(*) FROM sync_error").fetchall()[0][0]
        if not period
        else health.errors,
    }
    assert not _differing(answers)


def test_issues_are_counted_alike(fleet: DuckDBPyConnection, period: dict[str, Any]) -> None:
    answers: Answers = defaultdict(dict)
    health = analysis.health(fleet, **period)
    issues = {issue.issue_id: issue for issue in list_issue_summaries(fleet, **period)}
    of_errors = [issue for issue in issues.values() if issue.failure_kind is None]
    answers["issues"] = {
        "health": health.all_issues, "triage": len(issues), "list": len(analysis.list_issues(fleet, **period)),
    }  # fmt: skip
    answers["issues of errors"] = {"health": health.issues, "triage": len(of_errors)}
    answers["errors"] = {"health": health.errors, "triage": sum(issue.events for issue in of_errors)}
    for incident in analysis.find_incidents(fleet, **period):
        listed = [issues[issue_id].events for issue_id in incident.issue_ids]
        answers[f"events {incident.incident_id}"] = {"incident": incident.events, "triage": sum(listed)}
    for issue_id, issue in list(issues.items())[:MOST]:
        page = analysis.get_issue(fleet, issue_id, **period)
        for column in ("events", "users", "devices", "last_seen", *_NOW_COLUMNS):
            answers[f"{column} {issue_id}"] = {
                "triage": getattr(issue, column), "issue": getattr(page.summary, column),
            }  # fmt: skip
        answers[f"events {issue_id}"] |= {
            "days": _total(page.by_day, "events"), "variants": _total(page.variants, "events"),
            "users": _total(page.users, "events"), "newest": len(page.events) if issue.events <= 50 else issue.events,
        }  # fmt: skip
        answers[f"users {issue_id}"]["frame"] = int(page.users["user_id"].notna().sum())
        if not period:
            fix = suggest_fix(fleet, issue_id)
            answers[f"events {issue_id}"]["fix"] = fix.events
            answers[f"users {issue_id}"]["fix"] = fix.users
    assert not _differing(answers)


def test_unsent_work_is_counted_alike(fleet: DuckDBPyConnection, period: dict[str, Any]) -> None:
    answers: Answers = defaultdict(dict)
    devices = analysis.list_devices(fleet, **period).set_index("device")
    risk = analysis.measure(fleet, "records_at_risk", **period).set_index("cause")
    backlog = analysis.measure(fleet, "pending_backlog", **period)
    listed = analysis.list_records_at_risk(fleet, **period)
    everything = analysis.list_records_at_risk(fleet, only_blocked=False, **period)
    fixes = analysis.ranked_fixes(fleet, **period).set_index("cause")
    answers["blocked"] = {
        "fleet": _total(devices, "pending_blocked"), "records_at_risk": _total(risk, "records"),
        "pending_backlog": _total(backlog, "blocked"), "list": len(listed), "fixes": _total(fixes, "records"),
    }  # fmt: skip
    answers["pending"] = {
        "fleet": _total(devices, "pending"), "pending_backlog": _total(backlog, "records"), "list": len(everything),
    }  # fmt: skip
    answers["in error"] = {
        "fleet": _total(devices, "pending_in_error"), "pending_backlog": _total(backlog, "in_error"),
        "list": int(everything["in_error"].sum()),
    }  # fmt: skip
    for cause, records in risk["records"].items():
        answers[f"blocked by {cause}"] = {"records_at_risk": records, "fixes": fixes["records"][cause]}
    whole = {name: value for name, value in period.items() if name != "since"}
    issues = list_issue_summaries(fleet, **whole)
    answers["blocked by an issue"] = {
        "triage": sum(issue.pending for issue in issues), "list": int(listed["issue_id"].notna().sum()),
    }  # fmt: skip
    for issue in issues[:MOST]:
        of_issue = {"issue_id": issue.issue_id, **period}
        answers[f"blocked by {issue.issue_id}"] = {
            "triage": issue.pending, "list": len(analysis.list_records_at_risk(fleet, **of_issue)),
            "metric": _total(analysis.measure(fleet, "records_at_risk", **of_issue), "records"),
        }  # fmt: skip
        answers[f"stopped by {issue.issue_id}"] = {
            "triage": issue.stopped_devices, "fleet": int((devices["stopped_by"] == issue.issue_id).sum()),
        }  # fmt: skip
    for name in devices.index[:MOST]:
        device = analysis.get_device(fleet, str(name), limit=10_000, **period)
        kinds = device.timeline["kind"].value_counts()
        answers[f"pending {name}"] = {
            "fleet": devices["pending"][name], "history": len(device.pending), "summary": device.summary["pending"],
        }  # fmt: skip
        answers[f"syncs {name}"] = {"fleet": devices["syncs"][name], "history": kinds.get("sync", 0)}
        answers[f"errors {name}"] = {"fleet": devices["errors"][name], "history": kinds.get("error", 0)}
        answers[f"status {name}"] = {"fleet": devices["why"][name], "history": device.summary["why"]}
    assert not _differing(answers)


def test_devices_with_problems_are_counted_alike(fleet: DuckDBPyConnection, period: dict[str, Any]) -> None:
    answers: Answers = defaultdict(dict)
    devices = analysis.list_devices(fleet, **period)
    freshness = analysis.measure(fleet, "freshness", **period).set_index("age")["devices"]
    exported = prometheus_text(fleet, **period)
    for status in ("stuck", "silent"):
        listed = [status in problems for problems in devices["problems"]]
        metric = analysis.measure(fleet, f"{status}_devices", **period)
        answers[status] = {"fleet": sum(listed), "metric": len(metric)}
        answers[status]["prometheus"] = int(exported.split(f"\nsynclens_{status}_devices ")[1].split("\n")[0])
    stale = sum("stale" in problems for problems in devices["problems"])
    answers["stale"] = {
        "fleet": stale,
        "freshness": sum(freshness.get(age, 0) for age in ("over 7 days", "never")),
    }
    (slo,) = (slo for slo in analysis.load_objectives() if slo.kind == "freshness")
    status = analysis.slo_status(fleet, [slo], **period)
    if len(status):
        answers["stale by objective"] = {"slo": int(status["bad"].iloc[0])}
    assert not _differing(answers)


def test_the_start_of_a_period_changes_nothing_about_now(fleet: DuckDBPyConnection) -> None:
    last_day = _last_day(fleet)
    until = {"until": last_day["until"]}
    answers: Answers = {}
    for name, metric in analysis.METRICS.items():
        if metric.is_about_now:
            answers[name] = {
                "whole": analysis.measure(fleet, name, **until).to_csv(),
                "last day": analysis.measure(fleet, name, **last_day).to_csv(),
            }
    whole = {issue.issue_id: issue for issue in list_issue_summaries(fleet, **until)}
    for issue in list_issue_summaries(fleet, **last_day):
        for column in _NOW_COLUMNS:
            answers[f"{column} {issue.issue_id}"] = {
                "whole": getattr(whole[issue.issue_id], column), "last day": getattr(issue, column),
            }  # fmt: skip
    history = ["syncs", "failures", "errors"]
    answers["fleet"] = {
        name: analysis.list_devices(fleet, **period).drop(columns=history).to_csv()
        for name, period in (("whole", until), ("last day", last_day))
    }
    answers["records"] = {
        name: analysis.list_records_at_risk(fleet, **period).to_csv()
        for name, period in (("whole", until), ("last day", last_day))
    }
    assert not _differing(answers)


def test_the_overview_counts_the_relations_that_triage_counts(fleet: DuckDBPyConnection) -> None:
    """The overview's relations, read directly, agree with the list of issues."""
    counts = {
        name: int(
            run_query(fleet, f"SELECT count(*) AS n FROM {name} WHERE issue_id IS NOT NULL", Filters())["n"][
                0
            ]
        )
        for name in ("stopped_device", "unrecovered_user")
    }
    issues = list_issue_summaries(fleet)
    assert counts == {
        "stopped_device": sum(issue.stopped_devices for issue in issues),
        "unrecovered_user": sum(issue.unrecovered_users for issue in issues),
    }
