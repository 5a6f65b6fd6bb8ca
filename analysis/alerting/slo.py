"""Service level objectives: their targets, the used error budget, and how fast it burns.

The burn rate is the bad share divided by the share that the objective allows (Google, Site Reliability
Workbook, chapter 5). A fleet of iPads makes a hundred syncs an hour, not a million requests, so three
rules differ from the book: the burn rate of the *lower* Wilson bound is compared with the limit, a minimum of
distinct devices must be affected, and a window is a number of syncs with a maximum age. One broken iPad that retries
is not an outage.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from importlib.resources import files
from math import ceil, isnan, nan
from typing import Any, Literal

import pandas as pd
from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analysis.base.errors import AnalysisError
from analysis.base.intervals import wilson_interval
from analysis.base.text import pluralize
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for, run_query

MIN_DEVICE_SHARE = 0.01
# A budget of fewer failures than this is not a budget: two chance failures would use it up.
MIN_BUDGET = 3.0
SLO_COLUMNS = (
    "slo", "title", "sync_type", "severity", "objective", "window_syncs", "bad", "devices", "devices_bad",
    "bad_share", "low", "high", "burn", "burn_low", "burn_limit", "budget_used", "state", "reason",
)  # fmt: skip


class Window(BaseModel):
    """The last `syncs` syncs (0: all) of at most `hours`; more than `burn` times the budget is too fast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Literal["page", "ticket"]
    syncs: int = Field(ge=0)
    hours: float = Field(gt=0)
    burn: float = Field(gt=0)


class Slo(BaseModel):
    """One objective, with the keys of its entry in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    kind: Literal["success", "freshness"]
    sync_type: str = "*"
    except_types: tuple[str, ...] = Field(default=(), alias="except")
    objective: float = Field(gt=0, lt=1)
    window_days: float = Field(gt=0)
    min_devices: int = Field(ge=1)
    max_age_hours: float | None = Field(default=None, gt=0)
    window: tuple[Window, ...] = Field(min_length=1)

    @field_validator("except_types", mode="before")
    @classmethod
    def _list_patterns(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_max_age(self) -> Slo:
        if (self.kind == "freshness") != (self.max_age_hours is not None):
            raise ValueError("a freshness objective needs max_age_hours; other objectives must not have it")
        return self

    def covers(self, sync_type: str) -> bool:
        """Return whether the objective applies to syncs of this type."""
        excepted = any(fnmatchcase(sync_type, pattern) for pattern in self.except_types)
        return fnmatchcase(sync_type, self.sync_type) and not excepted


class ObjectivesError(AnalysisError):
    """An invalid file of objectives; the message names the entry."""


@dataclass(frozen=True, slots=True)
class _Count:
    sync_type: str
    n: int
    bad: int
    devices: int
    devices_bad: int


_COUNTED = """
WITH placed AS (
    SELECT
        coalesce(sync_type, 'unknown') AS sync_type,
        coalesce(device_id, user_id) AS device,
        CASE WHEN outcome IN ('failed', 'failed_upload', 'failed_download') THEN 1 ELSE 0 END AS bad{place}
    FROM sync CROSS JOIN reference
    WHERE outcome NOT IN ('canceled', 'unfinished') AND started_at > $after AND started_at <= as_of
)
SELECT sync_type, count(*) AS n, cast(sum(bad) AS BIGINT) AS bad, count(DISTINCT device) AS devices,
    count(DISTINCT CASE WHEN bad = 1 THEN device END) AS devices_bad
FROM placed
{last}GROUP BY sync_type
ORDER BY sync_type
"""
_WHOLE = _COUNTED.format(place="", last="")
# Only the newest syncs of each type: sorting millions to keep all of them takes a minute.
_WINDOW = _COUNTED.format(
    place=""",
        row_number() OVER (PARTITION BY coalesce(sync_type, 'unknown') ORDER BY started_at DESC) AS place""",
    last="WHERE place <= $syncs\n",
)
# Devices with a sync in the window; those without a recent success are stale.
_FRESH = """
WITH tried AS (
    SELECT coalesce(device_id, user_id) AS device,
        max(CASE WHEN outcome IN ('succeeded', 'succeeded_with_upload_errors') THEN started_at END) AS success
    FROM sync CROSS JOIN reference
    WHERE started_at > $after AND started_at <= as_of AND coalesce(device_id, user_id) IS NOT NULL
    GROUP BY coalesce(device_id, user_id)
)
SELECT 'all devices' AS sync_type, count(*) AS n,
    count(*) FILTER (WHERE success IS NULL OR success < $fresh) AS bad,
    count(*) AS devices,
    count(*) FILTER (WHERE success IS NULL OR success < $fresh) AS devices_bad
