"""Filters: the part of the fleet and the period that a question is about.

A metric file reads the store's tables and contains no filters. For each table that the file reads, a filter puts a
filtered relation of the same name in front of the query. So every metric supports every filter, and the SQL also
runs unchanged in a DuckDB shell. Values are bound as parameters, never written into the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.base.errors import AnalysisError
from analysis.base.text import did_you_mean
from analysis.query.sql_structure import sql_structure
from analysis.query.sync_views import narrowest_sync_view

FILTERS: Mapping[str, str] = {
    "since": "from this time on, for history only; the state of devices and pending records is as of the end "
    "(ISO text or a timezone-aware datetime; UTC by default)",
    "until": "before this time",
    "sync_type": "API name of the sync type",
    "app_version": "version of the mobile app",
    "object": "object of an error; for syncs: syncs of users with such an error",
    "territory": "territory of the user",
    "profile": "security profile or application profile of the user",
    "country": "country of the user",
    "device_model": "model of the device",
    "platform": "iPad, iPhone, Windows",
    "user_id": "one user",
    "device_id": "one device",
    "cause": "cause of an error; for syncs: syncs of users with such an error",
    "issue_id": "one issue; for syncs: syncs of users with this issue",
}
RELATIONS = ("sync", "error", "issue_event", "pending_record", "current_device", "current_user_info")

_ERROR_FILTERS = ("object", "cause", "issue_id")


class UnknownFilter(AnalysisError):
    """There is no filter of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no filter {name!r}",
            next_step=f"{did_you_mean(name, FILTERS)}Filter by one of: {', '.join(FILTERS)}.",
        )


class InvalidFilter(AnalysisError):
    """A filter has an invalid value, such as a text that is not a date."""

    def __init__(self, name: str, value: object) -> None:
        super().__init__(
            f"the filter {name}={value!r} is not a valid timestamp",
            next_step="Write it as 2026-11-22 or 2026-11-22T14:00:00Z, or pass a timezone-aware datetime.",
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """Validated filters: two timestamps (UTC without a time zone, as in the store) and accepted values."""

    since: datetime | None = None
    until: datetime | None = None
    values: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, **filters: object) -> Filters:
        """Validate filters as passed to `measure`; None means all, an empty list means none.

        Raises UnknownFilter and InvalidFilter.
        """
        for name in filters:
            if name not in FILTERS:
                raise UnknownFilter(name)
        values = {
            name: _texts(value)
            for name, value in filters.items()
            if value is not None and name not in ("since", "until")
        }
        return cls(
            _timestamp("since", filters.get("since")), _timestamp("until", filters.get("until")), values
        )

    def __bool__(self) -> bool:
        return bool(self.since or self.until or self.values)

    def parameters(self) -> dict[str, Any]:
        """Return the values to bind, by the parameter names in `filtered_select`."""
        times = {"since": self.since, "until": self.until}
        return {f"filter_{name}": value for name, value in times.items() if value is not None} | {
            f"filter_{name}": value for name, value in self.values.items()
        }

    def filtered_select(self, relation: str, query: str | None = None) -> str:
        """Return a SELECT of the rows of one of RELATIONS that match the filters.

        With `query`, syncs are read from the narrowest view that has every column the query uses.
        """
        conditions = [*self._time_conditions(_TIME_COLUMN[relation]), *self._conditions(relation)]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        if relation == "sync" and query is not None:
            return f"SELECT * FROM main.{narrowest_sync_view(query, f'SELECT 1{where}')}{where}"
        return f"SELECT * FROM {self._source(relation)}{where}"

    def without_start(self) -> Filters:
        """Return the same filters without the start of the period, for questions about the reference time."""
        return Filters(None, self.until, self.values)

    def previous_period(self, days_of: Filters | None = None) -> Filters:
        """Return the same filters for the period of equal length just before this one.

        Raises AnalysisError if the period has no start or no end.
        """
        period = days_of or self
        if period.since is None or period.until is None:
            raise AnalysisError(
                "a previous period requires since and until",
                next_step="Pass both, e.g. since=2026-11-15 until=2026-11-22.",
            )
        length = period.until - period.since
        return Filters(period.since - length, period.since, self.values)

    def _source(self, relation: str) -> str:
        if relation != "pending_record":
            return f"main.{relation}"
        # The newest list of a device is chosen before any other filter: a record that left the list is not
        # pending, whatever the filters are.
        until = "WHERE as_of <= $filter_until" if self.until is not None else ""
        newest = "as_of = max(as_of) OVER (PARTITION BY device_id)"
        return f"(SELECT * FROM main.pending_record {until} QUALIFY {newest})"

    def _time_conditions(self, column: str) -> Iterable[str]:
        if self.since is not None and column:
            yield f"{column} >= $filter_since"
        if self.until is not None and column:
            yield f"{column} < $filter_until"

    def _conditions(self, relation: str) -> Iterable[str]:
        of_errors = [name for name in self.values if name in _ERROR_FILTERS]
        direct = _DIRECT[relation]
        for name in self.values:
            if name in direct:
                yield direct[name].format(p=f"$filter_{name}")
            elif name not in of_errors:
                yield _indirect_condition(relation, name)
        # `pending_blocker` selects pending records by cause and issue: a device can have records of several users.
        by_user = relation not in ("error", "issue_event", "pending_record")
        if by_user and (indirect := [name for name in of_errors if name not in direct]):
            yield self._users_with(indirect)

    def _users_with(self, names: Sequence[str]) -> str:
        conditions = [f"list_contains($filter_{name}, {name})" for name in names]
        conditions += self._time_conditions("occurred_at")
        return f"user_id IN (SELECT user_id FROM main.issue_event WHERE {' AND '.join(conditions)})"


