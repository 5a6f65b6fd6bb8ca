"""The two questions people ask of a store: why these devices, and why today."""

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
WHO = (
    "territory", "country", "security_profile", "application_profile", "platform", "device_model",
    "os_version", "app_version",
)  # fmt: skip
WHEN = ("sync_type", "network_type", "trigger")
_EARLIER_PERIODS = 6
_PERMISSION_SETS_AT_MOST = 20
_NEARLY_ALL = 0.9  # of a set that nearly everybody has, it is lacking it that tells people apart

# By user, because Vault's tracking record names no device; by device only where no user is known.
_DEVICES = f"""
WITH seen AS (
    SELECT coalesce(user_id, device_id) AS who, started_at AS at, user_id,
        {", ".join(WHO)}, permission_sets FROM sync
    UNION ALL
    SELECT coalesce(user_id, device_id), occurred_at, user_id,
        {", ".join(WHO)}, permission_sets FROM error
),
affected AS (
    SELECT coalesce(user_id, device_id) AS who, min(occurred_at) AS at
    FROM error WHERE issue_id = $issue GROUP BY ALL
)
SELECT s.who,
    -- what an affected device was when it was hit, not what it became since
    {", ".join(f"arg_max(s.{name}, s.at) FILTER (WHERE s.{name} IS NOT NULL) AS {name}" for name in WHO)},
    arg_max(s.permission_sets, s.at) FILTER (WHERE s.permission_sets IS NOT NULL) AS permission_sets,
    CAST(count(a.who) > 0 AS BIGINT) AS failures, 1 AS total
FROM seen AS s LEFT JOIN affected AS a ON a.who = s.who
WHERE s.who IS NOT NULL AND (a.at IS NULL OR s.at <= a.at)
GROUP BY s.who ORDER BY s.who
"""
_MOMENTS = f"""
WITH hit AS (SELECT DISTINCT sync_id FROM error WHERE issue_id = $issue AND sync_id IS NOT NULL),
affected AS (SELECT DISTINCT coalesce(user_id, device_id) AS who FROM error WHERE issue_id = $issue)
SELECT coalesce(s.user_id, s.device_id) AS who, {", ".join(f"s.{name}" for name in WHEN)},
    CAST(count(h.sync_id) > 0 AS BIGINT) AS failures, 1 AS total
FROM sync AS s
JOIN affected AS a ON a.who = coalesce(s.user_id, s.device_id)
LEFT JOIN hit AS h ON h.sync_id = s.sync_id
GROUP BY ALL ORDER BY ALL
"""
_PERIODS = f"""
SELECT cast(floor(epoch(started_at - $start) / $seconds) AS BIGINT) AS period,
    {", ".join(WHO + WHEN)},
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
    most: int = 5,
    **filters: object,
) -> list[Explanation]:
    """Say what those with an issue have in common that the others have not, best first.

    First who they are: one row per user with the newest word on their device (where no user is known, per
    device), so that one who retries five hundred times counts once; `failures` and `total` are users. Each
    permission set is an attribute `permission set NAME`: yes, or no where nearly all have it. Then when it happens:
    among the syncs of affected users, sync type, network and trigger, once per user and kind of sync.
    `by` limits the attributes. Nothing is said when everybody or nobody is affected, or when what is common
    could be chance. Raises UnknownIssue.
    """
    chosen = Filters.of(**filters)
    devices = run_query(connection, _DEVICES, chosen, {"issue": issue_id})
    if not devices["failures"].sum():
        raise UnknownIssue(issue_id)
    sets = _permission_sets(devices.pop("permission_sets"))
    devices = pd.concat([devices, sets], axis=1)
    who = [name for name in (*WHO, *sets.columns) if by is None or name in by or _is_permission_set(name, by)]
    when = [name for name in WHEN if by is None or name in by]
    people = _stand_out(devices, who, most)
    moments = (
        _stand_out(run_query(connection, _MOMENTS, chosen, {"issue": issue_id}), when, most) if when else []
    )
    # One counts people, the other moments, so their scores cannot be compared: who comes first.
    return [*people[: max(1, most - len(moments[:1]))], *moments][:most]


def explain_period(
    connection: DuckDBPyConnection,
    since: datetime,
    until: datetime,
    *,
    baseline: int | tuple[datetime, datetime] = _EARLIER_PERIODS,
    by: Sequence[str] | None = None,
    most: int = 5,
    **filters: object,
) -> list[Explanation]:
    """Say why syncs failed more in a period than in another, best first; counts are finished syncs.

    Compares with the `baseline` periods of the same length just before, or with the time between two moments,
    wherever it lies, cut into such periods; those without any sync are left out. Canceled and unfinished syncs
    are not counted. Times are UTC. Of periods without a sync nothing is said, and the log of `analysis` says so.
    Raises AnalysisError when a period ends before it begins.
    """
    now = Filters.of(since=since, until=until)
    if now.since is None or now.until is None or now.since >= now.until:
        raise _nothing_to_compare()
    length: timedelta = now.until - now.since
    before = _earlier(baseline, now.since, length)
    counted, earlier = (
        run_query(
            connection,
            _PERIODS,
            Filters.of(**filters | {"since": period.since, "until": period.until}),
            {"start": period.since, "seconds": length.total_seconds()},
        )
        for period in (now, before)
    )
    for frame, period in ((counted, "the period"), (earlier, "what it is compared with")):
        if frame.empty:
            _LOG.warning("no finished sync lies in %s, so nothing can be said of it", period)
    attributes = [name for name in (*WHO, *WHEN) if by is None or name in by]
    return explain(counted, earlier, by=attributes, failures="failures", total="total", most=most)


def _earlier(baseline: int | tuple[datetime, datetime], since: datetime, length: timedelta) -> Filters:
    if isinstance(baseline, int):
        baseline = (since - baseline * length, since)
    before = Filters.of(since=baseline[0], until=baseline[1])
    if before.since is None or before.until is None or before.since >= before.until:
        raise _nothing_to_compare()
    return before


def _nothing_to_compare() -> AnalysisError:
    return AnalysisError(
        "there is nothing to compare",
        next_step="Give each period a since before its until, or a baseline of 1 or more.",
    )


def _stand_out(rows: pd.DataFrame, by: Sequence[str], most: int) -> list[Explanation]:
    return explain(rows, pd.DataFrame(), by=by, failures="failures", total="total", most=most)


def _permission_sets(column: pd.Series) -> pd.DataFrame:
    """One column per permission set: yes where it is held, or no where it is lacked and nearly all hold it."""
    held = [
        {name.strip() for name in text.split(",")} - {""} if isinstance(text, str) else None
        for text in column
    ]
    counts = Counter(name for names in held if names for name in names)
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_PERMISSION_SETS_AT_MOST]
    known = sum(of is not None for of in held)
    telling = {name: "yes" if counts[name] <= _NEARLY_ALL * known else "no" for name in names}
    return pd.DataFrame(
        {
            f"permission set {name}": [
                None if of is None or ("yes" if name in of else "no") != rarer else rarer for of in held
            ]
            for name, rarer in telling.items()
        },
        index=column.index,
    )


def _is_permission_set(name: str, by: Sequence[str]) -> bool:
    return "permission_sets" in by and name.startswith("permission set ")
