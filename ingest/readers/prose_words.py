"""Recognize the lines around errors in pasted text and mails: buttons, greetings, signatures, quoted headers."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

_COLUMN_GAP = re.compile(r"\s{2,}|\t+|\s*[|·•]\s*")
_HEAD = re.compile(r"\W*(?P<word>[^\d(:]+?)\s*[(:]?\s*\d+\s*\)?(?:\s{2,}.*|\s+\S{1,30}\s+\S{1,20}.{0,30})?")
_TIME_ONLY = re.compile(r"[\d\s.,:/-]*(?:[A-Za-zäéûç]{3,10}\.?)?[\d\s.,:/-]*(?:[AaPp][Mm])?")
_MOST_GREETING_WORDS = 7
_MOST_CLOSING_CHARACTERS = 60


def split_columns(line: str) -> list[str]:
    """Return the parts of a line that are separated by two or more spaces, a tab or a bar."""
    return [part for part in _COLUMN_GAP.split(line.strip()) if part]


def is_button_line(line: str) -> bool:
    """Return whether a line has only labels of buttons."""
    labels = [part.strip(" []()<>").casefold() for part in split_columns(line)]
    words = _words("buttons")
    return bool(labels) and all(
        label in words or all(word in words for word in label.split()) for label in labels if label
    )


def is_head_line(line: str) -> bool:
    """Return whether a line is the head of an Errors tab: its title and a number of errors."""
    match = _HEAD.fullmatch(line.strip())
    return match is not None and match["word"].strip().casefold() in _words("heads")


def is_record_number(line: str) -> bool:
    """Return whether a line has only the number or the id of a record."""
    return _pattern("record_numbers", ignore_case=False).fullmatch(line.strip()) is not None


def is_time_only(line: str) -> bool:
    """Return whether a line has only a date or a time."""
    return any(map(str.isdecimal, line)) and _TIME_ONLY.fullmatch(line.strip()) is not None


def is_greeting(line: str) -> bool:
    """Return whether a line opens a mail."""
    text = line.strip().casefold()
    return (
        len(text.split()) <= _MOST_GREETING_WORDS
        and _begins_with(text, "greetings")
        and not text.endswith(":")
    )


def is_closing(line: str) -> bool:
    """Return whether a line closes a mail: what follows is the signature."""
    text = line.strip().casefold()
    return line.rstrip("\r\n") in ("-- ", "--") or (
        len(text) <= _MOST_CLOSING_CHARACTERS and _begins_with(text, "closings")
    )


def is_footer(line: str) -> bool:
    """Return whether a mail program added a line."""
    return _pattern("footers").match(line.strip()) is not None


def is_disclaimer(paragraph: str) -> bool:
    """Return whether a paragraph is a disclaimer."""
    return _pattern("disclaimers").search(paragraph) is not None


def is_quoted_header(line: str) -> bool:
    """Return whether a line is a header of a quoted mail, such as `From: …`."""
    name, colon, _ = line.strip().strip("*").partition(":")
    return bool(colon) and name.strip(" *").casefold() in _words("quoted_headers")


def is_attribution(line: str) -> bool:
    """Return whether a line states who wrote the text below, or separates it as a quoted mail."""
    text = line.strip()
    return (
        _pattern("attributions").fullmatch(text) is not None
        or _pattern("separators").fullmatch(text) is not None
    )


def _begins_with(text: str, key: str) -> bool:
    words = "|".join(re.escape(word) for word in sorted(_words(key), key=len, reverse=True))
    return re.match(rf"(?:{words})(?!\w)", text) is not None


@cache
def _words(key: str) -> frozenset[str]:
    return frozenset(_data()[key])


@cache
def _pattern(key: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in _data()[key]), re.IGNORECASE if ignore_case else 0)


@cache
def _data() -> dict[str, list[str]]:
    return tomllib.loads(files("ingest.readers").joinpath("prose_words.toml").read_text(encoding="utf-8"))
