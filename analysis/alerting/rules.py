"""Alert rules: read them from TOML, and evaluate them on a store at one time. Keeps no state."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from importlib.resources import files
from typing import Any, Literal

import pandas as pd
from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, Field, model_validator

from analysis.alerting.alert_issue import (
    AlertIssue,
    find_escalating_issue,
    find_issue_of_failures,
    find_stopping_issue,
)
from analysis.alerting.slo import Slo, load_objectives, slo_status
from analysis.base.errors import AnalysisError
from analysis.base.text import pluralize
from analysis.metrics.registry import METRICS, measure
from analysis.query.filters import Filters
from analysis.triage.auto_review import assess_escalations

_NAMED_DEVICES = 3


class AlertRulesError(AnalysisError):
    """An invalid file of alert rules; the message names the entry."""


class AlertRule(BaseModel):
    """One alert rule, with the keys of its entry in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    kind: Literal["slo", "escalation", "metric"]
    severity: Literal["page", "ticket"]
    recover_after: int = Field(default=1, ge=1)
    metric: str | None = None
    column: str | None = None
    rows: bool = False
    above: float | None = None
    below: float | None = None
    require: str | None = None
    last_hours: float | None = Field(default=None, gt=0)
    filters: Mapping[str, str | list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_metric_rule(self) -> AlertRule:
        metric_keys = (self.metric, self.column, self.above, self.below)
        if self.kind != "metric":
            if any(value is not None for value in metric_keys):
                raise ValueError("metric, column, above and below belong to rules of kind metric")
            return self
        if self.metric not in METRICS:
            raise ValueError(f"there is no metric {self.metric!r}; known are {', '.join(METRICS)}")
        if (self.column is None) == (not self.rows):
            raise ValueError("a metric rule has a column or rows = true")
        if (self.above is None) == (self.below is None):
            raise ValueError("a metric rule has one limit: above or below")
        Filters.of(**self.filters)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert that fires. `key` identifies it among the alerts of its rule.

    `issue_id`, `issue`, `cause`, `users` and `devices` are those of the issue behind it: the one that escalates, that
    failed most users, or that stops most devices. `change` is the change suspected of that issue, and `link` shows
    it. All are None if they are not known.
    """

    rule: str
    key: str
    title: str
    severity: str
    value: float
    reason: str
    issue_id: str | None = None
    issue: str | None = None
    cause: str | None = None
    users: int | None = None
    devices: int | None = None
    change: str | None = None
    link: str | None = None

    @property
    def summary(self) -> str:
        """Return what happens, in which issue, to whom, after which change, and where to read on."""
        parts = [f"{self.title}: {self.reason}"]
        if self.issue is not None:
            people = f"{pluralize(self.users or 0, 'user')} on {pluralize(self.devices or 0, 'device')}"
            parts.append(f"Issue: {self.issue} ({self.cause}), {people}")
        if self.change is not None:
            parts.append(f"Suspected change: {self.change}")
        if self.link is not None:
            parts.append(self.link)
        return ". ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict."""
        return asdict(self)


def describe_definition(alert: Alert, rules: Sequence[AlertRule], objectives: Sequence[Slo]) -> str | None:
    """Return a digest of what makes this alert fire: its rule and objective; None if they are not among these."""
    rule = next((rule for rule in rules if rule.name == alert.rule), None)
    if rule is None:
        return None
    text = rule.model_dump_json(exclude={"title", "severity", "recover_after"})
    if rule.kind == "slo":
        slo = next((slo for slo in objectives if alert.key.startswith(f"{slo.name} ")), None)
        if slo is None:
            return None
        text += slo.model_dump_json(exclude={"title"})
    return blake2b(text.encode(), digest_size=8).hexdigest()


def load_alert_rules(text: str | None = None) -> list[AlertRule]:
    """Read alert rules from TOML text; the default rules if `text` is None. Raises AlertRulesError."""
    if text is None:
        text = files("analysis.alerting").joinpath("rules.toml").read_text(encoding="utf-8")
    try:
        rules = [AlertRule.model_validate(entry) for entry in tomllib.loads(text).get("rule", [])]
    except (ValueError, AnalysisError) as error:
        raise AlertRulesError(
            f"the alert rules cannot be read: {error}",
            next_step="Correct the entry named in the message. See analysis/alerting/rules.toml for an example.",
        ) from error
    if len({rule.name for rule in rules}) < len(rules):
        raise AlertRulesError("two alert rules have the same name", next_step="Rename one of them.")
    return rules


def evaluate_alert_rules(
    connection: DuckDBPyConnection,
    rules: Sequence[AlertRule],
    at: datetime,
    *,
    slos: Sequence[Slo] | None = None,
) -> list[Alert]:
    """Return the alerts of all rules that fire as of `at`; later events do not count."""
    return [alert for rule in rules for alert in _evaluate(connection, rule, at, slos)]


def _evaluate(
    connection: DuckDBPyConnection, rule: AlertRule, at: datetime, slos: Sequence[Slo] | None
) -> Iterator[Alert]:
    if rule.kind == "slo":
        narrowed: dict[str, Any] = {**rule.filters, "until": at}
        objectives = load_objectives() if slos is None else slos
        status = slo_status(connection, objectives, **narrowed)
        for row in status[status["state"] == "burning"].to_dict("records"):
            key = f"{row['slo']} {row['sync_type']} {row['severity']}"
            since = at - _window_length(objectives, row)
            issue = find_issue_of_failures(connection, str(row["sync_type"]), since, at, dict(rule.filters))
            yield _alert(rule, key, row["burn_low"], row["reason"], issue, severity=str(row["severity"]))
    elif rule.kind == "escalation":
        for issue_id, escalation in assess_escalations(connection, at, **rule.filters).items():
            if escalation.escalates:
                issue = find_escalating_issue(connection, issue_id, at, dict(rule.filters))
                yield _alert(rule, issue_id, escalation.rise_low, escalation.reason, issue)
    else:
        yield from _evaluate_metric(connection, rule, at)


def _window_length(objectives: Sequence[Slo], row: Mapping[Any, Any]) -> timedelta:
    windows = (window for slo in objectives if slo.name == row["slo"] for window in slo.window)
    return timedelta(hours=max(window.hours for window in windows if window.severity == row["severity"]))


def _evaluate_metric(connection: DuckDBPyConnection, rule: AlertRule, at: datetime) -> Iterator[Alert]:
    since = None if rule.last_hours is None else at - timedelta(hours=rule.last_hours)
    narrowed: dict[str, Any] = {**rule.filters, "since": since, "until": at}
    frame = measure(connection, str(rule.metric), **narrowed)
    if rule.require is not None:
        frame = frame[frame[rule.require].fillna(value=False).astype(bool)]
    if rule.rows:
        if _exceeds_limit(rule, len(frame)):
            reason = f"{METRICS[str(rule.metric)].title}: {len(frame)}{_first_names(frame)}"
            issue = find_stopping_issue(connection, at, dict(rule.filters)) if "device" in frame else None
            yield _alert(rule, "", len(frame), reason, issue)
        return
    for row in frame.to_dict("records"):
        value = row[str(rule.column)]
        if pd.notna(value) and _exceeds_limit(rule, float(value)):
            key = _key(frame, row)
            limit = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
            reason = f"{METRICS[str(rule.metric)].title}: {rule.column} of {key} is {value:.4g}, {limit}"
            yield _alert(rule, key, float(value), reason)


def _exceeds_limit(rule: AlertRule, value: float) -> bool:
    if rule.above is not None:
        return value > rule.above
    return rule.below is not None and value < rule.below


def _key(frame: pd.DataFrame, row: Mapping[Any, Any]) -> str:
    texts = [str(row[name]) for name in frame.columns if pd.api.types.is_string_dtype(frame[name])]
    return " ".join(texts) or "the fleet"


def _first_names(frame: pd.DataFrame) -> str:
    """Return the first devices of a metric that lists devices."""
    if "device" not in frame:
        return ""
    names = [str(name) for name in frame["device"].head(_NAMED_DEVICES)]
    more = len(frame) - len(names)
    return f" ({', '.join(names)}{f' and {more} more' if more else ''})"


def _alert(
    rule: AlertRule,
    key: str,
    value: float,
    reason: str,
    issue: AlertIssue | None = None,
    *,
    severity: str | None = None,
) -> Alert:
    alert = Alert(
        rule=rule.name,
        key=key,
        title=rule.title,
        severity=severity or rule.severity,
        value=float(value),
        reason=reason,
    )
    if issue is None:
        return alert
    return replace(
        alert,
        issue_id=issue.issue_id,
        issue=issue.title,
        cause=issue.cause,
        users=issue.users,
        devices=issue.devices,
    )
