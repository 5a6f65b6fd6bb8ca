"""Split a part of a message without spaces into tokens: words, punctuation and values by kind.

A value is a token that differs between two messages of the same template: a number, a time, an id, an address, a
path. Each kind has a general pattern, and the first pattern that matches wins.
"""

from __future__ import annotations

import re
from functools import cache

from analysis.grouping.vocabulary import (
    CODE_PREFIXES,
    GLUED_UNITS,
    TERMS,
    UNSPACED_RANGES,
    is_code,
    is_content_with_digits,
)

NUMBER = "<n>"
TIME = "<t>"
VALUE = "<v>"
OPEN_QUOTE, CLOSE_QUOTE, DOUBLE_QUOTE, BACKTICK = "‘", "’", '"', "`"
Token = tuple[str, int, int]  # the token, its start and its end

_HANGUL = "\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f"
_LETTER = rf"(?:(?![{UNSPACED_RANGES}{_HANGUL}])\w)"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,:]\d+)?)?(?![A-Za-z0-9_])"
_UNIT = (
    r"(?:[kKMGT]i?[Bb]|[kM]bps|bytes?|[nuµm]?s|msec|secs?|min|[hdmgVAWx]|°?[CF]|k?Hz|[MG]Hz|px"
    r"|kg|mg|ml|[cmk]m|Uhr)"
)
_ABSOLUTE_PATH = (
    r"(?<![A-Za-z0-9_)>\]])(?:[A-Za-z]:|~|\.{1,2})?[\\/]+[A-Za-z0-9_.$@~%-][A-Za-z0-9_.$@~%*+:=?&,-]*"
    r"(?:[\\/]+[A-Za-z0-9_.$@~%*+:=?&,-]+)*[\\/]?(?<![:,.?=&])"
)
_PATTERNS = {
    "url": r"[A-Za-z][A-Za-z0-9+.-]{1,15}://[!#-&*-;=?-\[\]-~]*[#-&*+/-9=@-Z_a-z~-]",
    "email": r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    "uuid": r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])\}?",
    "time": r"\d{4}-\d\d-\d\d(?:[T_]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![0-9A-Za-z-])"
    r"|\d{1,4}(?P<mark>[./-])\d{1,2}(?P=mark)\d{1,4}(?![\w.]*\w)"
    r"|\d{4}[年년](?:\d{1,2}[月월](?:\d{1,2}[日일])?)?|\d{1,2}[月월]\d{1,2}[日일]|" + _CLOCK,
    "mac": r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![A-Za-z0-9_-]|:[A-Za-z0-9_])",
    "ipv6": r"(?=[0-9a-fA-F:]*\d)(?:[0-9a-fA-F]{0,4}:){2,7}(?:\d+(?:\.\d+){3}|[0-9a-fA-F]{1,4})"
    r"(?![A-Za-z0-9_:])(?:%[A-Za-z0-9]+)?",
    "ip": r"(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2}|:\d+)?(?![A-Za-z0-9_]|\.[A-Za-z0-9_])",
    "path": _ABSOLUTE_PATH + r"|[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.$@~%*+=-]+){2,}/?",
    "host": r"(?:localhost|(?=[A-Za-z0-9-]*[0-9-])[A-Za-z][A-Za-z0-9-]*"
    r"|[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+):\d{1,5}(?![A-Za-z0-9_:])",
    "name": r"[A-Za-z0-9_][A-Za-z0-9_$-]*(?:\.[A-Za-z0-9_$-]+){2,}(?:/[A-Za-z0-9_.$]+)?",
    "http": r"HTTPS?/\d(?:\.\d)?(?!\w)",
    "code": r"(?:" + "|".join(map(re.escape, CODE_PREFIXES)) + r")[-_ ]?\d{1,9}(?!\w)"
    r"|0x80(?:0[0-9a-fA-F]|1\d|24)[0-9a-fA-F]{4}(?!\w)",
    "number": rf"(?<![A-Za-z0-9_])[+-]?\d+(?:[.,'’]\d+)*(?:{_UNIT}(?![A-Za-z0-9_]))?(?![A-Za-z0-9_])"
    rf"(?:{'|'.join(map(re.escape, GLUED_UNITS))})?",
    "money": r"(?:[$€£¥₹₽₺]|US\$)\s?\d+(?:[.,]\d+)*",
    "word": rf"{_LETTER}+(?:[.'’/$-]+{_LETTER}+)*",
    "hangul": rf"[{_HANGUL}]+",
    "clause": rf"[{UNSPACED_RANGES}]+",
    "quote": "[\"“”„‟«»「」『』'‘’‚`´]",
    "sign": r"\S",
}
_NEEDS = {
    "url": "://",
    "email": "@",
    "uuid": "-",
    "mac": ":-",
    "ipv6": ":",
    "ip": ".",
    "host": ":",
    "name": ".",
}
_NEEDS |= {"path": "/\\", "http": "/"}
_NEED_DIGITS = frozenset(("uuid", "time", "mac", "ipv6", "ip", "host", "http", "code", "number", "money"))
_TOKENS = dict.fromkeys(("url", "email", "uuid", "mac", "ipv6", "ip", "path", "host", "money"), VALUE) | {
    "number": NUMBER,
    "time": TIME,
    "http": "HTTP",
}
_DOUBLE_QUOTES = frozenset('"“”„‟«»「」『』')
_SINGLE_QUOTES = frozenset("'‘’‚´")
_CLAUSE_ENDS = frozenset(".,;:!?)]}。，；：！？）")
_VALUE_ENDS = frozenset("%‰.!?)]}")
_DIGIT = re.compile(r"\d")
_WORD_CHARACTER = re.compile(rf"(?![{UNSPACED_RANGES}])\w")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{8}(?!\w)")
_WORD_WITH_DIGIT = re.compile(r"[A-Za-z0-9_-]*\d[A-Za-z0-9_-]*")
_CODE = re.compile(_PATTERNS["code"])
_HAS_CAPITALS = re.compile(r"[A-Z]{2}|E-|CKE|errSec")
_ID = (
    r"(?=[a-zA-Z]+\d+[a-zA-Z]|\d+[a-zA-Z]+\d)[A-Za-z0-9]{12,}"  # so mixed that it is no code and no quantity
)
_ONE_VALUE = re.compile(
    rf"([(\[\"<“„«]*)(?:{_ID}|{_PATTERNS['url']}|{_PATTERNS['email']}|{_PATTERNS['uuid']}|{_ABSOLUTE_PATH})"
    r"([)\],;.:!?]*)"
)
_ANY_DIGIT = str.maketrans("123456789", "000000000")
_TERMS_WITHOUT_DIGITS = frozenset(term.translate(_ANY_DIGIT) for term in TERMS)
_SIGNS_OF_KINDS = ("://", "@", ":", "-", ".", "/", "\\")


