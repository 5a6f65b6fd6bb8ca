"""How good the alert rules are: precision, recall and delay against incidents whose start and end are known.

Two measurements. Quiet fleets: constant trouble, nothing begins, so every alert of a spreading issue is
false. Incident fleets: the troubles of tests/support/trouble.toml that start during the period are the incidents;
the rule for spreading issues is scored against the incidents of the same issue only.

    python -m benchmarks.alerts [--fleets 5] [--devices 200]
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.alerting.backtest import backtest_alerts, score_alerts
from analysis.alerting.rules import load_alert_rules
from ingest.store.open import migrate
from tests.support.synthetic import START, TROUBLE, fill, issue_id_of

DAYS = 28
WARM_UP_DAYS = 8


def fleet(seed: int, devices: int) -> DuckDBPyConnection:
    """A store with one synthetic fleet."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    migrate(connection)
    fill(connection, syncs=80 * devices, errors=8 * devices, devices=devices, days=DAYS, seed=seed)
    return connection


def incidents() -> pd.DataFrame:
    """When each trouble that is not always there begins and ends, with its issue."""
    kinds = tomllib.loads(TROUBLE.read_text(encoding="utf-8"))["trouble"]
    sudden = [kind for kind in kinds if kind["begins"] * DAYS >= WARM_UP_DAYS]
    return pd.DataFrame(
        {
            "key": [issue_id_of(kind["name"]) for kind in sudden],
            "name": [kind["name"] for kind in sudden],
            "began_at": [START + timedelta(days=kind["begins"] * DAYS) for kind in sudden],
            "ended_at": [START + timedelta(days=kind["ends"] * DAYS) for kind in sudden],
        }
    )


def keep_only_chronic(connection: DuckDBPyConnection) -> None:
    """Remove every sudden issue from a store, so that no alert is correct."""
    chronic = [
        issue_id_of(kind["name"])
        for kind in tomllib.loads(TROUBLE.read_text(encoding="utf-8"))["trouble"]
        if kind["ends"] - kind["begins"] == 1.0
    ]
    connection.execute(
        "DELETE FROM sync_error WHERE event_id IN"
        " (SELECT event_id FROM finding WHERE NOT list_contains(?, issue_id))",
        [chronic],
    ).fetchall()


def spreading(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Every alert of a spreading issue, looked for once a day after the warm-up."""
    rules = [rule for rule in load_alert_rules() if rule.kind == "escalation"]
    first: datetime = START + timedelta(days=WARM_UP_DAYS, hours=20)
    return backtest_alerts(connection, rules, first, START + timedelta(days=DAYS))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Score the alert rules.")
    parser.add_argument("--fleets", type=int, default=5)
    parser.add_argument("--devices", type=int, default=200)
    options = parser.parse_args(arguments)
    true_incidents = incidents()
    scores, false, issue_weeks = [], 0, 0.0
    for seed in range(1, options.fleets + 1):
        with fleet(seed, options.devices) as connection:
            alerts = spreading(connection)
            for incident in true_incidents.itertuples():
                own = score_alerts(
                    alerts[alerts["key"] == incident.key],
                    true_incidents[true_incidents["key"] == incident.key],
                )
                scores.append((incident.name, own.recall or 0.0, own.delay_hours))
            sudden = alerts[alerts["key"].isin(true_incidents["key"])]
            wrong = len(alerts) - sum(
                (true_incidents.loc[true_incidents["key"] == row.key, "began_at"] <= row.fired_at).any()
                for row in sudden.itertuples()
            )
            print(f"seed {seed}: {len(alerts)} alerts, {wrong} of them of nothing that had begun")
            keep_only_chronic(connection)
            false += len(spreading(connection))
            issue_weeks += 9 * (DAYS - WARM_UP_DAYS) / 7
    table = pd.DataFrame(scores, columns=["incident", "recall", "delay_hours"])
    print(table.groupby("incident").mean().round(2).to_string())
    print(f"recall {table['recall'].mean():.2f}, median delay {table['delay_hours'].median():.1f} h")
    print(f"quiet fleets: {false} false alerts in {issue_weeks:.0f} issue-weeks")


if __name__ == "__main__":
    main()
