"""SQL expressions that convert the text of a cell to a value, or report what is wrong with it.

Every row from every source is read through these expressions, so a cell has one meaning. Each function accepts
SQL for a text and returns SQL. The caller binds `$zone`, the zone of times that carry none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.tables import Kind

TRUE = ("1", "1.0", "on", "t", "true", "y", "yes")
FALSE = ("0", "0.0", "f", "false", "n", "no", "off")
EMPTY = ("", '"null"', "null")
"""Texts that count as an empty cell, in lower case."""

INTEGER = r"\+?[0-9]{1,18}(\.0{0,9})?"
NEGATIVE = r"-[0-9]{1,18}([.,][0-9]{0,18})?"
NUMBER = r"\+?([0-9]{1,18}([.,][0-9]{0,18})?|[.,][0-9]{1,18})([eE][+-]?[0-9]{1,2})?"
THOUSANDS = r"\+?[0-9]{1,3},[0-9]{3}"
ISO_TIME = (
    r"(?P<day>(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.(?P<fraction>[0-9]{1,9}))? ?"
    r"(?P<zone>Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
LOCAL_TIME = (
    r"(?P<first>[0-9]{1,2})(?P<separator>[./])(?P<second>[0-9]{1,2})[./](?P<year>(?:19|20|21)[0-9]{2})"
    r"(?:,? (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<seconds>[0-9]{2}))?(?P<half> [AaPp][Mm])?)?"
)

MISSING = "is missing"
BELOW_ZERO = "is negative"
AMBIGUOUS_NUMBER = "could be thousands or decimals"
AMBIGUOUS_TIME = "has an ambiguous day and month order"
NOT_VALID = {
    "flag": "is not true or false",
    "integer": "is not a whole number",
    "number": "is not a number",
    "time": "is not a valid timestamp",
}
"""The reason, by kind, if no other reason applies."""

LONGEST_QUOTE = 80
"""Characters of a rejected value that its reason quotes."""

_VAULT_TIME, _VAULT_TIME_LENGTH = "%Y-%m-%dT%H:%M:%S.%gZ", 24
_USUAL_TIME = r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def usual_value_sql(kind: Kind, text: str, cell_format: CellFormat) -> str:
    """Convert the usual spelling of a kind: cheap, and NULL for every other spelling.

    Nearly every cell is written in the usual way. `value_sql` reads the others.
    """
    match kind:
        case "text":
            return f"CASE WHEN {text} >= '!' THEN {text} WHEN {_is_blank(text)} THEN NULL ELSE {text} END"
        case "flag":
            return f"CASE WHEN {text} = 'true' THEN true WHEN {text} = 'false' THEN false END"
        case "integer":
            return f"CASE WHEN {_matches(text, '[0-9]{1,18}')} THEN TRY_CAST({text} AS BIGINT) END"
        case "number":
            pattern = "[0-9]{1,18}([.][0-9]{1,18})?"
            return f"CASE WHEN {_matches(text, pattern)} THEN TRY_CAST({text} AS DOUBLE) END"
        case "time":
            return _usual_time(text, cell_format)


def value_sql(kind: Kind, text: str, cell_format: CellFormat) -> str:
    """Convert any accepted spelling of a kind; NULL if the text is empty or not valid."""
    word = f"trim({text})"
    match kind:
        case "text":
            return usual_value_sql(kind, text, cell_format)
        case "flag":
            return (
                f"CASE WHEN {_is_one_of(word, TRUE)} THEN true WHEN {_is_one_of(word, FALSE)} THEN false END"
            )
        case "integer":
            return (
                f"CASE WHEN {_matches(word, INTEGER)} THEN TRY_CAST(split_part({word}, '.', 1) AS BIGINT) END"
            )
        case "number":
            number = f"TRY_CAST(replace({word}, ',', '.') AS DOUBLE)"
            valid = f"{_matches(word, NUMBER)} AND NOT {_matches(word, THOUSANDS)} AND isfinite({number})"
            return f"CASE WHEN {valid} THEN {number} END"
        case "time":
            return (
                f"CASE WHEN {_matches(word, ISO_TIME)} THEN {_iso_time(word)} "
                f"WHEN {_matches(word, LOCAL_TIME)} THEN {_local_time(word, cell_format)} END"
            )


def fault_sql(kind: Kind, text: str, cell_format: CellFormat) -> str:
    """Return what is wrong with a text that has no value; NULL if it is empty."""
    if kind == "text":
        return "NULL"
    word = f"trim({text})"
    empty = _is_one_of(word, EMPTY)
    tests = " ".join(f"WHEN {test} THEN '{fault}'" for test, fault in _tests(kind, word, cell_format))
    return f"CASE WHEN {text} IS NULL OR {empty} THEN NULL {tests} ELSE '{NOT_VALID[kind]}' END"


def _tests(kind: Kind, word: str, cell_format: CellFormat) -> Iterable[tuple[str, str]]:
    if kind == "integer":
        yield _matches(word, NEGATIVE), BELOW_ZERO
    if kind == "number":
        yield _matches(word, THOUSANDS), AMBIGUOUS_NUMBER
        yield _matches(word, NEGATIVE), BELOW_ZERO
    if kind == "time" and cell_format.date_order is None:
        slashed = f"{_group(word, LOCAL_TIME, 'separator')} = '/'"
        yield f"{_matches(word, LOCAL_TIME)} AND {slashed}", AMBIGUOUS_TIME


def _is_blank(text: str) -> str:
    return f"trim({text}, E' \\t\\r\\n') = ''"


def _is_one_of(word: str, words: Iterable[str]) -> str:
    # DuckDB would plan an IN list as a join that every row goes through.
    return _matches(f"lower({word})", "|".join(map(re.escape, words)))


def _matches(word: str, pattern: str) -> str:
    return f"regexp_full_match({word}, '{_without_names(pattern)}')"


def _group(word: str, pattern: str, name: str) -> str:
    return f"regexp_extract({word}, '{_without_names(pattern)}', {re.compile(pattern).groupindex[name]})"


def _without_names(pattern: str) -> str:
    # RE2 spells named groups differently, and numbers them alike.
    return re.sub(r"\?P<\w+>", "", pattern)


def _usual_time(text: str, cell_format: CellFormat) -> str:
    # `strptime` costs a third of a pattern and a cast. It accepts fields that are too short, so the length is
    # checked first.
    zone = "Z?" if cell_format.zone == "UTC" else "Z"
    vault = (
        f"length({text}) = {_VAULT_TIME_LENGTH} AND {text} BETWEEN '19' AND '22' AND ends_with({text}, 'Z')"
    )
    return (
        f"coalesce(CASE WHEN {vault} THEN try_strptime({text}, '{_VAULT_TIME}') END, "
        f"CASE WHEN {_matches(text, _USUAL_TIME + zone)} THEN TRY_CAST({text} AS TIMESTAMP) END)"
    )


def _iso_time(word: str) -> str:
    text = _group(word, ISO_TIME, "clock")
    clock = f"CASE length({text}) WHEN 0 THEN '00:00:00' WHEN 5 THEN {text} || ':00' ELSE {text} END"
    # Digits beyond microseconds are cut off, not rounded.
    fraction = f"rpad(left({_group(word, ISO_TIME, 'fraction')}, 6), 6, '0')"
    local = _timestamp(_group(word, ISO_TIME, "day"), f"({clock})", fraction)
    zone = _group(word, ISO_TIME, "zone")
    hours, minutes = f"TRY_CAST(substr({zone}, 2, 2) AS BIGINT)", f"TRY_CAST(right({zone}, 2) AS BIGINT)"
    offset = f"to_minutes({hours} * 60 + {minutes})"
    valid_offset = f"{minutes} <= 59 AND {hours} * 60 + {minutes} <= 900"
    return (
        f"CASE WHEN {zone} = '' THEN {_to_utc(local)} "
        f"WHEN NOT starts_with({zone}, '+') AND NOT starts_with({zone}, '-') THEN {local} "
        f"WHEN NOT ({valid_offset}) THEN NULL "
        f"WHEN starts_with({zone}, '+') THEN {local} - {offset} ELSE {local} + {offset} END"
    )


def _local_time(word: str, cell_format: CellFormat) -> str:
    first, second, year, hour, minute, seconds, half = (
        _group(word, LOCAL_TIME, name)
        for name in ("first", "second", "year", "hour", "minute", "seconds", "half")
    )
    hours = f"CASE WHEN {hour} = '' THEN 0 ELSE CAST({hour} AS BIGINT) END"
    hours_of_day = (
        f"CASE WHEN {half} = '' THEN {hours} WHEN {hours} NOT BETWEEN 1 AND 12 THEN 99 "
        f"WHEN lower(trim({half})) = 'pm' THEN {hours} % 12 + 12 ELSE {hours} % 12 END"
    )
    clock = (
        f"lpad(CAST({hours_of_day} AS VARCHAR), 2, '0') || ':' || lpad({minute}, 2, '0') || ':' "
        f"|| lpad({seconds}, 2, '0')"
    )

    def date(day: str, month: str) -> str:
        return f"{year} || '-' || lpad({month}, 2, '0') || '-' || lpad({day}, 2, '0')"

    slashed = {None: "NULL", "dmy": date(first, second), "mdy": date(second, first), "ymd": "NULL"}[
        cell_format.date_order
    ]
    dotted = f"{_group(word, LOCAL_TIME, 'separator')} = '.'"
    day = f"CASE WHEN {dotted} THEN {date(first, second)} ELSE {slashed} END"
    return _to_utc(_timestamp(f"({day})", f"({clock})", "'0'"))


def _timestamp(day: str, clock: str, fraction: str) -> str:
    # DuckDB would read 24:00:00 as the next midnight.
    timestamp = f"TRY_CAST({day} || ' ' || {clock} || '.' || {fraction} AS TIMESTAMP)"
    return f"CASE WHEN starts_with({clock}, '24') THEN NULL ELSE {timestamp} END"


def _to_utc(local: str) -> str:
    return f"(({local}) AT TIME ZONE $zone) AT TIME ZONE 'UTC'"