def split_tokens(chunk: str) -> list[Token]:
    """Return the tokens of a chunk, each with its start and end."""
    signs = "".join(sign for sign in _SIGNS_OF_KINDS if sign in chunk)
    tokens: list[Token] = []
    is_open = False
    for match in _compile(signs, _DIGIT.search(chunk) is not None).finditer(chunk):
        kind, text = match.lastgroup, match[0]
        if kind == "quote" and text in _SINGLE_QUOTES:
            is_nested = bool(tokens) and tokens[-1][0] == OPEN_QUOTE and tokens[-1][2] == match.start()
            is_open = (not is_open or is_nested) and _opens(chunk, match.start(), match.end())
            name = OPEN_QUOTE if is_open else CLOSE_QUOTE
        else:
            name = _name_token(kind, text)
        tokens.append((name, match.start(), match.end()))
    return tokens


def split_texts(chunk: str) -> tuple[str, ...]:
    """Return the tokens of a chunk without their places."""
    return tuple(name for name, _, _ in split_tokens(chunk))


def depends_on_digits(chunk: str) -> bool:
    """Return whether other digits would make other tokens of the chunk, as in `IPv6` and `AADSTS50058`."""
    if _DIGIT.search(chunk) is None:
        return False
    words = _WORD_WITH_DIGIT.findall(chunk)
    if _HAS_CAPITALS.search(chunk) and (_CODE.search(chunk) or any(map(is_content_with_digits, words))):
        return True
    terms = {word.casefold().translate(_ANY_DIGIT) for word in words}
    return not _TERMS_WITHOUT_DIGITS.isdisjoint(terms) or _HEXADECIMAL.search(chunk) is not None


def simplify_value(chunk: str) -> str | None:
    """Return a text that all chunks have that are one address, path or long id with the same punctuation.

    Their tokens are equal. Returns None if the chunk is no such value. The text has a space, so it is no chunk.
    """
    match = _ONE_VALUE.fullmatch(chunk)
    return None if match is None else f"{match[1]} {match[2]}"


@cache
def _compile(signs: str, has_digits: bool) -> re.Pattern[str]:
    """Return the pattern of the kinds that a chunk with these signs can have."""
    kinds = [
        kind
        for kind in _PATTERNS
        if (has_digits or kind not in _NEED_DIGITS) and _has_sign(signs, _NEEDS.get(kind))
    ]
    return re.compile("|".join(f"(?P<{kind}>{_PATTERNS[kind]})" for kind in kinds))


def _has_sign(signs: str, needed: str | None) -> bool:
    return needed is None or needed in signs or any(sign in signs for sign in needed if needed != "://")


def _name_token(kind: str | None, text: str) -> str:
    if kind in _TOKENS:
        return _TOKENS[kind]
    if kind == "word":
        return text if not _DIGIT.search(text) or is_content_with_digits(text) else VALUE
    if kind == "name":
        return text if is_code(text) and not _DIGIT.search(text) else VALUE
    return DOUBLE_QUOTE if text in _DOUBLE_QUOTES else text


def _opens(chunk: str, start: int, end: int) -> bool:
    """Return whether the quotation mark at `start` can open a quotation."""
    if end == len(chunk) or chunk[end] in _CLAUSE_ENDS:
        return False
    return start == 0 or not (_WORD_CHARACTER.match(chunk[start - 1]) or chunk[start - 1] in _VALUE_ENDS)
