"""What would have been told: rules played over history, and scored where the incidents are known."""

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

BACKTEST_COLUMNS = ("rule", "key", "severity", "title", "fired_at", "recovered_at", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertScore:
    """How alerts compare with known incidents.

    `precision` is the share of alerts that overlap an incident, `recall` the share of incidents that an alert
    met, `delay_hours` the median time from the beginning of a met incident to its first alert. None without
    alerts, incidents or met ones.
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
    """Play the rules over history: one row per alert with BACKTEST_COLUMNS, nothing sent, nothing written.

    Each evaluation, one per `every`, sees the store as it was then. `recovered_at` is empty while open.
    """
    calm_of = {rule.name: rule.recover_after for rule in rules}
    still_open: dict[tuple[str, str], OpenAlert] = {}
    told: dict[tuple[str, str, datetime], dict[str, object]] = {}
    at = since
    while at <= until:
        still_open, notices = update_open_alerts(
            still_open, evaluate_alert_rules(connection, rules, at, slos=slos), at, calm_of
        )
        for notice in notices:
            firing = notice.alert
            row = told.setdefault(
                (firing.rule, firing.key, notice.since),
                {
                    "rule": firing.rule, "key": firing.key, "severity": firing.severity,
                    "title": firing.title, "fired_at": notice.since, "recovered_at": None,
                    "reason": firing.reason,
                },
            )  # fmt: skip
            if notice.kind == "recovered":
                row["recovered_at"] = notice.at
        at += every
    frame = pd.DataFrame(list(told.values()), columns=list(BACKTEST_COLUMNS))
    return frame.assign(
        fired_at=pd.to_datetime(frame["fired_at"]), recovered_at=pd.to_datetime(frame["recovered_at"])
    )


def score_alerts(
    alerts: pd.DataFrame, incidents: pd.DataFrame, *, grace: timedelta = timedelta(days=1)
) -> AlertScore:
    """Compare alerts (from `backtest_alerts`) with incidents (columns began_at, ended_at).

    An alert counts for an incident when it was told between its beginning and `grace` after its end.
    """
    began = pd.to_datetime(incidents["began_at"]).to_list()
    ended = [moment + grace for moment in pd.to_datetime(incidents["ended_at"]).to_list()]
    told = pd.to_datetime(alerts["fired_at"]).to_list()
    spans = list(zip(began, ended, strict=True))
    right = sum(any(start <= at <= end for start, end in spans) for at in told)
    met = [(start, [at for at in told if start <= at <= end]) for start, end in spans]
    delays = [(min(times) - start).total_seconds() / 3600 for start, times in met if times]
    return AlertScore(
        alerts=len(told),
        incidents=len(spans),
        precision=right / len(told) if told else None,
        recall=len(delays) / len(spans) if spans else None,
        delay_hours=median(delays) if delays else None,
    )