FROM tried
HAVING count(*) > 0
"""


def load_objectives(text: str | None = None) -> list[Slo]:
    """Read objectives from TOML text; the default objectives if `text` is None. Raises ObjectivesError."""
    if text is None:
        text = files("analysis.alerting").joinpath("objectives.toml").read_text(encoding="utf-8")
    try:
        slos = [Slo.model_validate(entry) for entry in tomllib.loads(text).get("slo", [])]
    except ValueError as error:
        raise ObjectivesError(
            f"the objectives cannot be read: {error}",
            next_step="Correct the entry named in the message. See analysis/alerting/objectives.toml for an example.",
        ) from error
    if len({slo.name for slo in slos}) < len(slos):
        raise ObjectivesError("two objectives have the same name", next_step="Rename one of them.")
    return slos


def slo_status(
    connection: DuckDBPyConnection, slos: Sequence[Slo] | None = None, **filters: object
) -> pd.DataFrame:
    """Evaluate each objective in each of its windows, per sync type: one row each, with SLO_COLUMNS.

    `state` is "burning" if the lower bound of the burn rate exceeds the limit of the window and enough devices are
    affected, "spent" if the lower bound of the used budget is above 100 %, "little data" below the minimum number of
    devices, otherwise "ok". `budget_used` is missing if the budget allows fewer than MIN_BUDGET failures. Shares are
    of finished syncs, or of devices for freshness. The reference time is `until`, or that of the store.
    """
    checked = Filters.of(**filters)
    at = reference_time_for(connection, checked)
    if at is None:
        return pd.DataFrame(columns=list(SLO_COLUMNS))
    objectives = load_objectives() if slos is None else slos
    rows = [row for slo in objectives for row in _evaluate(connection, slo, checked, at)]
    return pd.DataFrame(rows, columns=list(SLO_COLUMNS))


def _evaluate(
    connection: DuckDBPyConnection, slo: Slo, filters: Filters, at: datetime
) -> Iterator[dict[str, Any]]:
    whole = {
        count.sync_type: count
        for count in _count(connection, slo, filters, at, hours=24 * slo.window_days, syncs=0)
    }
    for window in slo.window:
        seen = {
            count.sync_type: count
            for count in _count(connection, slo, filters, at, hours=window.hours, syncs=window.syncs)
        }
        for sync_type, period in whole.items():
            yield _row(slo, window, seen.get(sync_type, _Count(sync_type, 0, 0, 0, 0)), period)


def _count(
    connection: DuckDBPyConnection, slo: Slo, filters: Filters, at: datetime, *, hours: float, syncs: int
) -> list[_Count]:
    if slo.kind == "freshness":
        ages = {
            "after": at - timedelta(days=slo.window_days),
            "fresh": at - timedelta(hours=slo.max_age_hours or 0),
        }
        frame = run_query(connection, _FRESH, filters, ages)
    else:
        sql, newest = (_WINDOW, {"syncs": syncs}) if syncs else (_WHOLE, {})
        frame = run_query(connection, sql, filters, {"after": at - timedelta(hours=hours)} | newest)
    counts = [_Count(str(name), *map(int, numbers)) for name, *numbers in frame.itertuples(index=False)]
    return [count for count in counts if slo.kind == "freshness" or slo.covers(count.sync_type)]


def _row(slo: Slo, window: Window, seen: _Count, period: _Count) -> dict[str, Any]:
    allowed = 1 - slo.objective
    low, high = wilson_interval(seen.bad, seen.n)
    share = seen.bad / seen.n if seen.n else nan
    needed = max(slo.min_devices, ceil(MIN_DEVICE_SHARE * period.devices))
    has_budget = allowed * period.n >= MIN_BUDGET
    used = period.bad / (allowed * period.n) if has_budget else nan
    used_low = wilson_interval(period.bad, period.n).low / allowed if has_budget else 0.0
    state = "ok"
    if seen.devices < slo.min_devices:
        state = "little data"
    elif low / allowed > window.burn and seen.devices_bad >= needed:
        state = "burning"
    elif used_low > 1 and period.devices_bad >= needed:
        state = "spent"
    return {
        "slo": slo.name,
        "title": slo.title,
        "sync_type": seen.sync_type,
        "severity": window.severity,
        "objective": slo.objective,
        "window_syncs": seen.n,
        "bad": seen.bad,
        "devices": seen.devices,
        "devices_bad": seen.devices_bad,
        "bad_share": share,
        "low": low,
        "high": high,
        "burn": share / allowed,
        "burn_low": low / allowed,
        "burn_limit": window.burn,
        "budget_used": used,
        "state": state,
        "reason": _reason(slo, window, seen, state, low / allowed, used),
    }


def _reason(slo: Slo, window: Window, seen: _Count, state: str, burn_low: float, used: float) -> str:  # noqa: PLR0917
    what = "devices are stale" if slo.kind == "freshness" else f"of the last {seen.n} syncs failed"
    count = f"{seen.bad} of {seen.n} {what}" if slo.kind == "freshness" else f"{seen.bad} {what}"
    days = f"{slo.window_days:g} days"
    budget = (
        f"too few syncs in {days} for a budget"
        if isnan(used)
        else f"{used:.0%} of the budget of {days} is used"
    )
    match state:
        case "little data":
            seen_devices = f"only {pluralize(seen.devices, 'device')}" if seen.devices else "no device"
            return f"{seen_devices} synced in this window; at least {slo.min_devices} are needed"
        case "burning":
            where = "" if slo.kind == "freshness" else f" on {pluralize(seen.devices_bad, 'device')}"
            return (
                f"{count}{where}: the budget burns at least"
                f" {burn_low:.1f} times too fast (limit {window.burn:g})"
            )
        case "spent":
            return budget
        case _:
            return f"{count}; {budget}"
