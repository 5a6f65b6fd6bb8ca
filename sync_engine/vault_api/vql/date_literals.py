"""Date literals of VQL such as `TODAY` and `LAST_DAYS:7`.

A literal is a range in the Vault's time zone, which is UTC here. Source: Veeva, VQL, *Date Literals* (24.3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync_engine.vault_api.vql.lexer import make_syntax_error
from sync_engine.vault_api.vql.tree import DateLiteral

MAXIMUM_COUNT = 10_000
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_COUNTED = frozenset(
    name for unit in ("DAY", *_MONTHS) for name in (f"LAST_{unit}S", f"NEXT_{unit}S", f"{unit}S_AGO")
)
_PLAIN = frozenset({"TODAY"} | {f"THIS_{unit}" for unit in _MONTHS})


def is_date_literal(word: str) -> bool:
    """Return whether the word is the name of a date literal."""
    return word.upper() in _COUNTED | _PLAIN


def make_date_literal(word: str, count: int | None) -> DateLiteral:
    """Build a date literal. Raises VaultError if its number is missing, not allowed or too large."""
    name = word.upper()
    if name in _COUNTED and (count is None or not 1 <= count <= MAXIMUM_COUNT):
        raise make_syntax_error(f"[{name}] needs a number from 1 to {MAXIMUM_COUNT}, such as {name}:1")
    if name == "TODAY" and count is not None:
        raise make_syntax_error("[TODAY] must not have a number")
    return DateLiteral(name, count)


def resolve_range(literal: DateLiteral, now: float) -> tuple[datetime, datetime]:
    """Return the first and last second of a literal's range, both inclusive.

    Raises VaultError if the range leaves the calendar.
    """
    try:
        return _resolve(literal, datetime.fromtimestamp(int(now), UTC))
    except (OverflowError, ValueError):
        raise make_syntax_error(f"[{literal.name}:{literal.count}] is outside the calendar") from None


def _resolve(literal: DateLiteral, moment: datetime) -> tuple[datetime, datetime]:
    today = moment.replace(hour=0, minute=0, second=0)
    name, count = literal.name, literal.count or 0
    if name == "TODAY":
        return today, _end_of_day(today)
    if name == "LAST_DAYS":
        return today - timedelta(days=count), moment
    if name == "NEXT_DAYS":
        return today, _end_of_day(today + timedelta(days=count))
    if name == "DAYS_AGO":
        day = today - timedelta(days=count)
        return day, _end_of_day(day)
    unit = next(unit for unit in _MONTHS if unit in name)
    first = _start_of_period(today, unit)
    offsets = {"THIS": (0, 1), "LAST": (-count, 0), "NEXT": (1, count + 1)}.get(
        name.partition("_")[0], (-count, 1 - count)
    )
    start, stop = (_add_months(first, offset * _MONTHS[unit]) for offset in offsets)
    return start, stop - timedelta(seconds=1)


def _end_of_day(day: datetime) -> datetime:
    return day.replace(hour=23, minute=59, second=59)


def _start_of_period(day: datetime, unit: str) -> datetime:
    months = _MONTHS[unit]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _add_months(first: datetime, months: int) -> datetime:
    index = first.year * 12 + first.month - 1 + months
    return first.replace(year=index // 12, month=index % 12 + 1)
