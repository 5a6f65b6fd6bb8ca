"""Days on which users were active, with the hits of an issue, and the users that a change reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from analysis.query.filters import Filters
from analysis.query.runner import run_query

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# One row per user and day, so that retries count once. The time of a day without a hit is its first activity.
_ACTIVE_DAYS = """
WITH activity AS (
    SELECT coalesce(user_id, device_id) AS who, user_id, device_id, started_at AS seen_at, app_version,
        $issue IS NULL AND outcome IN
            ('failed', 'failed_upload', 'failed_download', 'succeeded_with_upload_errors') AS hit
    FROM sync
    UNION ALL
    SELECT coalesce(user_id, device_id), user_id, device_id, occurred_at, app_version,
        coalesce(issue_id = $issue, false) AS hit
    FROM issue_event
)
SELECT who, any_value(user_id) AS user_id, any_value(device_id) AS device_id,
    epoch(coalesce(min(seen_at) FILTER (WHERE hit), min(seen_at))) AS seconds, bool_or(hit) AS hit,
    arg_max(app_version, seen_at) FILTER (WHERE app_version IS NOT NULL) AS app_version
FROM activity WHERE who IS NOT NULL
GROUP BY who, cast(seen_at AS DATE) ORDER BY seconds, who
"""
_USERS = """
SELECT user_id, name, email, permission_sets, security_profile, application_profile, territory, country
FROM current_user_info ORDER BY user_id
"""
_DEVICES = """
SELECT coalesce(user_id, device_id) AS who, platform, model AS device_model
FROM current_device QUALIFY row_number() OVER (PARTITION BY who ORDER BY as_of DESC) = 1 ORDER BY who
"""
_COLUMNS_BY_SCOPE: Mapping[str, tuple[str, ...]] = {
    "profile": ("security_profile", "application_profile"),
    "security_profile": ("security_profile",),
    "application_profile": ("application_profile",),
    "permission_set": ("permission_sets",),
    "permission_sets": ("permission_sets",),
    "territory": ("territory",),
    "country": ("country",),
    "platform": ("platform",),
    "device_model": ("device_model",),
    "user": ("user_id", "who", "email", "name"),
    "user_id": ("user_id", "who", "email", "name"),
    "device_id": ("device_id", "who"),
}
_NAMES_OF_ONE_USER = frozenset({"user", "user_id", "device_id"})
_SCOPE_BY_KIND = {"permission_set": "permission_set", "territory": "territory", "user": "user_id"}


@dataclass(frozen=True, slots=True)
class Exposure:
    """Active days of all users, in order of time.

    `seconds` is the time since 1970 UTC, `hit` is true for a day with a hit, `app_version` the version on that
    day. `user_index` is the position of the user in the rows of `users`, which has their attributes.
    """

    seconds: Floats
    hit: Booleans
    user_index: Integers
    app_version: NDArray[np.object_]
    users: pd.DataFrame
    _positions: dict[str, dict[str, list[int]]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def affected_users(self) -> Booleans:
        """Return for each user whether they were ever hit."""
        return np.bincount(self.user_index[self.hit], minlength=len(self.users)) > 0

    @property
    def first_days(self) -> Floats:
        """Return for each user the time of the first active day, in epoch seconds."""
        first = np.full(len(self.users), np.inf)
        np.minimum.at(first, self.user_index, self.seconds)
        return first

    @property
    def first_hits(self) -> Floats:
        """Return for each user the time of the first hit, in epoch seconds; infinity for never."""
        first = np.full(len(self.users), np.inf)
        np.minimum.at(first, self.user_index[self.hit], self.seconds[self.hit])
        return first

    def users_in_scope(self, kind: str, target: str, scope: str | None) -> Booleans:
        """Return for each user whether a change reaches them; all users if its scope is unknown."""
        return self.users_in_scopes(kind, [(target, scope)])

    def users_in_scopes(self, kind: str, targets: Iterable[tuple[str, str | None]]) -> Booleans:
        """Return for each user whether any of several targets, each with its scope, reaches them."""
        reached = np.zeros(len(self.users), dtype=np.bool_)
        for target, scope in dict.fromkeys(targets):
            if scope and "=" in scope:
                name, value = (part.strip() for part in scope.split("=", 1))
                reached |= self._users_with(name, value)
            else:
                reached |= self._users_of_target(kind, target)
        return reached

    def _users_of_target(self, kind: str, target: str) -> Booleans:
        """Return the users that have the target of a change without a scope; all users if none has it.

        Audit trails write a target as `Permission Set : Field Rep`, snapshots as `field_rep__c.call2__v`.
        """
        for name in (target, target.partition(" : ")[2], target.partition(".")[0]):
            matches = self._users_with(_SCOPE_BY_KIND.get(kind, ""), name)
            if name and matches.any():
                return matches
        return self._all_users()

    def adoption_times(self, version: str) -> Floats:
        """Return when each user was first seen with a version, in epoch seconds; infinity for never."""
        since = np.full(len(self.users), np.inf)
        with_version = self.app_version == version
        np.minimum.at(since, self.user_index[with_version], self.seconds[with_version])
        return since

    def _all_users(self) -> Booleans:
        return np.ones(len(self.users), dtype=np.bool_)

    def _users_with(self, name: str, value: str) -> Booleans:
        if name == "app_version":
            return np.isfinite(self.adoption_times(value))
        if name not in _COLUMNS_BY_SCOPE:
            return self._all_users()
        matches = np.zeros(len(self.users), dtype=np.bool_)
        for column in _COLUMNS_BY_SCOPE[name]:
            positions = self._positions_of(column)
            for part in value.split(","):
                matches[positions.get(part.strip(), [])] = True
        return matches

    def _positions_of(self, column: str) -> Mapping[str, list[int]]:
        """Map each value of a column, which may list several, to the positions of its users."""
        if column not in self._positions:
            positions = self._positions[column] = {}
            for position, text in enumerate(self.users[column]):
                for part in text.split(",") if isinstance(text, str) else ():
                    positions.setdefault(part.strip(), []).append(position)
        return self._positions[column]


def names_one_user(scope: str | None) -> bool:
    """Return whether the scope of a change is one user or device."""
    name, _, value = (scope or "").partition("=")
    return name.strip() in _NAMES_OF_ONE_USER and "," not in value


def load_exposure(connection: DuckDBPyConnection, issue_id: str | None, filters: Filters) -> Exposure:
    """Load the active days; hits are errors of the issue.

    Without `issue_id`, they are syncs that failed or had upload errors.
    """
    rows = run_query(connection, _ACTIVE_DAYS, filters, {"issue": issue_id})
    users = rows.groupby("who", sort=True)[["user_id", "device_id"]].first().reset_index()
    users = users.merge(run_query(connection, _USERS, Filters()), on="user_id", how="left")
    users = users.merge(run_query(connection, _DEVICES, Filters()), on="who", how="left")
    return Exposure(
        seconds=rows["seconds"].to_numpy(np.float64),
        hit=rows["hit"].to_numpy(np.bool_),
        user_index=np.searchsorted(users["who"].to_numpy(object), rows["who"].to_numpy(object)).astype(
            np.int64
        ),
        app_version=rows["app_version"].to_numpy(object),
        users=users,
    )
