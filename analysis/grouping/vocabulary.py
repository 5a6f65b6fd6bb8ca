"""Decide what a word is: a state, a code, a name, a unit; by the lists in `vocabulary.toml`."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

_DATA: dict[str, Any] = tomllib.loads(
    files("analysis.grouping").joinpath("vocabulary.toml").read_text(encoding="utf-8")
)


def _load_words(name: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _DATA[name])


VERSION: str = _DATA["version"]
ROLES = _load_words("roles")
PREPOSITIONS = _load_words("prepositions")
UNITS = _load_words("units")
GLUED_UNITS = tuple(sorted(_DATA["glued_units"], key=len, reverse=True))
MONTHS = _load_words("months")
WEEKDAYS = _load_words("weekdays")
TIME_WORDS = _load_words("time_words")
DATE_WORDS = frozenset(
    form(word)
    for word in MONTHS | WEEKDAYS | TIME_WORDS
    for form in (str, str.capitalize, str.upper, str.title)
)
DATE_LINKS = _load_words("date_links")
JOINERS = _load_words("joiners")
CODE_WORDS = _load_words("code_words")
WEAK_CODE_WORDS = _load_words("weak_code_words")
RESPONSE_WORDS = _load_words("response_words")
CODE_FILLERS = _load_words("code_fillers")
CODE_PREFIXES = tuple(_DATA["code_prefixes"])
TELLING_KEYS = _load_words("telling_keys")
PLAIN_TELLING_KEYS = TELLING_KEYS - _load_words("json_only_keys")
TERMS = _load_words("terms")
NAME_PARTICLES = frozenset(_DATA["name_particles"])
SHORT_UNITS = _load_words("short_units")
FILE_EXTENSIONS = _load_words("file_extensions")
METHODS = frozenset(_DATA["methods"])

_STATES = re.compile("|".join(f"(?:{pattern})" for pattern in _DATA["states"]), re.IGNORECASE)
_NOT_STATES = _load_words("not_states")
_KOREAN_NAME = re.compile(rf"(?:{'|'.join(_DATA['korean_surnames'])})[가-힣]{{2}}")
_STATE_PARTS = _load_words("state_parts")
_STATE_STEMS = re.compile("|".join(map(re.escape, sorted(_DATA["state_stems"]))))
_NOT_CODES = _load_words("not_codes")
_PARTS = re.compile(r"[^\W\d_]+?(?=[A-Z][a-z]|[\W\d_]|$)|[^\W\d_]+")
_NEGATION = re.compile(
    r"(?<![^\W_])(?:un|dis|de|in|non|im|re|ent|ab|ver|не|dés|dé|des|in)(?=\w{3})|(?<=[a-z])(?:de|un|dis)(?=\w{3})"
)
_API_NAME = re.compile(r"\w+__[a-z]{1,4}")
_CAPITALS = re.compile(r"[A-Z]{4,}|[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)+")
_COMPOUND = re.compile(r"[a-z][A-Z]|[A-Z][A-Z][a-z]|\w[_.]\w")
_NAME = re.compile(r"[a-z][A-Z]|[_$]|\w\.\w|[A-Z]\w*-\w|\w-[A-Z]")
UNSPACED_RANGES = (  # Thai, Lao, Burmese, Khmer, Japanese, Chinese
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff"
)
_IS_UNSPACED = re.compile(f"[{UNSPACED_RANGES}]")
MAX_UNSPACED_NAME = 4


@lru_cache(maxsize=65_536)
def is_state_word(word: str) -> bool:
    """Return whether the word can change the meaning of a message, such as "started" and "paused"."""
    if _STATES.fullmatch(word):
        return word.casefold() not in _NOT_STATES
    if is_unspaced(word):
        return _STATE_STEMS.search(word) is not None
    return word.casefold() in _STATE_PARTS or _STATE_STEMS.match(word.casefold()) is not None


@lru_cache(maxsize=65_536)
def is_code(word: str) -> bool:
    """Return whether the word is a code of what is wrong, such as `invalid_grant` or `SocketTimeoutException`.

    Words in capitals count, and compounds with a part that names a state. Names of objects and fields do not.
    """
    if _API_NAME.fullmatch(word) or word.casefold() in TERMS:
        return False
    last = word.rsplit(".", 1)[-1]
    if _CAPITALS.fullmatch(last):
        return last == word or "_" in last
    return (
        "-" not in word
        and _COMPOUND.search(word) is not None
        and any(_names_state(part) for part in split_compound(last))
    )


def is_content_with_digits(word: str) -> bool:
    """Return whether a word with digits is content: `ERR_HTTP2_PROTOCOL_ERROR` and `IPv6`, but not `CASE-0012`."""
    return word.casefold() in TERMS or (
        _CAPITALS.fullmatch(word) is not None and any(map(_names_state, split_compound(word)))
    )


@lru_cache(maxsize=65_536)
def is_name(word: str) -> bool:
    """Return whether the word looks like a name: of a field, a file, a record or a user."""
    if is_code(word):
        return False
    if _API_NAME.fullmatch(word) or _NAME.search(word):
        return not _STATES.fullmatch(word)
    if is_unspaced(word):
        return len(word) <= MAX_UNSPACED_NAME and not is_state_word(word)
    return (word[0].isupper() or _KOREAN_NAME.fullmatch(word) is not None) and not is_state_word(word)


def is_capital_word(word: str) -> bool:
    """Return whether the word is one plain word in capitals that names no state."""
    return word.isalpha() and word.isupper() and not is_state_word(word)


def are_opposites(words: set[str]) -> bool:
    """Return whether one word is another one with a prefix of negation, as in `lock` and `unlock`."""
    folded = {word.casefold() for word in words}
    plain = {_NEGATION.sub("", word) for word in folded}
    return len(plain) < len(folded)


def has_name_form(word: str) -> bool:
    """Return whether the word has the form of an API, file or login name, and is no code."""
    return _NAME.search(word) is not None and not is_code(word)


def is_unspaced(word: str) -> bool:
    """Return whether the word is in a script that writes no spaces, where a word holds a whole clause."""
    return _IS_UNSPACED.match(word) is not None


def is_clause(word: str) -> bool:
    """Return whether the word is too long for a name in a script without spaces."""
    return is_unspaced(word) and len(word) > MAX_UNSPACED_NAME


def count_words(word: str) -> int:
    """Count the words of a token: 0 for punctuation, several for a clause without spaces."""
    if is_unspaced(word):
        return max(1, len(word) // 2)
    return int(word[0].isalpha())


def split_compound(word: str) -> list[str]:
    """Return the parts of `errorCode` or `invalid_grant`, in lower case."""
    return [part.casefold() for part in _PARTS.findall(word)]


@lru_cache(maxsize=16_384)
def is_telling_key(key: str, *, in_json: bool = False) -> bool:
    """Return whether the value of this key is an error, as that of `reason` or `errorCode` is."""
    parts = split_compound(key)
    if not parts:
        return False
    keys = TELLING_KEYS if in_json else PLAIN_TELLING_KEYS
    is_excluded = len(parts) > 1 and parts[-2] in _NOT_CODES
    return not is_excluded and (parts[-1] in keys or "".join(parts) in keys)


def _names_state(part: str) -> bool:
    return part in _STATE_PARTS or _STATE_STEMS.match(part) is not None or part in ("timed", "exception")
