"""The readers of `values.py` once more, as DuckDB expressions made from the same patterns and words.

Each function takes an SQL expression for the text of a cell and gives an SQL expression. `$zone` is bound
by the caller to the zone of times that carry none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.contracts.accept import LONGEST_QUOTE
from ingest.contracts.cell_values import (
    AMBIGUOUS_NUMBER,
    AMBIGUOUS_TIME,
    BELOW_ZERO,
    FALSE,
    INTEGER,
    ISO,
    LOCAL,
    MISSING,
    NEGATIVE,
    NOT_A_FLAG,
    NOT_A_NUMBER,
    NOT_A_TIME,
    NOT_AN_INTEGER,
    NOTHING,
    NUMBER,
    THOUSANDS,
    TRUE,
    CellFormat,
)
from ingest.contracts.tables import Column

_VAULT_TIME, _VAULT_LENGTH = "%Y-%m-%dT%H:%M:%S.%gZ", 24
_PLAIN_TIME = r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def value_sql(column: Column, text: str, cell_format: CellFormat) -> str:
    """Give the expression for a cell's value: NULL when it is empty and also when it cannot be read."""
    word = f"trim({text})"
    match column.kind:
        case "text":
            return f"CASE WHEN {text} >= '!' THEN {text} WHEN {_blank(text)} THEN NULL ELSE {text} END"
        case "flag":
            slow = f"WHEN {_among(word, TRUE)} THEN true WHEN {_among(word, FALSE)} THEN false"
            return f"CASE WHEN {text} = 'true' THEN true WHEN {text} = 'false' THEN false {slow} END"
        case "integer":
            slow = f"WHEN {_matches(word, INTEGER)} THEN TRY_CAST(split_part({word}, '.', 1) AS BIGINT)"
            return f"CASE WHEN {_matches(text, '[0-9]{1,18}')} THEN TRY_CAST({text} AS BIGINT) {slow} END"
        case "number":
            number = f"TRY_CAST(replace({word}, ',', '.') AS DOUBLE)"
            fine = f"{_matches(word, NUMBER)} AND NOT {_matches(word, THOUSANDS)} AND isfinite({number})"
            plain = f"{_matches(text, '[0-9]{1,18}([.][0-9]{1,18})?')} THEN TRY_CAST({text} AS DOUBLE)"
            return f"CASE WHEN {plain} WHEN {fine} THEN {number} END"
        case "time":
            return _time(text, cell_format)


def reason_sql(column: Column, text: str, read: str, cell_format: CellFormat) -> str:
    """Give the expression for the reason against a cell whose value `read` is, or NULL when it is fine."""
    word = f"trim({text})"
    quoted = f" || ' (' || left({text}, {LONGEST_QUOTE}) || ')'"
    empty = f"({text} IS NULL OR {_blank(text) if column.kind == 'text' else _among(word, NOTHING)})"
    missing = (
        f"WHEN {empty} THEN '{column.name}: {MISSING}'" if column.required else f"WHEN {empty} THEN NULL"
    )
    whats = " ".join(
        f"WHEN {test} THEN {_said(column, what)}{quoted}" for test, what in _whats(column, word, cell_format)
    )
    otherwise = {"flag": NOT_A_FLAG, "integer": NOT_AN_INTEGER, "number": NOT_A_NUMBER, "time": NOT_A_TIME}
    last = f"ELSE {_said(column, otherwise[column.kind])}{quoted}" if column.kind != "text" else ""
    return f"CASE WHEN {read} IS NOT NULL THEN NULL {missing} {whats} {last} END"


def suspicion_sql(column: Column, text: str, read: str) -> str:
    """Give the cheap test for a row that may have a problem; `problem` then decides."""
    if column.required:
        return f"{read} IS NULL"
    return "" if column.kind == "text" else f"({read} IS NULL AND {text} <> '')"


def _whats(column: Column, word: str, cell_format: CellFormat) -> Iterable[tuple[str, str]]:
    if column.kind == "integer":
        yield _matches(word, NEGATIVE), BELOW_ZERO
    if column.kind == "number":
        yield _matches(word, THOUSANDS), AMBIGUOUS_NUMBER
        yield _matches(word, NEGATIVE), BELOW_ZERO
    if column.kind == "time" and cell_format.date_order is None:
        yield f"{_matches(word, LOCAL)} AND {_group(word, LOCAL, 'mark')} = '/'", AMBIGUOUS_TIME


def _said(column: Column, what: str) -> str:
    return f"'{column.name}: {what}'"


def _blank(text: str) -> str:
    return f"trim({text}, E' \\t\\r\\n') = ''"


