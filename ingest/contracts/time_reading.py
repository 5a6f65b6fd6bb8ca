"""SQL that reads times in any spelling: first their parts, then, with the column's date order, their values.

The input is a relation of distinct texts (`place`, `text`), where `place` is the column. Words of languages come
from `words.toml`. A date with numbers only is read in the order of its column; without one it is ambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.contracts.cell_format import zone_name
from ingest.contracts.plain_text import (
    alternatives,
    extend,
    is_empty_sql,
    matches_sql,
    plain_text_sql,
    rewrite,
    sql_text,
)
from ingest.contracts.words import AMBIGUOUS_ZONES, DATE_FILLERS, DAY_HALVES, MONTHS, WEEKDAYS, ZONES

AMBIGUOUS_ORDER = "has an ambiguous day and month order; set date_order in a mapping"
AMBIGUOUS_ZONE = "has a zone with several meanings; set zone_words in a mapping"
UNKNOWN_ZONE = "has an unknown time zone; set zone_words in a mapping"
NO_DATE = "has a time of day without a date"
NOT_A_TIME = "is not a valid timestamp"

_GROUPS = (
    "year", "month", "day", "first", "separator", "second_number", "third",
    "basic", "week_year", "week", "weekday",
    "ordinal_year", "ordinal", "hour", "minute", "second", "fraction",
    "dotted_hour", "dotted_minute", "dotted_second", "dotted_fraction",
    "basic_hour", "basic_minute", "basic_second", "basic_fraction", "zone",
)  # fmt: skip
_DATE = (
    r"(?:([0-9]{4})[-/.] ?([0-9]{1,2})[-/.] ?([0-9]{1,2})\.?"
    r"|([0-9]{1,2})([-/.]) ?([0-9]{1,2})[-/.] ?([0-9]{4}|[0-9]{2})\.?"
    r"|([0-9]{8})|([0-9]{4})-?w([0-9]{2})-?([1-7])|([0-9]{4})-([0-9]{3}))"
)
_CLOCK = (
    r"(?:(?: ?[t ,:] ?|, )([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,:]([0-9]{1,9}))?)?"
    r"|[t ,] ?([0-9]{1,2})\.([0-9]{2})(?:\.([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"|[t ]?([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)"
)
_ZONE = r"(?: ?(z|[a-z]{2,5}|(?:utc|gmt)? ?[+-][0-9]{1,2}(?::?[0-9]{2})?|[a-z]+(?:/[a-z0-9_+-]+)+))?"
_TIME = f"{_DATE}(?:{_CLOCK}{_ZONE})?"
_CLOCK_FIRST = r"^([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?),? ([^:]*[0-9]{2,4})$"
_LETTER_CLOCK = "([0-9]{1,2}) ?h ?([0-9]{2})(?: ?min)?(?: ?([0-9]{2}) ?s)?"
_SERIAL = r"([2-6][0-9]{4}|7[0-2][0-9]{3})(?:[.,]([0-9]{1,12}))?"
_EPOCH = r"([0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(?:[.,]([0-9]{1,9}))?"


def time_parts_sql(relation: str) -> str:
    """Return SQL for the parts of times: numbers of the date, clock, half of the day, zone.

    `kind` is what the text is: `empty`, `numbers` (a date in an unknown order), `date` (a complete date), `epoch`,
    `serial` (days as Excel counts them), `clock` (no date), or NULL.
    """
    steps = extend(relation, word=plain_text_sql("text"))
    steps = extend(steps, is_empty=is_empty_sql("word"))
    steps = rewrite(steps, r"regexp_replace(word, '^/date\((-?[0-9]+)(?:[+-][0-9]{4})?\)/$', '\1')")
    steps = extend(steps, bracket=r"regexp_extract(word, '\[([a-z0-9_/+-]+)\]$', 1)")
    in_brackets = r"' ?(?:\[[a-z0-9_/+-]+\]$|\([^()]*\))'"
    has_brackets = "contains(word, '[') OR contains(word, '(')"
    without_brackets = f"trim(regexp_replace(word, {in_brackets}, ' ', 'g'))"
    steps = rewrite(steps, f"CASE WHEN {has_brackets} THEN {without_brackets} ELSE word END")
    steps = extend(steps, is_numeric=matches_sql("word", "[-0-9 .,:/tz+]*"))
    steps = _without_words(steps)
    steps = rewrite(steps, rf"regexp_replace(word, {sql_text(_CLOCK_FIRST)}, '\2 \1')")
    names = ", ".join(map(sql_text, _GROUPS))
    steps = extend(steps, parts=f"regexp_extract(word, {sql_text(f'^{_TIME}$')}, [{names}])")
    kind = (
        "CASE WHEN is_empty THEN 'empty' WHEN half = '?' THEN NULL "
        f"WHEN {matches_sql('word', _EPOCH)} THEN 'epoch' WHEN {matches_sql('word', _SERIAL)} THEN 'serial' "
        "WHEN parts.first <> '' THEN 'numbers' "
        "WHEN parts.year <> '' OR parts.basic <> '' OR parts.week_year <> '' OR parts.ordinal_year <> '' THEN 'date' "
        f"WHEN {matches_sql('word', '[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?')} THEN 'clock' END"
    )
    return f"SELECT place, text, word, bracket, half, parts, {kind} AS kind FROM {steps}"


def _without_words(relation: str) -> str:
    """Rewrite names of months, weekdays and halves of the day as numbers and the column `half`."""
    boundary, end = r"(^|[^\pL])", r"([^\pL]|$)"
    months = alternatives(MONTHS)
    steps = rewrite(
        relation,
        _unless_numeric(rf"regexp_replace(word, '^(?:{alternatives(WEEKDAYS)})(?:[.,]|$| )[., ]*', '')"),
        _unless_numeric(r"regexp_replace(word, '^([0-9]{2})年', '20\1年')"),
        _unless_numeric(
            "regexp_replace(regexp_replace(translate(word, '年년月월日일時时시點点分분秒초', '----  ::::::::  '), "
            "' ?: ?', ':', 'g'), '- +', '-', 'g')"
        ),
    )
    half = " ".join(
        f"WHEN {_has_half(name)} THEN {sql_text(value)}" for name, value in (("am", "am"), ("pm", "pm"))
    )
    both = f"{_has_half('am')} AND {_has_half('pm')}"
    steps = extend(steps, half=f"CASE WHEN is_numeric THEN '' WHEN {both} THEN '?' {half} ELSE '' END")
    steps = rewrite(
        steps,
        f"CASE WHEN half IN ('am', 'pm') THEN trim(regexp_replace(word, {sql_text(_half_pattern('am', 'pm'))}, "
        r"'\1 \2')) ELSE word END",
        *(_without_filler() for _ in range(2)),  # one filler may follow another
        _unless_numeric("trim(regexp_replace(word, ' +', ' ', 'g'), ' :,')"),
        _unless_numeric(f"trim(regexp_replace(word, {sql_text(_LETTER_CLOCK)}, '\\1:\\2:\\3'), ' :')"),
    )
    keys, numbers = list(MONTHS), list(MONTHS.values())
    lookup = f"MAP([{', '.join(map(sql_text, keys))}], {numbers})"
    name = rf"CASE WHEN NOT is_numeric THEN regexp_extract(word, {sql_text(f'{boundary}({months}){end}')}, 2) END"
    steps = extend(steps, month_name=name)
    steps = extend(steps, month_number=f"CASE WHEN month_name <> '' THEN {lookup}[month_name]::VARCHAR END")
    named = rf"regexp_replace(word, {sql_text(f'{boundary}(?:{months})[.]?{end}')}, '\1@\2')"
    gap = "[ ,./-]*"
    clock = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
    year_first = r"'\1-' || month_number || '-\2'"
    year_day_month = rf"'^([0-9]{{4}})[ ,./-]+([0-9]{{1,2}}){gap}@'"
    day_first = r"'\2-' || month_number || '-\1'"
    year_last = r"'\4-' || month_number || '-\1 \2\3'"
    short_year = r"'20\2-' || month_number || '-\1\3'"
    return rewrite(
        steps,
        f"CASE WHEN month_number IS NULL THEN word ELSE {named} END",
        _if_named(rf"'^@[ .]*([0-9]{{1,2}}) ({clock})([^0-9].*)? ([0-9]{{4}})$'", year_last),
        _if_named(rf"'^([0-9]{{1,2}})(?:st|nd|rd|th|er|º|ª|°)?{gap}@{gap}([0-9]{{4}})'", day_first),
        _if_named(rf"'^([0-9]{{1,2}}){gap}@{gap}([0-9]{{2}})([^0-9:].*)?$'", short_year),
        _if_named(rf"'^@{gap}([0-9]{{1,2}})(?:st|nd|rd|th)?[ ,]+([0-9]{{4}})'", day_first),
        _if_named(rf"'^([0-9]{{4}}){gap}@{gap}([0-9]{{1,2}})'", year_first),
        _if_named(year_day_month, year_first),
        _if_named("' +'", "' '"),
    )  # fmt: skip


def _without_filler() -> str:
    fillers = rf"([ ,])(?:{alternatives(DATE_FILLERS)})([ ,])"
    return _unless_numeric(rf"regexp_replace(' ' || word || ' ', {sql_text(fillers)}, '\1\2', 'g')")


def _unless_numeric(expression: str) -> str:
    return f"CASE WHEN is_numeric THEN word ELSE {expression} END"


def _if_named(pattern: str, replacement: str) -> str:
    return f"CASE WHEN contains(word, '@') THEN regexp_replace(word, {pattern}, {replacement}) ELSE word END"


def _half_pattern(*names: str) -> str:
    words = alternatives(word for name in names for word in DAY_HALVES[name])
    return rf"(^|[0-9 ,])(?:{words})\.?([0-9 ,]|$)"


def _has_half(name: str) -> str:
    return f"regexp_matches(word, {sql_text(_half_pattern(name))})"


def date_evidence_sql(parts: str) -> str:
    """Return SQL for what the dates of each column show: an example of a date that allows only one order.

    A number above 12 is no month; of three numbers with two digits, one above 31 is a year. `year_unclear` is
    true if the first of three numbers with two digits never changes and the last one does: it may be the day.
    """
    first, second, third = (
        f"TRY_CAST(parts.{name} AS INTEGER)" for name in ("first", "second_number", "third")
    )
    is_day = "BETWEEN 13 AND 31"
    short_year = "length(parts.third) = 2"
    # Korean writes 26. 8. 15. with the year first; other languages with spaces and a last dot write four digits.
    year_first = matches_sql("word", r"[0-9]{2}\. [0-9]{1,2}\. [0-9]{2}\.( .*)?")
    return (
        "SELECT place, "
        f"min(text) FILTER ({first} {is_day} AND {second} <= 12) AS dmy, "
        f"min(text) FILTER ({second} {is_day} AND {first} <= 12) AS mdy, "
        f"min(text) FILTER ({short_year} AND {first} > 31) AS ymd, "
        "bool_and(parts.separator = '.') AS dotted, "
        f"bool_and({short_year}) AND count(DISTINCT parts.first) = 1 AND count(DISTINCT parts.third) > 1 "
        f"AND max({third}) <= 31 OR bool_or({year_first}) AS year_unclear, min(text) AS example "
        f"FROM {parts} WHERE kind = 'numbers' GROUP BY place"
    )


def time_values_sql(parts: str, columns: str) -> str:
    """Return SQL for the value and the fault of each time.

    `columns` is a relation with the date order of each place, as `date_order`. `$zone` is the zone of times
    without one, `$zone_keys` and `$zone_names` are the zones of words.
    """
    steps = f"(SELECT p.*, c.date_order FROM {parts} AS p JOIN {columns} AS c USING (place))"
    steps = extend(steps, day_text=_day_sql(), clock=_clock_sql(), zone=_zone_sql())
    steps = extend(steps, zone_name="CASE WHEN zone <> '' THEN MAP($zone_keys, $zone_names)[zone] END")
    steps = extend(steps, local=_local_sql(), offset_minutes=_offset_sql())
    value = (
        "CASE WHEN kind = 'epoch' THEN local WHEN local IS NULL THEN NULL "
        "WHEN zone = '' THEN (local AT TIME ZONE $zone) AT TIME ZONE 'UTC' "
        "WHEN offset_minutes IS NOT NULL THEN local - to_minutes(offset_minutes) "
        "WHEN zone_name IS NOT NULL THEN (local AT TIME ZONE zone_name) AT TIME ZONE 'UTC' END"
    )
    ambiguous_zone = matches_sql("zone", alternatives(AMBIGUOUS_ZONES))
    fault = (
        "CASE WHEN value IS NOT NULL OR kind = 'empty' THEN NULL "
        f"WHEN kind = 'clock' THEN '{NO_DATE}' "
        f"WHEN kind = 'numbers' AND day_text IS NULL THEN '{AMBIGUOUS_ORDER}' "
        f"WHEN local IS NOT NULL AND {ambiguous_zone} THEN '{AMBIGUOUS_ZONE}' "
        f"WHEN local IS NOT NULL AND zone <> '' AND NOT regexp_matches(zone, '[0-9]') THEN '{UNKNOWN_ZONE}' "
        f"ELSE '{NOT_A_TIME}' END"
    )
    has_no_zone = "value IS NOT NULL AND kind <> 'epoch' AND zone = ''"
    steps = extend(steps, value=value)
    return f"SELECT place, text, value, {fault} AS fault, {has_no_zone} AS has_no_zone, kind FROM {steps}"


def _day_sql() -> str:
    first, second, third = "parts.first", "parts.second_number", "parts.third"

    def date(year: str, month: str, day: str) -> str:
        return f"{year} || '-' || lpad({month}, 2, '0') || '-' || lpad({day}, 2, '0')"

    short = f"('20' || lpad({first}, 2, '0'))"
    year = f"CASE WHEN length({third}) = 2 THEN '20' || {third} ELSE {third} END"
    is_same = f"lpad({first}, 2, '0') = lpad({second}, 2, '0') AND (length({third}) = 4 OR {third} = {first})"
    alone = (
        f"CASE WHEN {is_same} THEN 'dmy' WHEN date_order IS NULL THEN NULL "
        f"WHEN TRY_CAST({first} AS INTEGER) > 12 THEN 'dmy' WHEN TRY_CAST({second} AS INTEGER) > 12 THEN 'mdy' END"
    )
    order = f"CASE WHEN coalesce(date_order, 'each') = 'each' THEN {alone} ELSE date_order END"
    return (
        "CASE kind WHEN 'date' THEN CASE "
        f"WHEN parts.year <> '' THEN {date('parts.year', 'parts.month', 'parts.day')} "
        "WHEN parts.basic <> '' THEN "
        "left(parts.basic, 4) || '-' || substr(parts.basic, 5, 2) || '-' || right(parts.basic, 2) "
        "WHEN parts.week_year <> '' THEN "
        "try_strptime(parts.week_year || ' ' || parts.week || ' ' || parts.weekday, '%G %V %u')::DATE::VARCHAR "
        "ELSE try_strptime(parts.ordinal_year || ' ' || parts.ordinal, '%Y %j')::DATE::VARCHAR END "
        f"WHEN 'numbers' THEN CASE {order} WHEN 'dmy' THEN {date(f'({year})', second, first)} "
        f"WHEN 'mdy' THEN {date(f'({year})', first, second)} "
        f"WHEN 'ymd' THEN CASE WHEN length({third}) = 2 THEN {date(short, second, third)} "
        "ELSE 'none' END END END"
    )


def _clock_sql() -> str:
    def part(name: str) -> str:
        return f"coalesce(nullif(parts.{name}, ''), nullif(parts.dotted_{name}, ''), nullif(parts.basic_{name}, ''))"

    hour = f"TRY_CAST({part('hour')} AS INTEGER)"
    hour_of_day = (
        f"CASE WHEN half = '' THEN {hour} WHEN {hour} NOT BETWEEN 1 AND 12 THEN 99 "
        f"WHEN half = 'pm' THEN {hour} % 12 + 12 ELSE {hour} % 12 END"
    )
    fraction = (
        f"rpad(left(coalesce({part('fraction')}, ''), 6), 6, '0')"  # digits beyond microseconds are cut off
    )
    return (
        f"CASE WHEN {part('hour')} IS NULL THEN CASE WHEN half = '' THEN '00:00:00' END "
        f"WHEN {hour} = 24 THEN NULL "  # DuckDB would read 24:00:00 as the next midnight
        f"ELSE lpad(({hour_of_day})::VARCHAR, 2, '0') || ':' || {part('minute')} || ':' || "
        f"coalesce({part('second')}, '00') || '.' || {fraction} END"
    )


def _zone_sql() -> str:
    zone = r"regexp_replace(coalesce(parts.zone, ''), '^(?:utc|gmt) ?([+-])', '\1')"
    return f"CASE WHEN {zone} <> '' THEN {zone} ELSE bracket END"


def _offset_sql() -> str:
    pattern = r"^([+-])([0-9]{1,2}):?([0-9]{2})?$"
    hours, minutes = (f"TRY_CAST(regexp_extract(zone, '{pattern}', {n}) AS INTEGER)" for n in (2, 3))
    total = f"({hours} * 60 + coalesce({minutes}, 0))"
    return (
        f"CASE WHEN NOT regexp_matches(zone, '{pattern}') OR coalesce({minutes}, 0) > 59 OR {total} > 900 THEN NULL "
        f"WHEN starts_with(zone, '-') THEN -{total} ELSE {total} END"
    )


def _local_sql() -> str:
    digits = "TRY_CAST(left(regexp_extract(word, '^[0-9]+'), 16) AS BIGINT)"  # nanoseconds are cut off
    fraction = "TRY_CAST(rpad(left(regexp_extract(word, '[.,]([0-9]+)$', 1), 6), 6, '0') AS BIGINT)"
    epoch = (
        f"CASE length(regexp_extract(word, '^[0-9]+')) WHEN 10 THEN make_timestamp({digits} * 1000000 + {fraction}) "
        f"WHEN 13 THEN make_timestamp({digits} * 1000) ELSE make_timestamp({digits}) END"
    )
    days = "TRY_CAST(replace(word, ',', '.') AS DOUBLE)"
    serial = f"TIMESTAMP '1899-12-30' + to_milliseconds(round({days} * 86400000)::BIGINT)"
    day = f"CASE WHEN {matches_sql('day_text', '(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}')} THEN day_text END"
    written = f"TRY_CAST({day} || ' ' || clock AS TIMESTAMP)"
    return (
        f"CASE kind WHEN 'epoch' THEN CASE WHEN year(TRY({epoch})) BETWEEN 1900 AND 2199 THEN {epoch} END "
        f"WHEN 'serial' THEN {serial} ELSE {written} END"
    )


def zone_names(zone_words: Mapping[str, str], iana_names: list[str]) -> dict[str, str]:
    """Return DuckDB's name of the zone for every zone word, in lower case; the mapping's words win."""
    names = {name.lower(): name for name in iana_names if "/" in name}
    names |= {word: zone_name(word) for word in ZONES}
    return names | {word.strip().lower(): zone_name(zone) for word, zone in zone_words.items()}
