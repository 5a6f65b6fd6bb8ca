"""The search line: `cause:network -country:DE users>=3 "lost connection"`, one grammar for every front end.

field:value     is this value; `*` stands for anything, commas separate alternatives, case does not matter
-field:value    is not
field>5         also >= < <= =; numbers, or moments such as first_seen>=2026-03-10
words           occur somewhere in the text of a row; -words do not; "two words" stay together
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.base.errors import AnalysisError

Comparison = Literal[":", "=", ">", ">=", "<", "<="]

ALIASES: Mapping[str, str] = {
    "count": "events",
    "people": "users",
    "id": "issue_id",
    "issue": "issue_id",
    "version": "app_version",
    "model": "device_model",
    "user": "user_id",
    "device": "device_id",
    "code": "error_type",
    "seen": "last_seen",
    "is": "state",
}

# An error event has these; a term on one of them decides which events an issue is counted from.
EVENT_FIELDS = (
    "sync_type", "app_version", "object", "territory", "profile", "country", "device_model", "platform",
    "user_id", "device_id", "phase", "operation", "error_type", "http_status", "field", "record_id",
    "message", "event_id", "sync_id", "os_version", "side", "retryable",
)  # fmt: skip

_TERM = re.compile(
    r"""(?P<no>-)?
        (?: (?P<field>[A-Za-z_]\w*) (?P<how>:|>=|<=|=|>|<) (?P<value>"[^"]*"|[^\s"]+)
          | (?P<text>"[^"]*"|[^\s"]+) )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


class InvalidQuery(AnalysisError):
    """A search line that cannot be understood; the message quotes the part."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a search line. `field` is empty for plain words."""

    field: str
    how: Comparison
    value: str
    negated: bool = False

    def __str__(self) -> str:
        value = (
            f'"{self.value}"' if re.search(r"\s", self.value) or self.value.startswith("-") else self.value
        )
        return f"{'-' if self.negated else ''}{self.field}{self.how if self.field else ''}{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search line: every term has to hold."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def event_terms(self) -> Query:
        """Take the terms about single events."""
        return Query(tuple(term for term in self.terms if term.field in EVENT_FIELDS))

    def issue_terms(self) -> Query:
        """Take the terms about whole rows of a list."""
        return Query(tuple(term for term in self.terms if term.field not in EVENT_FIELDS))

    def to_sql(self) -> tuple[str, dict[str, Any]]:
        """Write the terms as a SQL condition over the view `error`, and the values to bind."""
        conditions = ["true"]
        bound: dict[str, Any] = {}
        for number, term in enumerate(self.terms):
            condition, values = _condition(term, f"query_{number}")
            conditions.append(f"NOT coalesce({condition}, false)" if term.negated else condition)
            bound |= values
        return " AND ".join(conditions), bound

    def filter_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Keep the rows of a frame for which every term holds. Raises InvalidQuery for a column it lacks."""
        return frame[self.row_mask(frame)].reset_index(drop=True)

    def row_mask(self, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Tell of each row of a frame whether every term holds. Raises InvalidQuery for a column it lacks."""
        mask = np.ones(len(frame), dtype=bool)
        for term in self.terms:
            found = _matches(frame, term)
            mask &= ~found if term.negated else found
        return mask


def parse_query(text: str, fields: Collection[str] = ()) -> Query:
    """Read a search line. With `known`, fields outside it and EVENT_FIELDS raise InvalidQuery."""
    if text.count('"') % 2:
        raise InvalidQuery("a quotation mark is left open", next_step='Close it: "two words".')
    terms = tuple(_term(found) for found in _TERM.finditer(text))
    for term in terms:
        if term.field and len(fields) and term.field not in {*fields, *EVENT_FIELDS}:
            raise InvalidQuery(
                f"there is no field {term.field!r}",
                next_step=f"Use one of: {', '.join(sorted({*fields, *EVENT_FIELDS}))}.",
            )
    return Query(terms)


def _term(found: re.Match[str]) -> Term:
    negated = bool(found["no"])
    if found["field"] is None:
        return Term("", ":", found["text"].strip('"'), negated)
    name = found["field"].lower()
    how: Any = found["how"]
    return Term(ALIASES.get(name, name), how, found["value"].strip('"'), negated)


def _condition(term: Term, name: str) -> tuple[str, dict[str, Any]]:
    if term.how not in (":", "="):
        value = _number(term)
        return f"try_cast({term.field} AS DOUBLE) {term.how} ${name}", {name: value}
    columns = ["security_profile", "application_profile"] if term.field == "profile" else [term.field]
    tests = [f"regexp_full_match(lower(CAST({column} AS VARCHAR)), ${name}, 's')" for column in columns]
    return f"({' OR '.join(tests)})", {name: _pattern(term.value.lower(), anchored=False)}


def _matches(frame: pd.DataFrame, term: Term) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not term.field:
        text = [" ".join(map(str, row)) for row in frame.itertuples(index=False)]
        return np.array([term.value.lower() in one.lower() for one in text], dtype=bool)
    if term.field not in frame.columns:
        raise InvalidQuery(
            f"there is no field {term.field!r}",
            next_step=f"Use one of: {', '.join(map(str, frame.columns))}.",
        )
    column = frame[term.field]
    if term.how == ":" or (term.how == "=" and not pd.api.types.is_numeric_dtype(column)):
        pattern = re.compile(_pattern(term.value.lower(), anchored=True), re.DOTALL)
        return np.array(
            [any(pattern.match(one.lower()) for one in _texts(cell)) for cell in column], dtype=bool
        )
    other = pd.Timestamp(_moment(term)) if pd.api.types.is_datetime64_any_dtype(column) else _number(term)
    return np.asarray(_COMPARE[term.how](column, other), dtype=bool)


def _texts(cell: object) -> list[str]:
    if isinstance(cell, list | tuple | np.ndarray):
        return [str(one) for one in cell]
    return [str(cell)]


_ASCII_SIGN = re.compile(r"([!-/:-@\[-^`{-~])")  # RE2 refuses a backslash before anything else


def _pattern(value: str, *, anchored: bool) -> str:
    """Write a pattern for `a*,b`: RE2 and Python both understand it."""
    parts = [
        ".*".join(_ASCII_SIGN.sub(r"\\\1", piece) for piece in one.split("*")) for one in value.split(",")
    ]
    joined = f"(?:{'|'.join(parts)})"
    return f"{joined}\\Z" if anchored else joined


def _number(term: Term) -> float:
    try:
        return float(term.value)
    except ValueError:
        raise InvalidQuery(
            f"{term} compares with {term.value!r}, which is not a number", next_step="Write e.g. users>=3."
        ) from None


def _moment(term: Term) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(term.value)
    except ValueError:
        raise InvalidQuery(
            f"{term} compares with {term.value!r}, which is not a date",
            next_step="Write e.g. first_seen>=2026-03-10.",
        ) from None
    return moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