def _among(word: str, words: Iterable[str]) -> str:
    # As `IN` each list would become a join that all rows go through, whether they need it or not.
    return _matches(f"lower({word})", "|".join(re.escape(each) for each in sorted(words)))


def _matches(word: str, pattern: str) -> str:
    return f"regexp_full_match({word}, '{_plain(pattern)}')"


def _plain(pattern: str) -> str:
    # RE2 writes named groups otherwise, and numbers them alike.
    return re.sub(r"\?P<\w+>", "", pattern)


def _group(word: str, pattern: str, name: str) -> str:
    return f"regexp_extract({word}, '{_plain(pattern)}', {re.compile(pattern).groupindex[name]})"


def _time(text: str, cell_format: CellFormat) -> str:
    # Nearly every time of nearly every source is as Vault writes it, and `strptime` is a third of the price of
    # a pattern and a cast. It takes fields that are too short; a text of full length has none.
    word, zone = f"trim({text})", "Z?" if cell_format.time_zone == "UTC" else "Z"
    usual = f"length({text}) = {_VAULT_LENGTH} AND {text} BETWEEN '19' AND '22' AND ends_with({text}, 'Z')"
    return (
        f"coalesce(CASE WHEN {usual} THEN try_strptime({text}, '{_VAULT_TIME}') END, "
        f"CASE WHEN {_matches(text, _PLAIN_TIME + zone)} THEN TRY_CAST({text} AS TIMESTAMP) "
        f"WHEN {_matches(word, ISO)} THEN {_iso(word)} "
        f"WHEN {_matches(word, LOCAL)} THEN {_local(word, cell_format)} END)"
    )


def _iso(word: str) -> str:
    told = _group(word, ISO, "clock")
    clock = f"CASE length({told}) WHEN 0 THEN '00:00:00' WHEN 5 THEN {told} || ':00' ELSE {told} END"
    fraction = f"rpad(left({_group(word, ISO, 'fraction')}, 6), 6, '0')"
    local = _stamp(_group(word, ISO, "day"), f"({clock})", fraction)
    zone = _group(word, ISO, "zone")
    hours, minutes = f"TRY_CAST(substr({zone}, 2, 2) AS BIGINT)", f"TRY_CAST(right({zone}, 2) AS BIGINT)"
    away = f"to_minutes({hours} * 60 + {minutes})"
    sane = f"{minutes} <= 59 AND {hours} * 60 + {minutes} <= 900"
    return (
        f"CASE WHEN {zone} = '' THEN {_from_zone(local)} "
        f"WHEN NOT starts_with({zone}, '+') AND NOT starts_with({zone}, '-') THEN {local} "
        f"WHEN NOT ({sane}) THEN NULL "
        f"WHEN starts_with({zone}, '+') THEN {local} - {away} ELSE {local} + {away} END"
    )


def _local(word: str, cell_format: CellFormat) -> str:
    one, two, year, hour, minute, second, half = (
        _group(word, LOCAL, name) for name in ("one", "two", "year", "hour", "minute", "second", "half")
    )
    number = f"CASE WHEN {hour} = '' THEN 0 ELSE CAST({hour} AS BIGINT) END"
    halved = (
        f"CASE WHEN {half} = '' THEN {number} WHEN {number} NOT BETWEEN 1 AND 12 THEN 99 "
        f"WHEN lower(trim({half})) = 'pm' THEN {number} % 12 + 12 ELSE {number} % 12 END"
    )
    clock = (
        f"lpad(CAST({halved} AS VARCHAR), 2, '0') || ':' || lpad({minute}, 2, '0') || ':' "
        f"|| lpad({second}, 2, '0')"
    )

    def day_first(first: str, then: str) -> str:
        return f"{year} || '-' || lpad({then}, 2, '0') || '-' || lpad({first}, 2, '0')"

    dotted, slashed = (
        day_first(one, two),
        day_first(two, one) if cell_format.date_order == "mdy" else day_first(one, two),
    )
    other = "NULL" if cell_format.date_order is None else slashed
    day = f"CASE WHEN {_group(word, LOCAL, 'mark')} = '.' THEN {dotted} ELSE {other} END"
    return _from_zone(_stamp(f"({day})", f"({clock})", "'0'"))


def _stamp(day: str, clock: str, fraction: str) -> str:
    # DuckDB takes 24:00:00 for the next midnight; Python, and our rule, do not.
    stamp = f"TRY_CAST({day} || ' ' || {clock} || '.' || {fraction} AS TIMESTAMP)"
    return f"CASE WHEN starts_with({clock}, '24') THEN NULL ELSE {stamp} END"


def _from_zone(local: str) -> str:
    return f"(({local}) AT TIME ZONE $zone) AT TIME ZONE 'UTC'"
