"""Backtest alert rules on past data, and score the alerts against known incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.alerting.alert_log import OpenAlert, update_open_alerts
from analysis.alerting.rules import AlertRule, evaluate_alert_rules
from analysis.alerting.slo import Slo

BACKTEST_COLUMNS = (
    "rule",
    "key",
    "severity",
    "title",
    "fired_at",
    "recovered_at",
    "reason",
    "issue",
    "cause",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertScore:
    """The score of alerts against known incidents.

    `precision` is the share of alerts during an incident, `recall` the share of incidents with an alert, and
    `delay_hours` the median time from the start of a detected incident to its first alert. Each is None if there are
    no alerts, no incidents, or no detected incidents.
    """

    alerts: int
    incidents: int
    precision: float | None
    recall: float | None
    delay_hours: float | None


def backtest_alerts(
    connection: DuckDBPyConnection,
    rules: Sequence[AlertRule],
    since: datetime,
    until: datetime,
    *,
    every: timedelta = timedelta(days=1),
    slos: Sequence[Slo] | None = None,
) -> pd.DataFrame:
    """Evaluate the rules on past data: one row per alert, with BACKTEST_COLUMNS. Sends and stores nothing.

    There is one evaluation per interval `every`, and each ignores later events. `recovered_at` is empty if the alert
    is still open.
    """
    recover_after = {rule.name: rule.recover_after for rule in rules}
    still_open: dict[tuple[str, str], OpenAlert] = {}
    rows: dict[tuple[str, str, datetime], dict[str, object]] = {}
    at = since
    while at <= until:
        still_open, notifications = update_open_alerts(
            still_open, evaluate_alert_rules(connection, rules, at, slos=slos), at, recover_after
        )
        for notification in notifications:
            alert = notification.alert
            row = rows.setdefault(
                (alert.rule, alert.key, notification.since),
                {
                    "rule": alert.rule, "key": alert.key, "severity": alert.severity,
                    "title": alert.title, "fired_at": notification.since, "recovered_at": None,
                    "reason": alert.reason, "issue": alert.issue, "cause": alert.cause,
                },
            )  # fmt: skip
            if notification.kind == "recovered":
                row["recovered_at"] = notification.at
        at += every
    frame = pd.DataFrame(list(rows.values()), columns=list(BACKTEST_COLUMNS))
    return frame.assign(
        fired_at=pd.to_datetime(frame["fired_at"]), recovered_at=pd.to_datetime(frame["recovered_at"])
    )


def score_alerts(
    alerts: pd.DataFrame, incidents: pd.DataFrame, *, grace: timedelta = timedelta(days=1)
) -> AlertScore:
    """Compare alerts (from `backtest_alerts`) with incidents (columns began_at, ended_at).

    An alert counts for an incident if it fired between the start of the incident and `grace` after its end.
    """
    starts = pd.to_datetime(incidents["began_at"]).to_list()
    ends = [timestamp + grace for timestamp in pd.to_datetime(incidents["ended_at"]).to_list()]
    fired = pd.to_datetime(alerts["fired_at"]).to_list()
    spans = list(zip(starts, ends, strict=True))
    true_alerts = sum(any(start <= at <= end for start, end in spans) for at in fired)
    alerts_by_incident = [(start, [at for at in fired if start <= at <= end]) for start, end in spans]
    delays = [(min(times) - start).total_seconds() / 3600 for start, times in alerts_by_incident if times]
    return AlertScore(
        alerts=len(fired),
        incidents=len(spans),
        precision=true_alerts / len(fired) if fired else None,
        recall=len(delays) / len(spans) if spans else None,
        delay_hours=median(delays) if delays else None,
    )
