"""Who could be hit when: one row per user and day, and what each change reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from analysis.query.filters import Filters
from analysis.query.runner import run_query

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# One row per user and day, so that retries count once. A day without a hit stands at its first sign of life.
_CHANCES = """
WITH seen AS (
    SELECT coalesce(user_id, device_id) AS who, user_id, device_id, started_at AS seen_at, app_version,
        $issue IS NULL AND outcome IN ('failed', 'failed_upload', 'failed_download') AS hit
    FROM sync
    UNION ALL
    SELECT coalesce(user_id, device_id), user_id, device_id, occurred_at, app_version,
        coalesce(issue_id = $issue, false) AS hit
    FROM error
)
SELECT who, any_value(user_id) AS user_id, any_value(device_id) AS device_id,
    epoch(coalesce(min(seen_at) FILTER (WHERE hit), min(seen_at))) AS seconds, bool_or(hit) AS hit,
    arg_max(app_version, seen_at) FILTER (WHERE app_version IS NOT NULL) AS app_version
FROM seen WHERE who IS NOT NULL
GROUP BY who, cast(seen_at AS DATE) ORDER BY seconds, who
"""
_USERS = """
SELECT user_id, permission_sets, security_profile, application_profile, territory, country
FROM current_user_info ORDER BY user_id
"""
_DEVICES = """
SELECT coalesce(user_id, device_id) AS who, platform, model AS device_model
FROM current_device QUALIFY row_number() OVER (PARTITION BY who ORDER BY as_of DESC) = 1 ORDER BY who
"""
_SCOPES: Mapping[str, tuple[str, ...]] = {
    "profile": ("security_profile", "application_profile"),
    "security_profile": ("security_profile",),
    "application_profile": ("application_profile",),
    "permission_set": ("permission_sets",),
    "permission_sets": ("permission_sets",),
    "territory": ("territory",),
    "country": ("country",),
    "platform": ("platform",),
    "device_model": ("device_model",),
    "user": ("user_id", "who"),
    "user_id": ("user_id", "who"),
    "device_id": ("device_id", "who"),
}
_BY_KIND = {"permission_set": "permission_set", "territory": "territory", "user": "user_id"}


@dataclass(frozen=True, slots=True)
class Exposure:
    """Days on which someone could be hit, in order of time.

    `at` is in seconds since 1970 UTC; `who` numbers the people, whose attributes are the rows of `people`.
    """

    seconds: Floats
    hit: Booleans
    user_index: Integers
    app_version: NDArray[np.object_]
    users: pd.DataFrame

    @property
    def affected_users(self) -> Booleans:
        """Tell of each person whether they were ever hit."""
        return np.bincount(self.user_index[self.hit], minlength=len(self.users)) > 0

    def users_in_scope(self, kind: str, target: str, scope: str | None) -> Booleans:
        """Tell of each person whether a change reaches them; without a usable word on it, it does."""
        if scope and "=" in scope:
            name, value = (part.strip() for part in scope.split("=", 1))
            return self._having(name, value)
        reached = self._having(_BY_KIND[kind], target) if kind in _BY_KIND else self._everyone()
        return reached if reached.any() else self._everyone()

    def adoption_times(self, version: str) -> Floats:
        """Give the moment at which each person was first seen with a version; infinity for never."""
        since = np.full(len(self.users), np.inf)
        mine = self.app_version == version
        np.minimum.at(since, self.user_index[mine], self.seconds[mine])
        return since

    def _everyone(self) -> Booleans:
        return np.ones(len(self.users), dtype=np.bool_)

    def _having(self, name: str, value: str) -> Booleans:
        if name == "app_version":
            return np.isfinite(self.adoption_times(value))
        if name not in _SCOPES:
            return self._everyone()
        wanted = {part.strip() for part in value.split(",")}
        having = np.zeros(len(self.users), dtype=np.bool_)
        for column in _SCOPES[name]:
            having |= np.array([_holds(text, wanted) for text in self.users[column]], dtype=np.bool_)
        return having


def load_exposure(connection: DuckDBPyConnection, issue_id: str | None, filters: Filters) -> Exposure:
    """Read who could be hit when; hits are events of the issue, or failed syncs when there is none."""
    rows = run_query(connection, _CHANCES, filters, {"issue": issue_id})
    people = rows.groupby("who", sort=True)[["user_id", "device_id"]].first().reset_index()
    people = people.merge(run_query(connection, _USERS, Filters()), on="user_id", how="left")
    people = people.merge(run_query(connection, _DEVICES, Filters()), on="who", how="left")
    return Exposure(
        seconds=rows["seconds"].to_numpy(np.float64),
        hit=rows["hit"].to_numpy(np.bool_),
        user_index=np.searchsorted(people["who"].to_numpy(object), rows["who"].to_numpy(object)).astype(
            np.int64
        ),
        app_version=rows["app_version"].to_numpy(object),
        users=people,
    )


def _holds(text: object, wanted: set[str]) -> bool:
    return isinstance(text, str) and not wanted.isdisjoint(part.strip() for part in text.split(","))
