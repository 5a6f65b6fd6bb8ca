"""SQL that reads numbers in any spelling: both readings of each text, then the one of the column's decimal sign.

The input is a relation of distinct texts (`place`, `text`, `is_whole`, `unit`, `column_unit`, `accepts_units`),
where `place` is the column. A text such as 1.204 has two readings; its column decides. A count has no decimals.
"""

from __future__ import annotations

import re

from ingest.contracts.plain_text import (
    alternatives,
    extend,
    is_empty_sql,
    matches_sql,
    plain_text_sql,
    rewrite,
    sql_text,
)
from ingest.contracts.words import UNITS

AMBIGUOUS_NUMBER = "could be thousands or decimals; set decimal in a mapping"
BELOW_ZERO = "is negative"
NOT_A_NUMBER = "is not a number"
NOT_WHOLE = "is not a whole number"
OTHER_UNIT = "has a unit that the column does not accept; set unit in a mapping"
AMBIGUOUS_CLOCK = "could be minutes or hours; set unit in a mapping"

_MOST_EXACT = 2**53  # a DOUBLE holds every whole number up to here
_TIME_UNITS, _DATA_UNITS = UNITS["time"], UNITS["data"]
_BODY = r"([0-9][0-9 .,']*|[.,][0-9]+)(e[+-]?[0-9]{1,2})? ?([^0-9 .,'+-][^0-9]*)?"
_COMPOUND = (
    r"(?:([0-9]+) ?d(?:ays?)?)?,? ?(?:([0-9]+) ?h(?:ours?|rs?)?)?,? ?(?:([0-9]+) ?m(?:in(?:ute)?s?)?)?,? ?"
    r"(?:([0-9]+(?:[.,][0-9]+)?) ?s(?:ec(?:ond)?s?)?)?"
)
_ISO_DURATION = r"p(?:([0-9]+)d)?(?:t(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+(?:[.,][0-9]+)?)s)?)?"
_CLOCK = r"(?:([0-9]+)[. ])?([0-9]{1,3}):([0-5][0-9]):([0-5][0-9](?:[.,][0-9]{1,9})?)"
_SHORT_CLOCK = r"([0-9]{1,4}):([0-5][0-9])"


def number_parts_sql(relation: str) -> str:
    """Return SQL for both readings of numbers: `as_dot` if the decimal sign is a dot, `as_comma` if a comma.

    A reading is NULL if the text is no number under it. `kind` is `empty`, `negative`, `unit` (one that the column
    does not accept), `clock` (two numbers that could be minutes or hours), `number`, or NULL.
    """
    steps = extend(relation, word=plain_text_sql("text"))
    steps = extend(steps, is_empty=is_empty_sql("word"))
    steps = extend(
        steps, is_negative=r"regexp_full_match(word, '-.*[0-9].*|\(.*[0-9].*\)|.*[0-9].*-') AND NOT is_empty"
    )
    steps = rewrite(steps, r"regexp_replace(word, '^[+(-] ?|[)-]$', '', 'g')")
    steps = extend(steps, duration=_duration_sql())
    steps = extend(
        steps, parts=f"regexp_extract(word, {sql_text(f'^{_BODY}$')}, ['body', 'exponent', 'unit'])"
    )
    steps = extend(steps, body=_ungrouped_sql(), factor=_factor_sql())
    steps = extend(steps, as_dot=_reading_sql("."), as_comma=_reading_sql(","))
    kind = (
        "CASE WHEN is_empty THEN 'empty' "
        f"WHEN {matches_sql('word', _SHORT_CLOCK)} AND accepts_units = 'time' AND duration IS NULL THEN 'clock' "
        "WHEN duration IS NULL AND as_dot IS NULL AND as_comma IS NULL AND factor IS NOT NULL THEN NULL "
        "WHEN is_negative AND coalesce(duration, as_dot, as_comma, 1) <> 0 THEN 'negative' "
        "WHEN duration IS NOT NULL OR factor IS NOT NULL THEN 'number' "
        "WHEN parts.body <> '' THEN 'unit' END"
    )
    return (
        "SELECT place, text, is_whole, duration, as_dot, as_comma, factor, "
        f"regexp_matches(body, '[.,]') AS has_sign, {kind} AS kind FROM {steps}"
    )


def number_evidence_sql(parts: str) -> str:
    """Return SQL for what the numbers of each column show: an example that allows only one decimal sign."""
    return (
        "SELECT place, min(text) FILTER (as_dot IS NOT NULL AND as_comma IS NULL) AS dot, "
        "min(text) FILTER (as_comma IS NOT NULL AND as_dot IS NULL) AS comma, "
        f"min(text) FILTER (as_dot <> as_comma) AS ambiguous FROM {parts} "
        "WHERE kind = 'number' AND has_sign GROUP BY place"
    )


