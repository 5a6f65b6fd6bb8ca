"""Parse search lines such as `cause:network -country:DE users>=3 "lost connection"`.

field:value     the field has this value; `*` matches any text, commas separate alternatives, case is ignored
-field:value    the field does not have this value
field>5         also >= < <= =; numbers, or timestamps such as first_seen>=2026-03-10
text            the row contains this text; -text: it does not; quote several words: "two words"
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from analysis.base.errors import AnalysisError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

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

# Fields of an error event. A term on one of them selects the events that an issue is counted from.
EVENT_FIELDS = (
    "sync_type", "app_version", "object", "territory", "profile", "country", "device_model", "platform",
    "user_id", "device_id", "phase", "operation", "error_type", "http_status", "field", "record_id",
    "message", "event_id", "sync_id", "os_version", "side", "retryable",
)  # fmt: skip

_TERM = re.compile(
    r"""(?P<no>-)?
        (?: (?P<field>[A-Za-z_]\w*) (?P<operator>:|>=|<=|=|>|<) (?P<value>"[^"]*"|[^\s"]+)
          | (?P<text>"[^"]*"|[^\s"]+) )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


class InvalidQuery(AnalysisError):
    """A search line that cannot be parsed; the message quotes the part."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a search line. `field` is empty for plain text."""

    field: str
    comparison: Comparison
    value: str
    negated: bool = False

    def __str__(self) -> str:
        value = (
            f'"{self.value}"' if re.search(r"\s", self.value) or self.value.startswith("-") else self.value
        )
        return f"{'-' if self.negated else ''}{self.field}{self.comparison if self.field else ''}{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search line: all terms must match."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def event_terms(self) -> Query:
        """Return the terms on fields of error events."""
        return Query(tuple(term for term in self.terms if term.field in EVENT_FIELDS))

    def issue_terms(self) -> Query:
        """Return the terms on the other columns, and plain text."""
        return Query(tuple(term for term in self.terms if term.field not in EVENT_FIELDS))

    def to_sql(self) -> tuple[str, dict[str, Any]]:
        """Return the terms as an SQL condition on the view `error`, and the values to bind."""
        conditions = ["true"]
        bound: dict[str, Any] = {}
        for number, term in enumerate(self.terms):
            condition, values = _condition(term, f"query_{number}")
            conditions.append(f"NOT coalesce({condition}, false)" if term.negated else condition)
            bound |= values
        return " AND ".join(conditions), bound

    def filter_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a frame that match all terms. Raises InvalidQuery for a missing column."""
        return frame[self.row_mask(frame)].reset_index(drop=True)

    def row_mask(self, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return for each row of a frame whether it matches all terms. Raises InvalidQuery for a missing column."""
        import numpy as np  # noqa: PLC0415 - slow, and most queries have no terms on rows

        mask = np.ones(len(frame), dtype=bool)
        for term in self.terms:
            matches = _matches(frame, term)
            mask &= ~matches if term.negated else matches
        return mask


def parse_query(text: str, fields: Collection[str] = ()) -> Query:
    """Parse a search line. With `fields`, a field that is not in it or in EVENT_FIELDS raises InvalidQuery."""
    if text.count('"') % 2:
        raise InvalidQuery("a quotation mark is not closed", next_step='Close it: "two words".')
    terms = tuple(_parse_term(match) for match in _TERM.finditer(text))
    for term in terms:
        if term.field and len(fields) and term.field not in {*fields, *EVENT_FIELDS}:
            raise InvalidQuery(
                f"there is no field {term.field!r}",
                next_step=f"Use one of: {', '.join(sorted({*fields, *EVENT_FIELDS}))}.",
            )
    return Query(terms)


def _parse_term(match: re.Match[str]) -> Term:
    negated = bool(match["no"])
    if match["field"] is None:
        return Term("", ":", match["text"].strip('"'), negated)
    name = match["field"].lower()
    comparison: Any = match["operator"]
    return Term(ALIASES.get(name, name), comparison, match["value"].strip('"'), negated)


_ID_FIELDS = ("user_id", "device_id", "record_id", "sync_id")


def _condition(term: Term, name: str) -> tuple[str, dict[str, Any]]:
    if term.comparison not in (":", "="):
        value = _parse_number(term)
        return f"try_cast({term.field} AS DOUBLE) {term.comparison} ${name}", {name: value}
    columns = ["security_profile", "application_profile"] if term.field == "profile" else [term.field]
    tests = [f"regexp_full_match(lower(CAST({column} AS VARCHAR)), ${name}, 's')" for column in columns]
    bound = {name: _pattern(term.value.lower(), anchored=False)}
    if term.field in _ID_FIELDS:  # an id of Salesforce with 18 characters is stored with 15
        tests.append(f"{term.field} = canonical_id(${name}_id)")
        bound[f"{name}_id"] = term.value
    return f"({' OR '.join(tests)})", bound


def _matches(frame: pd.DataFrame, term: Term) -> np.ndarray[Any, np.dtype[np.bool_]]:
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    if not term.field:
        text = [" ".join(map(str, row)) for row in frame.itertuples(index=False)]
        return np.array([term.value.lower() in row.lower() for row in text], dtype=bool)
    if term.field not in frame.columns:
        raise InvalidQuery(
            f"there is no field {term.field!r}",
            next_step=f"Use one of: {', '.join(map(str, frame.columns))}.",
        )
    column = frame[term.field]
    if term.comparison == ":" or (term.comparison == "=" and not pd.api.types.is_numeric_dtype(column)):
        pattern = re.compile(_pattern(term.value.lower(), anchored=True), re.DOTALL)
        return np.array(
            [any(pattern.match(value.lower()) for value in _texts(cell)) for cell in column], dtype=bool
        )
    other = (
        pd.Timestamp(_parse_timestamp(term))
        if pd.api.types.is_datetime64_any_dtype(column)
        else _parse_number(term)
    )
    return np.asarray(_COMPARE[term.comparison](column, other), dtype=bool)


def _texts(cell: object) -> list[str]:
    if hasattr(cell, "tolist"):  # a numpy array or number
        cell = cell.tolist()
    if isinstance(cell, list | tuple):
        return [str(value) for value in cell]
    return [str(cell)]


_ASCII_SIGN = re.compile(r"([!-/:-@\[-^`{-~])")  # RE2 rejects a backslash before any other character


def _pattern(value: str, *, anchored: bool) -> str:
    """Return a regular expression for `a*,b` that RE2 and Python both support."""
    parts = [
        ".*".join(_ASCII_SIGN.sub(r"\\\1", piece) for piece in part.split("*")) for part in value.split(",")
    ]
    joined = f"(?:{'|'.join(parts)})"
    return f"{joined}\\Z" if anchored else joined


def _parse_number(term: Term) -> float:
    try:
        return float(term.value)
    except ValueError:
        raise InvalidQuery(
            f"{term} compares with {term.value!r}, which is not a number",
            next_step="Write for example users>=3.",
        ) from None


def _parse_timestamp(term: Term) -> pd.Timestamp:
    import pandas as pd  # noqa: PLC0415

    try:
        timestamp = pd.Timestamp(term.value)
    except ValueError:
        raise InvalidQuery(
            f"{term} compares with {term.value!r}, which is not a date",
            next_step="Write for example first_seen>=2026-03-10.",
        ) from None
    return timestamp.tz_convert("UTC").tz_localize(None) if timestamp.tzinfo else timestamp
