"""Explain an issue, or the failures of a period, from the data in a store."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.diagnosis.explain.explanations import Explanation, explain
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from analysis.query.runner import run_query

_LOG = logging.getLogger("analysis")
USER_ATTRIBUTES = (
    "territory", "country", "security_profile", "application_profile", "platform", "device_model",
    "os_version", "app_version",
)  # fmt: skip
SYNC_ATTRIBUTES = ("sync_type", "network_type", "trigger")
_EARLIER_PERIODS = 6
_MAX_PERMISSION_SETS = 20
_NEARLY_ALL = 0.9  # for a set that more users have, not having it is the attribute

# By user, because Vault's tracking record has no device; by device only if no user is known.
_DEVICES = f"""
WITH activity AS (
    SELECT coalesce(user_id, device_id) AS who, started_at AS at, user_id,
        {", ".join(USER_ATTRIBUTES)}, permission_sets FROM sync
    UNION ALL
    SELECT coalesce(user_id, device_id), occurred_at, user_id,
        {", ".join(USER_ATTRIBUTES)}, permission_sets FROM issue_event
),
affected AS (
    SELECT coalesce(user_id, device_id) AS who, min(occurred_at) AS at
    FROM issue_event WHERE issue_id = $issue GROUP BY ALL
)
SELECT s.who,
    -- attributes at the time of the first error, not later ones
    {", ".join(f"arg_max(s.{name}, s.at) FILTER (WHERE s.{name} IS NOT NULL) AS {name}" for name in USER_ATTRIBUTES)},
    arg_max(s.permission_sets, s.at) FILTER (WHERE s.permission_sets IS NOT NULL) AS permission_sets,
    CAST(count(a.who) > 0 AS BIGINT) AS failures, 1 AS total
FROM activity AS s LEFT JOIN affected AS a ON a.who = s.who
WHERE s.who IS NOT NULL AND (a.at IS NULL OR s.at <= a.at)
GROUP BY s.who ORDER BY s.who
"""
_SYNCS = f"""
WITH hit AS (SELECT DISTINCT sync_id FROM issue_event WHERE issue_id = $issue AND sync_id IS NOT NULL),
affected AS (SELECT DISTINCT coalesce(user_id, device_id) AS who FROM issue_event WHERE issue_id = $issue)
SELECT coalesce(s.user_id, s.device_id) AS who, {", ".join(f"s.{name}" for name in SYNC_ATTRIBUTES)},
    CAST(count(h.sync_id) > 0 AS BIGINT) AS failures, 1 AS total
FROM sync AS s
JOIN affected AS a ON a.who = coalesce(s.user_id, s.device_id)
LEFT JOIN hit AS h ON h.sync_id = s.sync_id
GROUP BY ALL ORDER BY ALL
"""
_PERIODS = f"""
SELECT cast(floor(epoch(started_at - $start) / $seconds) AS BIGINT) AS period,
    {", ".join(USER_ATTRIBUTES + SYNC_ATTRIBUTES)},
    count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures,
    count(*) AS total
