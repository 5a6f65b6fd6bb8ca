"""The context of an issue: attributes that its users share, and data that the store does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows

_MIN_USERS = 3  # fewer affected users show no pattern
_MIN_SHARE = 0.8

# Per attribute value: how many affected users have it, and how many of the other users.
_ATTRIBUTE_COUNTS = """
WITH affected AS (SELECT DISTINCT user_id FROM issue_event WHERE issue_id = $issue_id AND user_id IS NOT NULL),
active_user AS (
    SELECT user_id FROM detailed_sync WHERE user_id IS NOT NULL
    UNION SELECT user_id FROM issue_event WHERE user_id IS NOT NULL
),
versions AS (
    SELECT user_id, app_version FROM issue_event WHERE issue_id = $issue_id
    UNION
    SELECT user_id, app_version FROM detailed_sync WHERE user_id NOT IN (SELECT user_id FROM affected)
),
attribute AS (
    SELECT user_id, 'permission_set' AS kind, trim(unnest(string_split(permission_sets, ','))) AS value
    FROM current_user_info
    UNION SELECT user_id, 'security_profile', security_profile FROM current_user_info
    UNION SELECT user_id, 'application_profile', application_profile FROM current_user_info
    UNION SELECT user_id, 'territory', territory FROM current_user_info
    UNION SELECT user_id, 'country', country FROM current_user_info
    UNION SELECT user_id, 'app_version', app_version FROM versions
),
present AS (SELECT user_id, kind, value FROM attribute WHERE value IS NOT NULL AND value <> ''),
-- Users without a known attribute value do not count as users without the value.
totals AS (
    SELECT kind, count(DISTINCT t.user_id) FILTER (WHERE h.user_id IS NOT NULL) AS affected_total,
        count(DISTINCT t.user_id) FILTER (WHERE h.user_id IS NULL) AS others_total
    FROM present AS t JOIN active_user AS e ON e.user_id = t.user_id LEFT JOIN affected AS h ON h.user_id = t.user_id
    GROUP BY kind
)
SELECT a.kind AS attribute, a.value,
    count(DISTINCT a.user_id) FILTER (WHERE h.user_id IS NOT NULL) AS affected_with,
    any_value(k.affected_total) AS affected_total,
    count(DISTINCT a.user_id) FILTER (WHERE h.user_id IS NULL) AS others_with,
    any_value(k.others_total) AS others_total,
    (SELECT count(*) FROM active_user) - any_value(k.affected_total + k.others_total) AS unknown
FROM present AS a
JOIN active_user AS e ON e.user_id = a.user_id
JOIN totals AS k ON k.kind = a.kind
LEFT JOIN affected AS h ON h.user_id = a.user_id
GROUP BY a.kind, a.value
ORDER BY attribute, value
"""
NO_PENDING_DATA = "No pending-record data is loaded for the affected devices."
_LOADED_DATA = """
SELECT
    (SELECT count(*) FROM pending_record
     WHERE device_id IN (SELECT device_id FROM issue_event WHERE issue_id = $issue_id)),
    least((SELECT min(occurred_at) FROM error), (SELECT min(started_at) FROM tracked_sync)),
    (SELECT count(*) FROM config_change),
    (SELECT count(*) FROM current_user_info
     WHERE user_id IN (SELECT user_id FROM issue_event WHERE issue_id = $issue_id))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttribute:
    """An attribute value that nearly all affected users have, and clearly fewer of the other users.

    `affected_total` and `others_total` count the affected and the other users whose attribute is known, `unknown` the
    users whose attribute is not.
    """

    attribute: str
    value: str
    affected_with: int
    affected_total: int
    others_with: int
    others_total: int
    unknown: int = 0


def shared_attributes(connection: DuckDBPyConnection, issue_id: str) -> list[SharedAttribute]:
    """List attribute values that at least 80 % of the affected users share.

    The share of other users with the value is at most half of that. The attributes are permission sets,
    profiles, territory, country and app version. Empty for fewer than three affected users.
    """
    rows = to_plain_rows(connection.execute(_ATTRIBUTE_COUNTS, {"issue_id": issue_id}).df())
    return [SharedAttribute(**row) for row in rows if _is_distinctive(row)]


def _is_distinctive(row: Mapping[str, Any]) -> bool:
    too_few = row["affected_total"] < _MIN_USERS or row["affected_with"] < _MIN_SHARE * row["affected_total"]
    if too_few or not row["others_total"]:
        return False
    return bool(
        row["others_with"] / row["others_total"] <= 0.5 * row["affected_with"] / row["affected_total"]
    )


def data_gaps(connection: DuckDBPyConnection, issue_id: str, since: datetime) -> list[str]:
    """List the data that is missing for an issue, one sentence each."""
    pending, first, changes, users = connection.execute(_LOADED_DATA, {"issue_id": issue_id}).fetchall()[0]
    gaps = {
        NO_PENDING_DATA: not pending,
        "The errors begin where the data begins, so the issue may be older.":
            first is not None and since - first < timedelta(days=1),
        "No configuration changes are loaded, so no change can be suspected.": not changes,
        "No data about the users is loaded, so shared attributes are unknown.": not users,
    }  # fmt: skip
    return [sentence for sentence, missing in gaps.items() if missing]
