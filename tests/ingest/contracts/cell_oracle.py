"""Read a cell in plain Python: a second opinion on the SQL of `ingest.contracts.cell_values`.

Written from the rules in docs/ingest.md, and sharing nothing with the SQL.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

FLAGS = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "y", "on", "t"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "n", "off", "f"), False),
}
SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
MARKED_ZONES = {"": None, "Z": "+00:00", "z": "+00:00", "UTC": "+00:00", "GMT": "+00:00"}
AMBIGUOUS = "has an ambiguous day and month order"


def read_cell(kind, text, cell_format):
    """Return the value and what is wrong: at most one of the two is set; an empty cell has neither."""
    if kind == "text":
        return (text if text.strip(" \t\r\n") else None), None
    word = text.strip(SPACES)
    if word.lower() in ("", "null", '"null"'):
        return None, None
    return READERS[kind](word, cell_format)


def read_flag(word, cell_format):
    value = FLAGS.get(word.lower())
    return (value, None) if value is not None else (None, "is not true or false")


def read_integer(word, cell_format):
    whole, _, decimals = word.removeprefix("+").partition(".")
    if is_digits(whole, 18) and len(decimals) <= 9 and not decimals.strip("0"):
        return int(whole), None
    return None, "is negative" if is_negative(word) else "is not a whole number"


def read_number(word, cell_format):
    unsigned = word.removeprefix("+")
    before, comma, after = unsigned.partition(",")
    if comma and is_digits(before, 3) and is_digits(after, 3) and len(after) == 3:
        return None, "could be thousands or decimals"
    mantissa, *exponent = re.split("[eE]", unsigned, maxsplit=1)
    whole, *decimals = re.split("[.,]", mantissa, maxsplit=1)
    has_digits = is_digits(whole, 18) if whole else bool(decimals and decimals[0])
    fine_decimals = not decimals or not decimals[0] or is_digits(decimals[0], 18)
    fine_exponent = not exponent or is_digits(re.sub("^[+-]", "", exponent[0]), 2)
    if (
        has_digits
        and fine_decimals
        and fine_exponent
        and isfinite(value := float(unsigned.replace(",", ".")))
    ):
        return value, None
    return None, "is negative" if is_negative(word) else "is not a number"


def is_digits(text, most):
    return text.isascii() and text.isdigit() and len(text) <= most


def is_negative(word):
    if not word.startswith("-"):
        return False
    whole, *decimals = re.split("[.,]", word[1:], maxsplit=1)
    return is_digits(whole, 18) and (not decimals or not decimals[0] or is_digits(decimals[0], 18))


def read_time(word, cell_format):
    try:
        if word[4:5] == "-":
            return read_iso_time(word, cell_format), None
        return read_local_time(word, cell_format), None
    except (ValueError, OverflowError) as error:
        return None, AMBIGUOUS if str(error) == AMBIGUOUS else "is not a valid timestamp"


def read_iso_time(word, cell_format):
    day, rest = word[:10], word[10:]
    if not re.fullmatch("(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}", day, re.ASCII):
        raise ValueError("no date")
    if not rest:
        return in_zone(datetime.fromisoformat(day), cell_format.zone)
    parts = re.fullmatch(
        r"[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]{1,9}))? ?(Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?", rest
    )
    if not parts:
        raise ValueError("no time of day")
    clock, seconds, fraction, zone = parts[1], parts[2] or ":00", parts[3] or "", parts[4] or ""
    local = datetime.fromisoformat(f"{day}T{clock}{seconds}") + timedelta(
        microseconds=int(fraction[:6].ljust(6, "0"))
    )
    offset = MARKED_ZONES.get(zone, zone)
    if offset is None:
        return in_zone(local, cell_format.zone)
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if minutes > 59 or hours * 60 + minutes > 15 * 60:
        raise ValueError("no offset on Earth")
    away = timedelta(hours=hours, minutes=minutes)
    return local - away if offset[0] == "+" else local + away


def read_local_time(word, cell_format):
    parts = re.fullmatch(
        r"([0-9]{1,2})([./])([0-9]{1,2})[./]((?:19|20|21)[0-9]{2})"
        r"(?:,? ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?( [AaPp][Mm])?)?",
        word,
        re.ASCII,
    )
    if not parts:
        raise ValueError("no local time")
    first, separator, second, year, hour, minute, seconds, half = parts.groups()
    order = "dmy" if separator == "." else cell_format.date_order
    if order is None:
        raise ValueError(AMBIGUOUS)
    day, month = (first, second) if order == "dmy" else (second, first)
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError("no such hour")
        hours = hours % 12 + (12 if half.strip().lower() == "pm" else 0)
    local = datetime(  # noqa: DTZ001 - `in_zone` adds the zone
        int(year), int(month), int(day), hours, int(minute or 0), int(seconds or 0)
    )
    return in_zone(local, cell_format.zone)


def in_zone(local, time_zone):
    """Convert to UTC: a time that occurs twice is the later one, a skipped time keeps the old offset."""
    zone = ZoneInfo(time_zone)
    later = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if later.astimezone(zone).replace(tzinfo=None) != local:
        later = local.replace(tzinfo=zone).astimezone(UTC)
    return later.replace(tzinfo=None)


READERS = {"flag": read_flag, "integer": read_integer, "number": read_number, "time": read_time}
