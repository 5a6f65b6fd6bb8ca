"""How a source writes times, numbers and flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import available_timezones

import duckdb

from ingest.contracts.words import AMBIGUOUS_ZONES, COLUMN_UNITS, UNITS, ZONES

DateOrder = Literal["dmy", "mdy", "ymd"]
DecimalSign = Literal[".", ","]

CLOCK_UNITS = ("hh:mm", "mm:ss")
"""Units of durations that are written as two numbers with a colon."""

_OFFSET = re.compile(r"(?:utc|gmt)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?")


class FormatInvalid(ValueError):
    """A statement about the format of cells has no meaning; the message states which, and what is accepted."""


@dataclass(frozen=True, slots=True)
class CellFormat:
    """What a user or a source states about its cells. Whatever is not stated is decided by the cells.

    `time_zone` is the zone of times without one: an IANA name, an offset or an abbreviation (default: UTC).
    `zone_words` has the zones of abbreviations in cells. `date_order` is the order of the numbers of a date,
    `time_formats` are `strptime` formats that are tried first, `decimal` is the decimal sign. `units` has the
    unit of a column's numbers, and `values` the text to read instead of each text of a column. Raises
    FormatInvalid.
    """

    time_zone: str | None = None
    date_order: DateOrder | None = None
    decimal: DecimalSign | None = None
    time_formats: tuple[str, ...] = ()
    zone_words: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every statement. Raises FormatInvalid."""
        for zone in filter(None, (self.time_zone, *self.zone_words.values())):
            zone_name(zone, self.zone_words)
        for column, unit in self.units.items():
            _check_unit(column, unit)
        for column, words in self.values.items():
            _check_distinct(column, words)
        if self.time_formats:
            _check_time_formats(self.time_formats)

    @property
    def zone(self) -> str:
        """Return the zone of times without one, by a name that DuckDB accepts."""
        return zone_name(self.time_zone or "UTC", self.zone_words)


def zone_name(zone: str, zone_words: Mapping[str, str] | None = None) -> str:
    """Return a name that DuckDB accepts for an IANA name, an offset or an abbreviation.

    `zone_words` has the meaning of more abbreviations. Raises FormatInvalid.
    """
    word = zone.strip().lower()
    meaning = {key.strip().lower(): value for key, value in (zone_words or {}).items()}.get(word)
    if meaning is not None and meaning.strip().lower() != word:
        return zone_name(meaning)
    if word in AMBIGUOUS_ZONES:
        meanings = " or ".join(AMBIGUOUS_ZONES[word])
        raise FormatInvalid(
            f"the zone {zone} has several meanings: {meanings}; use an IANA name or an offset"
        )
    if word in ZONES:
        return _offset_name(ZONES[word])
    if match := _OFFSET.fullmatch(word):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if int(match[3] or 0) <= 59 and minutes <= 15 * 60:
            return _offset_name(minutes if match[1] == "+" else -minutes)
    for name in available_timezones():
        if name.lower() == word:
            return name
    raise FormatInvalid(f"{zone!r} is not a time zone; use an IANA name such as Europe/Berlin, or an offset")


def _offset_name(minutes: int) -> str:
    if minutes == 0:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"GMT{'+' if minutes > 0 else '-'}{hours:02}:{rest:02}"


def _check_unit(column: str, unit: str) -> None:
    dimension = next((units for units in UNITS.values() if COLUMN_UNITS.get(column) in units), {})
    clocks = CLOCK_UNITS if dimension is UNITS["time"] else ()
    if unit != "%" and unit.lower() not in (*dimension, *clocks):
        accepted = ", ".join((*dimension, *clocks, "%"))
        raise FormatInvalid(f"unit of {column}: {unit!r} is not one of {accepted}")


def _check_distinct(column: str, words: Mapping[str, str]) -> None:
    by_folded: dict[str, str] = {}
    for word, value in words.items():
        folded = word.strip().lower()
        if by_folded.setdefault(folded, value) != value:
            raise FormatInvalid(
                f"values of {column}: {word!r} has two meanings, {by_folded[folded]} and {value}"
            )


def _check_time_formats(time_formats: tuple[str, ...]) -> None:
    with duckdb.connect(":memory:") as connection:
        for time_format in time_formats:
            try:
                connection.execute(f"SELECT try_strptime('', {sql_text(time_format)})::VARCHAR")
            except duckdb.Error as error:
                raise FormatInvalid(f"time_formats: {time_format!r}: {str(error).splitlines()[0]}") from error


def sql_text(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


VAULT_FORMAT = CellFormat("UTC")
"""The format of Vault's own exports: UTC."""
