"""SQL expressions that read the usual spelling of a cell: cheap, and NULL for every other spelling.

Nearly every cell is written in the usual way. Other spellings are read afterwards, by distinct text and with the
whole column in view (`time_reading`, `number_reading`, `flag_reading`). Both apply to every source, so a cell
has one meaning. Each function accepts SQL for a text and returns SQL; the caller binds `$zone`, the zone of times
that carry none.
"""

from __future__ import annotations

import re

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.plain_text import alternatives, matches_sql, sql_text
from ingest.contracts.tables import Column
from ingest.contracts.words import COLUMN_UNITS, EMPTY_IDS, UNITS

MISSING = "is missing"
LONGEST_QUOTE = 80
"""Characters of a rejected value that its reason quotes."""

_VAULT_TIME, _VAULT_TIME_LENGTH = "%Y-%m-%dT%H:%M:%S.%gZ", 24
_USUAL_TIME = r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_UTC_OFFSET = r"\+00:?(00)?"
_HAS_ZONE_FIELD = re.compile(r"(?<!%)(?:%%)*%[zZ]")


def usual_value_sql(column: Column, text: str, cell_format: CellFormat) -> str:
    """Convert the usual spelling of a column's values; NULL for every other spelling."""
    match column.kind:
        case "text":
            return _usual_id(text) if column.is_id else _usual_text(text)
        case "flag":
            true, false = ("true", "True", "TRUE", "1", "1.0"), ("false", "False", "FALSE", "0", "0.0")
            return f"CASE {_when_equal(text, true, 'true')} {_when_equal(text, false, 'false')} END"
        case "integer":
            return _usual_integer(column, text, cell_format)
        case "number":
            return _usual_number(column, text, cell_format)
        case "time":
            return _usual_time(text, cell_format)


def zone_tests(text: str) -> list[str]:
    """Return SQL tests, the cheapest first, of which one is true if a time in the usual spelling carries a zone."""
    return [
        f"ends_with({text}, 'Z')",
        f"contains({text}, '+')",
        f"regexp_matches({text}, ':[0-9.]+ ?-[0-9]')",
    ]


def _usual_text(text: str) -> str:
    is_blank = f"trim({text}, E' \\t\\r\\n') = ''"
    return f"CASE WHEN {text} >= '!' THEN {text} WHEN {is_blank} THEN NULL ELSE {text} END"


def _usual_id(text: str) -> str:
    # The macros are in the store, where other queries use them too.
    usual = matches_sql(text, "[0-9][!-~]{0,16}|[!-~]{12,17}|[!-~]{19,}")
    word = f"strip_id({text})"
    is_empty = matches_sql(word, alternatives(EMPTY_IDS))
    return f"CASE WHEN {usual} THEN {text} WHEN {is_empty} THEN NULL ELSE canonical_id({word}) END"


def _when_equal(text: str, words: tuple[str, ...], value: str) -> str:
    # DuckDB would plan an IN list as a join that every row goes through.
    return " ".join(f"WHEN {text} = '{word}' THEN {value}" for word in words)


def _usual_integer(column: Column, text: str, cell_format: CellFormat) -> str:
    if column.name in cell_format.units:
        return "NULL::BIGINT"
    digits = f"[0-9]{{1,{column.most_digits}}}"
    usual = f"WHEN {matches_sql(text, digits)} THEN TRY_CAST({text} AS BIGINT)"
    if cell_format.decimal == ",":
        return f"CASE {usual} END"
    pointed = matches_sql(text, digits + "[.]0")
    return f"CASE {usual} WHEN {pointed} THEN TRY_CAST(left({text}, length({text}) - 2) AS BIGINT) END"


def _usual_number(column: Column, text: str, cell_format: CellFormat) -> str:
    decimals = {
        ".": "[0-9]{1,18}([.][0-9]{1,18})?",
        ",": "[0-9]{1,18}",
        # One to three digits, a dot and three digits could be thousands: the column decides.
        None: "[0-9]{1,18}([.]([0-9]{1,2}|[0-9]{4,18}))?|(0|[0-9]{4,18})[.][0-9]{3}",
    }
    number = f"TRY_CAST({text} AS DOUBLE)"
    if unit := cell_format.units.get(column.name):
        factor = next((units.get(unit.lower()) for units in UNITS.values() if unit.lower() in units), None)
        if factor is None:  # a unit of clocks or a percentage
            return "NULL::DOUBLE"
        own = next(units[COLUMN_UNITS[column.name]] for units in UNITS.values() if unit.lower() in units)
        number = f"round({number} * ({factor!r}::DOUBLE / {own!r}::DOUBLE), 12)" if factor != own else number
    return f"CASE WHEN {matches_sql(text, decimals[cell_format.decimal])} THEN {number} END"


def _usual_time(text: str, cell_format: CellFormat) -> str:
    # `strptime` costs a third of a pattern and a cast. It accepts fields that are too short, so the length is
    # checked first.
    stated = [_formatted_time(text, time_format) for time_format in cell_format.time_formats]
    vault = (
        f"length({text}) = {_VAULT_TIME_LENGTH} AND {text} BETWEEN '19' AND '22' AND ends_with({text}, 'Z')"
    )
    vault_time = f"CASE WHEN {vault} THEN try_strptime({text}, '{_VAULT_TIME}') END"
    time = f"TRY_CAST({text} AS TIMESTAMP)"
    is_utc = cell_format.zone == "UTC"
    in_utc = f"WHEN {matches_sql(text, _USUAL_TIME + ('Z?' if is_utc else 'Z'))} THEN {time}"
    local = "" if is_utc else f"WHEN {matches_sql(text, _USUAL_TIME)} THEN {_to_utc(time)}"
    with_offset = matches_sql(text, _USUAL_TIME + _UTC_OFFSET)
    offset = f"WHEN {with_offset} THEN TRY_CAST(split_part({text}, '+', 1) AS TIMESTAMP)"
    return f"coalesce({', '.join([*stated, vault_time])}, CASE {in_utc} {local} {offset} END)"


def _formatted_time(text: str, time_format: str) -> str:
    time = f"try_strptime({text}, {sql_text(time_format)})"
    return f"({time} AT TIME ZONE 'UTC')" if _HAS_ZONE_FIELD.search(time_format) else _to_utc(time)


def _to_utc(local: str) -> str:
    return f"(({local}) AT TIME ZONE $zone) AT TIME ZONE 'UTC'"
