"""Find the numbers that are codes: an HTTP status, an error number of a system, a code of a service."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analysis.grouping import vocabulary as words_of
from analysis.grouping.items import CODE, VARIABLE, CodeKind, Item
from analysis.grouping.tokens import NUMBER, VALUE

MAX_CODE_DISTANCE = 4  # tokens between a code word and its number
_CLAUSE_ENDS = frozenset('.,;:!?)]}。，；！？）」』"’|')
_CODE_TEXT = re.compile(
    r"[-−]?\d{1,6}|[A-Z]{1,8}[-_]?\d{1,7}[A-Z]{0,2}|\d{1,3}[A-Z][A-Z0-9]{1,4}|0x[0-9a-fA-F]{1,8}"
)
_STATUS = re.compile(r"[1-5]\d\d|-\d+")
_RESPONSE = re.compile(r"[45]\d\d")


def mark_codes(items: list[Item]) -> list[Item]:
    """Replace the text of each number that is a code by `<code>`, and set how it was announced."""
    for position, item in enumerate(items):
        if item.text in (NUMBER, VALUE):
            kind = _find_code_kind(items, position)
            if kind is not None and not _has_unit(items, position) and not _begins_date(items, position):
                item.text, item.kind = CODE, kind
    return items


def read_code(text: str, kind: CodeKind) -> str:
    """Return the code in the text of a token, or `<*>` if the text is no code.

    All HTTP statuses of success are one.
    """
    digits = text.lstrip("-−")
    if kind == "response":
        return text if _RESPONSE.fullmatch(text) else VARIABLE
    if kind == "status" and not _STATUS.fullmatch(text):
        return VARIABLE
    if kind == "counted" and digits == text and len(digits) < 3:
        return VARIABLE
    if not _CODE_TEXT.fullmatch(text):
        return VARIABLE
    return "2xx" if len(text) == 3 and text[0] == "2" and text.isdecimal() else text


def _find_code_kind(items: Sequence[Item], position: int) -> CodeKind | None:
    """Return how the words before a number announce a code."""
    if position > 1 and items[position - 1].text == VALUE and items[position - 2].text in words_of.METHODS:
        return "response"  # "GET /index.html 404"
    for distance, item in enumerate(reversed(items[max(0, position - MAX_CODE_DISTANCE) : position])):
        word = item.text.casefold()
        if word in words_of.CODE_WORDS or (word[-1:].isalpha() and _ends_with_code_word(item.text)):
            return "status" if word == "status" and items[position].text == NUMBER else "certain"
        if items[position].text == NUMBER and _ends_with(word, words_of.RESPONSE_WORDS):
            return "response"
        if items[position].text == NUMBER and word in words_of.WEAK_CODE_WORDS:
            ends = position + 1 == len(items) or items[position + 1].text in _CLAUSE_ENDS
            return "certain" if ends and distance < 2 else "counted"
        if word not in words_of.CODE_FILLERS:
            return None
    return None


def _ends_with(word: str, endings: frozenset[str]) -> bool:
    """Return whether the word is one of `endings`, or a clause without spaces that ends with one."""
    return word in endings or (words_of.is_unspaced(word) and word.endswith(tuple(endings)))


def _ends_with_code_word(word: str) -> bool:
    if words_of.is_unspaced(word):
        return word.endswith(tuple(words_of.CODE_WORDS))
    parts = words_of.split_compound(word)
    return (
        len(parts) > 1
        and parts[-1] in ("code", "errno", "status", "domain")
        and words_of.is_telling_key(word, in_json=True)
    )


def _has_unit(items: Sequence[Item], position: int) -> bool:
    if position + 1 == len(items):
        return False
    word = items[position + 1].text.casefold()
    return word in words_of.UNITS or word in "%‰"


def _begins_date(items: Sequence[Item], position: int) -> bool:
    """Return whether the number is glued to a month or another value: `16-Dec-2025`."""
    after = items[position + 1 : position + 3]
    return (
        len(after) > 1
        and not any(item.starts for item in after)
        and after[0].text in "-/.:"
        and (after[1].is_value or after[1].text.casefold() in words_of.MONTHS)
    )