def number_values_sql(parts: str, columns: str) -> str:
    """Return SQL for the value and the fault of each number.

    `columns` is a relation with the decimal sign of each place as `decimal`, and whether the user stated it as
    `is_stated`: then other texts are no numbers. `value` is a DOUBLE, `whole` a BIGINT in columns of counts.
    """
    stated = "CASE decimal WHEN '.' THEN as_dot WHEN ',' THEN as_comma END"
    unclear = "as_dot IS NOT NULL AND as_comma IS NOT NULL AND as_dot <> as_comma"
    reading = (
        f"CASE WHEN kind IS DISTINCT FROM 'number' THEN NULL WHEN duration IS NOT NULL THEN duration "
        f"WHEN is_stated THEN {stated} WHEN {unclear} THEN {stated} ELSE coalesce(as_dot, as_comma) END"
    )
    steps = f"(SELECT p.*, c.decimal, c.is_stated FROM {parts} AS p JOIN {columns} AS c USING (place))"
    steps = extend(steps, value=reading)
    fault = (
        "CASE WHEN kind = 'empty' OR value IS NOT NULL THEN NULL "
        f"WHEN kind = 'negative' THEN '{BELOW_ZERO}' WHEN kind = 'unit' THEN '{OTHER_UNIT}' "
        f"WHEN kind = 'clock' THEN '{AMBIGUOUS_CLOCK}' "
        f"WHEN {unclear} AND decimal IS NULL THEN '{AMBIGUOUS_NUMBER}' "
        f"WHEN is_whole THEN '{NOT_WHOLE}' ELSE '{NOT_A_NUMBER}' END"
    )
    return (
        f"SELECT place, text, value::DOUBLE AS value, CASE WHEN is_whole THEN value::BIGINT END AS whole, "
        f"{fault} AS fault FROM {steps}"
    )


def _ungrouped_sql() -> str:
    """Return SQL for the digits without groups by space or apostrophe; NULL if the groups are not of thousands."""
    grouped = r"[1-9][0-9]{0,2}(?:([ ''])[0-9]{3})+(?:[.,][0-9]*)?"
    return (
        r"CASE WHEN NOT regexp_matches(trim(parts.body), '[ '']') THEN trim(parts.body) "
        f"WHEN regexp_full_match(trim(parts.body), '{grouped}') THEN translate(parts.body, ' ''', '') END"
    )


def _reading_sql(decimal: str) -> str:
    """Return SQL for the number if `decimal` is the decimal sign, in the unit of the column."""
    group = "," if decimal == "." else "."
    d, g = re.escape(decimal), re.escape(group)
    groups = rf"[1-9][0-9]{{0,2}}(?:{g}[0-9]{{3}})+|[1-9][0-9]?(?:{g}[0-9]{{2}})+{g}[0-9]{{3}}"
    valid = matches_sql("body", rf"(?:[0-9]+|{groups})(?:{d}[0-9]*)?|{d}[0-9]+")
    plain = f"replace(replace(body, '{group}', ''), '{decimal}', '.')"
    scaled = f"TRY_CAST({plain} || parts.exponent AS DOUBLE) * factor"
    amount = f"CASE WHEN {valid} THEN CASE WHEN factor = 1 THEN {scaled} ELSE round({scaled}, 12) END END"
    is_count = f"{amount} = floor({amount}) AND {amount} < {_MOST_EXACT}"
    return f"CASE WHEN NOT isfinite({amount}) OR is_whole AND NOT ({is_count}) THEN NULL ELSE {amount} END"


def _factor_sql() -> str:
    """Return SQL for the factor that converts a number to the unit of its column; NULL for another unit."""
    units = {word: factor for units in (_TIME_UNITS, _DATA_UNITS) for word, factor in units.items()}
    values = ", ".join(f"{factor!r}::DOUBLE" for factor in units.values())
    factors = f"MAP([{', '.join(map(sql_text, units))}], [{values}])"
    word = "trim(trim(parts.unit), '.')"
    own = f"CASE WHEN unit IS NULL OR unit = '%' THEN 1 ELSE {factors}[unit] / {factors}[column_unit] END"
    same_dimension = (
        f"(accepts_units = 'time' AND {matches_sql(word, alternatives(_TIME_UNITS))} "
        f"OR accepts_units = 'data' AND {matches_sql(word, alternatives(_DATA_UNITS))})"
    )
    return (
        f"CASE WHEN parts.body = '' THEN NULL WHEN parts.unit = '' THEN {own} "
        f"WHEN {word} = '%' THEN CASE WHEN unit = '%' THEN 1 END "
        f"WHEN {same_dimension} THEN {factors}[{word}] / {factors}[column_unit] END"
    )


def _duration_sql() -> str:
    """Return SQL for durations of several numbers in seconds, such as 00:03:01 or 3 min 1 s."""

    def seconds(pattern: str) -> str:
        groups = (f"regexp_extract(word, {sql_text(f'^{pattern}$')}, {n})" for n in (1, 2, 3, 4))
        numbers = (f"coalesce(TRY_CAST(replace({group}, ',', '.') AS DOUBLE), 0)" for group in groups)
        days, hours, minutes, rest = numbers
        return f"{days} * 86400 + {hours} * 3600 + {minutes} * 60 + {rest}"

    def pair(first: int, second: int) -> str:
        left, right = (f"TRY_CAST(regexp_extract(word, '^{_SHORT_CLOCK}$', {n}) AS DOUBLE)" for n in (1, 2))
        return f"{left} * {first} + {right} * {second}"

    several = "regexp_matches(word, '[a-z].*[0-9].*[a-z]')"
    return (
        "CASE WHEN accepts_units IS DISTINCT FROM 'time' THEN NULL "
        f"WHEN {matches_sql('word', _CLOCK)} THEN {seconds(_CLOCK)} "
        f"WHEN {matches_sql('word', _SHORT_CLOCK)} THEN "
        f"CASE unit WHEN 'hh:mm' THEN {pair(3600, 60)} WHEN 'mm:ss' THEN {pair(60, 1)} END "
        f"WHEN starts_with(word, 'p') AND length(word) > 2 AND {matches_sql('word', _ISO_DURATION)} "
        f"AND NOT ends_with(word, 't') THEN {seconds(_ISO_DURATION)} "
        f"WHEN {several} AND {matches_sql('word', _COMPOUND)} THEN {seconds(_COMPOUND)} END"
    )