FROM sync
WHERE outcome NOT IN ('canceled', 'unfinished')
GROUP BY ALL ORDER BY ALL
"""


def explain_issue(
    connection: DuckDBPyConnection,
    issue_id: str,
    *,
    by: Sequence[str] | None = None,
    limit: int = 5,
    **filters: object,
) -> list[Explanation]:
    """Find what affected users have in common and others do not, best first.

    First the attributes of users: one row per user with the newest attributes of their device (per device if no
    user is known), so that 500 retries of one user count once; `failures` and `total` are users. Each permission
    set is an attribute `permission set NAME` with the value yes, or no if nearly all users have it. Then the
    attributes of syncs: sync type, network and trigger among the syncs of affected users, once per user and kind
    of sync. `by` limits the attributes. Attributes shared by more than chance are `asserted`, others are candidates.
    Empty if all or no users are affected. Raises UnknownIssue.
    """
    selected = Filters.of(**filters)
    devices = run_query(connection, _DEVICES, selected, {"issue": issue_id})
    if not devices["failures"].sum():
        raise UnknownIssue(issue_id)
    sets = _permission_set_columns(devices.pop("permission_sets"))
    devices = pd.concat([devices, sets], axis=1)
    user_attributes = [
        name
        for name in (*USER_ATTRIBUTES, *sets.columns)
        if by is None or name in by or _is_permission_set(name, by)
    ]
    sync_attributes = [name for name in SYNC_ATTRIBUTES if by is None or name in by]
    user_explanations = _explain_without_history(devices, user_attributes, limit)
    sync_explanations = (
        _explain_without_history(
            run_query(connection, _SYNCS, selected, {"issue": issue_id}), sync_attributes, limit
        )
        if sync_attributes
        else []
    )
    # One counts users, the other syncs, so their scores cannot be compared. User attributes come first.
    return [*user_explanations[: max(1, limit - len(sync_explanations[:1]))], *sync_explanations][:limit]


def explain_period(
    connection: DuckDBPyConnection,
    since: datetime,
    until: datetime,
    *,
    baseline: int | tuple[datetime, datetime] = _EARLIER_PERIODS,
    by: Sequence[str] | None = None,
    limit: int = 5,
    **filters: object,
) -> list[Explanation]:
    """Explain why more syncs failed in a period than before, best first; counts are finished syncs.

    The baseline is a number of periods of the same length just before, or any time range, split into such
    periods; periods without syncs are ignored. With one earlier period nothing is asserted. Canceled and
    unfinished syncs are not counted. Times are UTC.
    The result is empty for a period without syncs, with a warning in the log `analysis`. Raises AnalysisError
    if a period ends before it begins.
    """
    now = Filters.of(since=since, until=until)
    if now.since is None or now.until is None or now.since >= now.until:
        raise _no_baseline_error()
    length: timedelta = now.until - now.since
    before = _baseline_filters(baseline, now.since, length)
    current, earlier = (
        run_query(
            connection,
            _PERIODS,
            Filters.of(**filters | {"since": period.since, "until": period.until}),
            {"start": period.since, "seconds": length.total_seconds()},
        )
        for period in (now, before)
    )
    for frame, period in ((current, "the period"), (earlier, "the baseline")):
        if frame.empty:
            _LOG.warning("no finished syncs in %s, so its failures cannot be explained", period)
    attributes = [name for name in (*USER_ATTRIBUTES, *SYNC_ATTRIBUTES) if by is None or name in by]
    return explain(current, earlier, by=attributes, failures="failures", total="total", limit=limit)


def _baseline_filters(
    baseline: int | tuple[datetime, datetime], since: datetime, length: timedelta
) -> Filters:
    if isinstance(baseline, int):
        baseline = (since - baseline * length, since)
    before = Filters.of(since=baseline[0], until=baseline[1])
    if before.since is None or before.until is None or before.since >= before.until:
        raise _no_baseline_error()
    return before


def _no_baseline_error() -> AnalysisError:
    return AnalysisError(
        "there is nothing to compare",
        next_step="Pass a since before until for each period, or a baseline of 1 or more.",
    )


def _explain_without_history(rows: pd.DataFrame, by: Sequence[str], limit: int) -> list[Explanation]:
    return explain(rows, pd.DataFrame(), by=by, failures="failures", total="total", limit=limit)


def _permission_set_columns(column: pd.Series) -> pd.DataFrame:
    """Return a column per permission set: yes for users with it, or no for users without a common set."""
    sets_by_user = [
        {name.strip() for name in text.split(",")} - {""} if isinstance(text, str) else None
        for text in column
    ]
    counts = Counter(name for names in sets_by_user if names for name in names)
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_MAX_PERMISSION_SETS]
    known_users = sum(sets is not None for sets in sets_by_user)
    distinctive_values = {
        name: "yes" if counts[name] <= _NEARLY_ALL * known_users else "no" for name in names
    }
    return pd.DataFrame(
        {
            f"permission set {name}": [
                None if sets is None or ("yes" if name in sets else "no") != value else value
                for sets in sets_by_user
            ]
            for name, value in distinctive_values.items()
        },
        index=column.index,
    )


def _is_permission_set(name: str, by: Sequence[str]) -> bool:
    return "permission_sets" in by and name.startswith("permission set ")
