"""Recognize the first line of a log record, by the patterns in `log_formats/*.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from ingest.readers.levels import read_level

LONGEST_LINE = 2_000
"""Characters of a line that are matched; what follows belongs to the message."""

Cells = dict[str, str]

_SYSLOG_LEVELS = 8
_COLUMN_OF_GROUP = {"time": "occurred_at", "logger2": "logger"}
_CLOCK = re.compile(r"(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,6})\d*)?")
_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]\s?(\d{1,2}:\d{2})(:\d{2})?(?:[.,:](\d{1,9}))?"
    r"\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_DIGIT = re.compile(r"\d")
_PAIR = re.compile(r"""(?<![\w.@-])([A-Za-z][\w.-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;|\])}]+)""")


@dataclass(frozen=True, slots=True)
class LinePattern:
    """One pattern of a log format, with the formats of its times."""

    title: str
    text: str
    times: tuple[str, ...]
    general: bool

    @property
    def expression(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return _compile(self.text)

    @property
    def has_time(self) -> bool:
        """Return whether each record of this pattern has a time."""
        return "(?P<time>" in self.text

    def parse(self, line: str, written_at: datetime | None) -> Cells | None:
        """Return the cells of a line that begins a record, or None. `written_at` completes times without a year."""
        if self.has_time and not _DIGIT.search(line):
            return None  # most headers have no digit: no pattern is compiled for them
        match = self.expression.fullmatch(line[:LONGEST_LINE])
        if match is None:
            return None
        cells = {_COLUMN_OF_GROUP.get(name, name): text for name, text in match.groupdict().items() if text}
        if time := match.groupdict().get("time"):
            cells["occurred_at"] = complete_time(time, self.times, written_at)
        if priority := cells.pop("priority", None):
            cells["level"] = _SYSLOG_WORDS[int(priority) % _SYSLOG_LEVELS]
        if cells.get("user_id") == "-":
            del cells["user_id"]
        cells["message"] = match.groupdict().get("message", "") + line[LONGEST_LINE:]
        return cells


_SYSLOG_WORDS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")


def complete_time(text: str, formats: Iterable[str], written_at: datetime | None) -> str:
    """Return a time in ISO format if its format is one of `formats`; otherwise the text itself.

    A time without a year is the last one before `written_at`, a time without a date is of that day.
    """
    if iso := _ISO.fullmatch(text):
        year, month, day, minutes, seconds, fraction, zone = iso.groups()
        decimals = f".{fraction}" if fraction else ""
        zone = "Z" if zone in ("UTC", "GMT") else zone or ""
        return f"{year}-{month:0>2}-{day:0>2}T{minutes:0>5}{seconds or ':00'}{decimals}{zone}"
    if clock := _CLOCK.fullmatch(text):
        return f"{written_at:%Y-%m-%d}T{text.replace(',', '.')}" if written_at else clock[0]
    for time_format in formats:
        dated = "%Y" in time_format
        full_text, full_format = (text, time_format) if dated else (f"2024 {text}", f"%Y {time_format}")
        try:
            time = datetime.strptime(full_text, full_format)  # noqa: DTZ007 - a zone only if the text has one
        except ValueError:
            continue
        if not dated:
            if written_at is None:
                return text
            time = _last_before(time, written_at)
        return time.isoformat()
    return text


def _last_before(time: datetime, written_at: datetime) -> datetime:
    latest = written_at.astimezone(UTC).replace(tzinfo=None) + timedelta(days=1)
    for year in range(latest.year, latest.year - 8, -1):
        try:
            dated = time.replace(year=year)
        except ValueError:  # 29 February
            continue
        if dated <= latest:
            return dated
    return time


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def line_patterns() -> tuple[LinePattern, ...]:
    """Return the patterns of all log formats, in the order of their files."""
    folder = files("ingest.readers").joinpath("log_formats")
    names = sorted(each.name for each in folder.iterdir() if each.name[0].isdigit())
    patterns = []
    for name in names:
        data = tomllib.loads(folder.joinpath(name).read_text(encoding="utf-8"))
        patterns += [
            LinePattern(
                data["title"],
                _expand(pattern),
                tuple(data.get("times", ())),
                data.get("general", False),
            )
            for pattern in data["patterns"]
        ]
    return tuple(patterns)


@cache
def ignored_lines() -> re.Pattern[str]:
    """Return the pattern of lines that log tools insert between records."""
    folder = files("ingest.readers").joinpath("log_formats")
    texts = [tomllib.loads(each.read_text(encoding="utf-8")).get("ignored") for each in folder.iterdir()]
    return re.compile("|".join(filter(None, texts)))


def parse_line(line: str, written_at: datetime | None = None) -> Cells | None:
    """Return the cells of a line that begins a record in any log format; None if it does not."""
    for pattern in line_patterns():
        if cells := pattern.parse(line, written_at):
            return cells
    return None


def read_pairs(message: str) -> Cells:
    """Return the columns that `key=value` pairs in a message fill."""
    cells: Cells = {}
    if "=" not in message:
        return cells
    columns = _columns_of_keys()
    for key, value in _PAIR.findall(message[:LONGEST_LINE]):
        column = columns.get(re.sub(r"[_.-]", "", key.casefold()))
        text = _unquote(value)
        if column is None or not text or (column == "http_status" and not re.fullmatch(r"[1-5]\d\d", text)):
            continue
        if column == "level" and read_level(text) is None:
            continue
        cells.setdefault(column, text)
    return cells


def _unquote(value: str) -> str:
    if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1:
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value


@cache
def _shared() -> dict[str, Any]:
    path = files("ingest.readers").joinpath("log_formats", "patterns.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _columns_of_keys() -> dict[str, str]:
    return {key: column for column, keys in _shared()["keys"].items() for key in keys}


def _expand(pattern: str) -> str:
    shared = _shared()["patterns"]
    while expanded := re.sub(r"%\{(\w+)\}", lambda match: shared[match[1]], pattern):
        if expanded == pattern:
            return pattern
        pattern = expanded
    return pattern