def filterable_relations(sql: str) -> list[str]:
    """Return which of RELATIONS a query reads."""
    relations = sql_structure(sql).relations
    return [name for name in RELATIONS if name in relations]


_TIME_COLUMN = {
    "sync": "started_at",
    "error": "occurred_at",
    "issue_event": "occurred_at",
    "pending_record": "",  # a record is pending now or not, whenever it was edited
    "current_device": "",
    "current_user_info": "",
}
_SAME = {
    name: f"list_contains({{p}}, {name})" for name in ("user_id", "device_id", "app_version", "platform")
}
_USER = {name: f"list_contains({{p}}, {name})" for name in ("territory", "country")} | {
    "profile": "(list_contains({p}, security_profile) OR list_contains({p}, application_profile))"
}
_MODEL = {"device_model": "list_contains({p}, device_model)"}
_TYPE = {"sync_type": "list_contains({p}, sync_type)"}
_ERROR = _SAME | _USER | _MODEL | _TYPE | {
    name: f"list_contains({{p}}, {name})" for name in _ERROR_FILTERS
}  # fmt: skip
_DIRECT: Mapping[str, Mapping[str, str]] = {
    "sync": _SAME | _USER | _MODEL | _TYPE,
    "error": _ERROR,
    "issue_event": _ERROR,
    "pending_record": {name: _SAME[name] for name in ("user_id", "device_id")}
    | {"object": "list_contains({p}, object)"},
    "current_device": _SAME | {"device_model": "list_contains({p}, model)"},
    "current_user_info": {"user_id": _SAME["user_id"]} | _USER,
}


def _indirect_condition(relation: str, name: str) -> str:
    """Return a condition on an attribute that only the user or device of a row has."""
    parameter = f"$filter_{name}"
    if name in _USER:
        source, key = "current_user_info", "user_id"
    elif relation == "pending_record" and name in ("platform", "app_version", "device_model"):
        source, key = "current_device", "device_id"
    elif name in ("platform", "app_version", "device_model", "device_id"):
        source, key = "current_device", "user_id"
    else:
        source, key = "sync", "user_id"
    return f"{key} IN (SELECT {key} FROM main.{source} WHERE {_DIRECT[source][name].format(p=parameter)})"


def _texts(value: object) -> list[str]:
    values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    return [str(item) for item in values]


def _timestamp(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidFilter(name, value) from None
    if not isinstance(value, datetime):
        raise InvalidFilter(name, value)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
