"""Set aside what surrounds the sentence that states the cause: statuses, places in the program, advice."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from http import HTTPStatus
from importlib.resources import files

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")
_PHRASES = {status.value: status.phrase for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}
_STATUS = re.compile(
    "|".join(rf"\b(?:https?\W{{0,3}})?{number}\)?\W{{1,4}}{phrase}\b" for number, phrase in _PHRASES.items()),
    re.IGNORECASE,
)
_EDGES = " .:;,-–()[]\"'"
_NUMBER = re.compile(r"(?<!\d)[45]\d\d(?!\d)")


def find_status(text: str) -> str | None:
    """Return the number of a status that is followed by its own reason phrase, as in "412 Precondition Failed"."""
    match = _STATUS.search(text)
    number = _NUMBER.search(match[0]) if match else None
    return number[0] if number else None


def strip_envelope(text: str) -> str:
    """Return a text without its status line, the place where it failed, and advice; all of it if nothing is left."""
    stripped = _STATUS.sub(" ", text, count=2) if _NUMBER.search(text) else text
    prefixes, advice = _patterns()
    stripped = prefixes.sub("", stripped, count=1)
    sentences = _SENTENCE_END.split(stripped)
    if len(sentences) > 1 or stripped is not text:
        sentences = [sentence for sentence in sentences if not advice.search(sentence)]
    kept = " ".join(sentences)
    if kept.strip(_EDGES) == text.strip(_EDGES):
        return text
    return kept.strip(_EDGES) or text


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    document = tomllib.loads(
        files("analysis.classification").joinpath("envelopes.toml").read_text(encoding="utf-8")
    )
    prefixes, advice = ("|".join(document[name]) for name in ("prefixes", "advice"))
    return re.compile(prefixes, re.IGNORECASE), re.compile(advice, re.IGNORECASE)
