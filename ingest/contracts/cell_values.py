"""From text to value: how strangers write flags, numbers and times, and what is wrong when they do not.

Each reader takes the text of one cell and returns the value, None for an empty cell, or raises ValueError
with what is wrong. Every rule is a pattern that DuckDB can apply too: `bulk.py` has the same rules in SQL,
and a property test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Literal
from zoneinfo import ZoneInfo

from ingest.contracts.tables import Kind

TRUE = frozenset({"true", "1", "1.0", "yes", "y", "on", "t"})
FALSE = frozenset({"false", "0", "0.0", "no", "n", "off", "f"})
NOTHING = frozenset({"", "null", '"null"'})
SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Every space separator of Unicode: reports pad cells with the no-break one, and DuckDB's `trim` takes them all."""

INTEGER = r"\+?[0-9]{1,18}(\.0{0,9})?"
NEGATIVE = r"-[0-9]{1,18}([.,][0-9]{0,18})?"
NUMBER = r"\+?([0-9]{1,18}([.,][0-9]{0,18})?|[.,][0-9]{1,18})([eE][+-]?[0-9]{1,2})?"
THOUSANDS = r"\+?[0-9]{1,3},[0-9]{3}"
ISO = (
    r"(?P<day>(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.(?P<fraction>[0-9]{1,9}))? ?"
    r"(?P<zone>Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
LOCAL = (
    r"(?P<one>[0-9]{1,2})(?P<mark>[./])(?P<two>[0-9]{1,2})[./](?P<year>(?:19|20|21)[0-9]{2})"
    r"(?:,? (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?(?P<half> [AaPp][Mm])?)?"
)

_INTEGER, _NEGATIVE, _NUMBER, _THOUSANDS, _ISO, _LOCAL = (
    re.compile(pattern, re.ASCII) for pattern in (INTEGER, NEGATIVE, NUMBER, THOUSANDS, ISO, LOCAL)
)

MISSING = "is missing"
NOT_A_FLAG = "is neither yes nor no"
NOT_AN_INTEGER = "is not a whole number"
NOT_A_NUMBER = "is not a number"
BELOW_ZERO = "is below zero"
AMBIGUOUS_NUMBER = "could be thousands or decimals"
NOT_A_TIME = "is not a time"
AMBIGUOUS_TIME = "has day and month in an order that nobody declared"


@dataclass(frozen=True, slots=True)
class CellFormat:
    """How a source writes what its text alone does not tell.

    `time_zone` is the IANA zone of times that carry none; `date_order` is the order in dates with slashes.
    """

    time_zone: str = "UTC"
    date_order: Literal["dmy", "mdy"] | None = None


VAULT_FORMAT = CellFormat()
"""How Vault itself writes: UTC, and no dates with slashes."""


def read_text(text: str, cell_format: CellFormat) -> str | None:
    """Any text is fine as it is; blank text is no text."""
    return text if text.strip(" \t\r\n") else None


def read_flag(text: str, cell_format: CellFormat) -> bool | None:
    """Read yes or no, in each of the spellings that Vault, Salesforce and spreadsheets use."""
    word = text.strip(SPACES).lower()
    if word in NOTHING:
        return None
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(NOT_A_FLAG)


def read_integer(text: str, cell_format: CellFormat) -> int | None:
    """Read a count: no sign but plus, no decimals but zeros."""
    word = text.strip(SPACES)
    if word.lower() in NOTHING:
        return None
    if _INTEGER.fullmatch(word):
        return int(word.partition(".")[0])
    raise ValueError(BELOW_ZERO if _NEGATIVE.fullmatch(word) else NOT_AN_INTEGER)


def read_number(text: str, cell_format: CellFormat) -> float | None:
    """Read a number with a decimal point or comma; `1,234` is refused because it means two things."""
    word = text.strip(SPACES)
    if word.lower() in NOTHING:
        return None
    if _THOUSANDS.fullmatch(word):
        raise ValueError(AMBIGUOUS_NUMBER)
    if _NUMBER.fullmatch(word) and isfinite(value := float(word.replace(",", "."))):
        return value
    raise ValueError(BELOW_ZERO if _NEGATIVE.fullmatch(word) else NOT_A_NUMBER)


def read_time(text: str, cell_format: CellFormat) -> datetime | None:
    """Read a moment, with or without seconds, fraction and zone; the result is aware and in UTC."""
    word = text.strip(SPACES)
    if word.lower() in NOTHING:
        return None
    try:
        if found := _ISO.fullmatch(word):
            return _from_iso(found, cell_format)
        if found := _LOCAL.fullmatch(word):
            return _from_local(found, cell_format)
    except (ValueError, OverflowError) as error:
        raise ValueError(AMBIGUOUS_TIME if str(error) == AMBIGUOUS_TIME else NOT_A_TIME) from error
    raise ValueError(NOT_A_TIME)


READERS: dict[Kind, Callable[[str, CellFormat], object]] = {
    "text": read_text,
    "flag": read_flag,
    "integer": read_integer,
    "number": read_number,
    "time": read_time,
}


def _from_iso(found: re.Match[str], cell_format: CellFormat) -> datetime:
    clock = found["clock"] or "00:00"
    # Vault knows milliseconds and DuckDB microseconds: what is finer is cut off, not rounded.
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    seconds = clock if clock.count(":") == 2 else f"{clock}:00"
    return _in_utc(datetime.fromisoformat(f"{found['day']}T{seconds}.{fraction}"), found["zone"], cell_format)


def _from_local(found: re.Match[str], cell_format: CellFormat) -> datetime:
    order = "dmy" if found["mark"] == "." else cell_format.date_order
    if order is None:
        raise ValueError(AMBIGUOUS_TIME)
    one, two, hour = int(found["one"]), int(found["two"]), int(found["hour"] or 0)
    if half := (found["half"] or "").strip().lower():
        if not 1 <= hour <= 12:
            raise ValueError(NOT_A_TIME)
        hour = hour % 12 + (12 if half == "pm" else 0)
    day, month = (one, two) if order == "dmy" else (two, one)
    when = datetime(  # noqa: DTZ001 - its zone is the next line's business
        int(found["year"]), month, day, hour, int(found["minute"] or 0), int(found["second"] or 0)
    )
    return _in_utc(when, None, cell_format)


def _in_utc(when: datetime, zone: str | None, cell_format: CellFormat) -> datetime:
    if zone is None:
        return _in_zone(when, ZoneInfo(cell_format.time_zone))
    if zone[0] not in "+-":
        return when.replace(tzinfo=UTC)
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    if int(zone[-2:]) > 59 or minutes > 15 * 60:
        raise ValueError(NOT_A_TIME)
    away = timedelta(minutes=minutes)
    return (when - away if zone[0] == "+" else when + away).replace(tzinfo=UTC)


def _in_zone(when: datetime, zone: ZoneInfo) -> datetime:
    # As DuckDB does: a time that occurs twice is the later one, a time that is skipped keeps the old offset.
    later = when.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if later.astimezone(zone).replace(tzinfo=None) == when:
        return later
    return when.replace(tzinfo=zone).astimezone(UTC)
