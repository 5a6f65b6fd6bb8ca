"""Guess the encoding of text that is not UTF-8, from a sample of its lines.

chardet identifies scripts well, but in tables with few letters it confuses the encodings of Latin script with each
other, and those of Chinese, Japanese and Korean. The alphabets of languages and the common characters of each
encoding decide these two cases.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import chardet

FALLBACK = "cp1252"
"""Windows-1252, which Excel on Windows writes and which can decode any file."""

_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-8": "cp1255",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "euc_kr": "cp949",
    "johab": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "big5": "cp950",
    "big5hkscs": "cp950",
    "euc_jis_2004": "euc_jp",
}
"""Encodings that files are read with instead: these have the same characters and more."""
_CANDIDATES = [
    *("cp932", "euc-jp", "gb18030", "big5hkscs", "cp949", "windows-1250", "windows-1251", "windows-1252"),
    *("windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258"),
    *(
        "koi8-r",
        "koi8-u",
        "iso-8859-2",
        "iso-8859-5",
        "iso-8859-6",
        "iso-8859-7",
        "iso-8859-8",
        "cp866",
        "cp874",
    ),
]
"""The encodings that chardet may answer: those that programs still write."""
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_FEW_CHARACTERS_IN_A_WORD = re.compile(
    r"(?<=[a-z])[^\x00-\x7f]{1,2}(?![^\x00-\x7f])|[^\x00-\x7f]{1,2}(?=[a-z])"
)
_LONE_HALF_WIDTH = re.compile(r"(?<![\uff61-\uff9f])[\uff61-\uff9f](?![\uff61-\uff9f])")
_SPACE_IN_NUMBER = re.compile(rb"(?<=[0-9$\x80\xa3])[\xa0\xaf](?=[0-9%$\x80\xa3])")
"""The no-break space of Windows and ISO-8859 within a number, where no encoding has a letter."""
_AFTER_A_NUMBER = "%€$£°"
_SYMBOLS = "€£§©®™×½²³±¹¼¾¤¥¦¬¯´¶¸¨"
_APOSTROPHES = "‘’"
_MOST_IN_MIXED_WORDS = 0.7
_GOOD_ALPHABET = 0.85
_GOOD_SHARE = 0.9
_PREFERENCE = 0.05
"""How much better than Windows-1252 another encoding must fit: about one letter in twenty."""
_FEWEST_LETTERS = 6
"""Letters beyond ASCII from which the answer of chardet decides between alphabets that fit equally."""


def guess_encoding(sample: bytes) -> str:
    """Return the encoding of a sample in a single-byte encoding, or one of Chinese, Japanese or Korean."""
    if b"\x1b$" in sample:
        return "iso2022_jp"
    sample = _SPACE_IN_NUMBER.sub(b" ", sample)
    if sample.isascii():
        return FALLBACK
    answer = chardet.detect(sample, include_encodings=_CANDIDATES)["encoding"]
    guess = _normal_name(answer) if answer else FALLBACK
    asian, asian_share = _best_asian(sample, guess)
    latin, latin_score = _best_latin(sample, guess)
    if (
        _mixed_share(sample) >= _MOST_IN_MIXED_WORDS
        and latin_score >= _GOOD_ALPHABET
        and asian_share < _GOOD_SHARE
    ):
        return latin
    if guess in _ASIAN:
        return asian if asian_share else latin
    if guess in _latin_encodings():
        return asian if asian_share >= _GOOD_SHARE else latin
    return guess


def _normal_name(name: str) -> str:
    normal = codecs.lookup(name).name
    return _SUPERSETS.get(normal, normal)


def _mixed_share(sample: bytes) -> float:
    """Return the share of bytes above ASCII that are in words with ASCII letters, as in Latin script."""
    mixed = whole = 0
    for match in _WORD.finditer(sample):
        word: bytes = match[0]
        if len(word) == 1:
            continue  # words of one letter occur in all scripts
        high = sum(byte >= 0x80 for byte in word)
        whole += high
        mixed += high if high < len(word) else 0
    return mixed / max(1, whole)


# Chinese, Japanese and Korean


def _is_common_in_cp932(lead: int) -> bool:
    return lead in (0x81, 0x82, 0x83) or 0x88 <= lead <= 0x97 or 0xA1 <= lead <= 0xDF


def _is_common_in_euc_jp(lead: int) -> bool:
    return lead in (0xA1, 0xA3, 0xA4, 0xA5) or 0xB0 <= lead <= 0xCF


def _is_common_in_gb18030(lead: int) -> bool:
    return lead in (0xA1, 0xA3) or 0xB0 <= lead <= 0xD7


def _is_common_in_cp950(lead: int) -> bool:
    return 0xA1 <= lead <= 0xC6


def _is_common_in_cp949(lead: int) -> bool:
    return lead in (0xA1, 0xA3) or 0xB0 <= lead <= 0xC8


_ASIAN: dict[str, Callable[[int], bool]] = {
    "cp932": _is_common_in_cp932,
    "euc_jp": _is_common_in_euc_jp,
    "gb18030": _is_common_in_gb18030,
    "cp950": _is_common_in_cp950,
    "cp949": _is_common_in_cp949,
}
"""For each encoding, whether a first byte begins a common character: punctuation, letters, frequent ideographs."""


def _best_asian(sample: bytes, guess: str) -> tuple[str, float]:
    shares = {encoding: _common_share(sample, encoding) for encoding in _ASIAN}
    best = max(shares, key=lambda encoding: (shares[encoding], encoding == guess))
    return best, shares[best]


def _common_share(sample: bytes, encoding: str) -> float:
    """Return the share of common characters, and 0 if the sample is not valid in the encoding."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    characters = [character for character in text if not character.isascii()]
    encoded = [character.encode(encoding) for character in characters]
    common = sum(_ASIAN[encoding](each[0]) and _has_plain_trail(each, encoding) for each in encoded)
    misplaced = sum(map(len, _FEW_CHARACTERS_IN_A_WORD.findall(text))) + len(_LONE_HALF_WIDTH.findall(text))
    return max(0, common - misplaced) / max(1, len(characters))


def _has_plain_trail(encoded: bytes, encoding: str) -> bool:
    # Both bytes of a character of the EUC encodings are above ASCII; their extensions are rare in real text.
    return encoding in ("cp932", "cp950") or len(encoded) < 2 or encoded[1] >= 0xA1


# Latin script


@dataclass(frozen=True, slots=True)
class _Alphabets:
    typography: frozenset[str]
    letters: dict[str, list[frozenset[str]]]
    """For each encoding, the letters of each language that is written in it."""


@cache
def _alphabets() -> _Alphabets:
    content = tomllib.loads(files("ingest.readers").joinpath("alphabets.toml").read_text(encoding="utf-8"))
    letters: dict[str, list[frozenset[str]]] = {}
    for group, encodings in content["encodings"].items():
        languages = [frozenset(each + each.upper()) for each in content[group].values()]
        for encoding in encodings:
            letters.setdefault(encoding, []).extend(languages)
    return _Alphabets(frozenset(content["typography"]), letters)


def _latin_encodings() -> frozenset[str]:
    return frozenset({*_alphabets().letters, "iso8859-2", "cp1258"})


def _best_latin(sample: bytes, guess: str) -> tuple[str, float]:
    scores = {encoding: _alphabet_score(sample, encoding) for encoding in _alphabets().letters}
    scores[FALLBACK] += _PREFERENCE
    if sample.decode("cp1254", errors="replace") != sample.decode(FALLBACK, errors="replace"):
        # Icelandic and Turkish letters have the same bytes; more files are Turkish.
        scores["cp1254"] += _PREFERENCE + 0.001
    if guess in scores and guess != FALLBACK and sum(byte >= 0x80 for byte in sample) >= _FEWEST_LETTERS:
        scores[guess] += _PREFERENCE + 0.002
    best = max(scores, key=lambda encoding: scores[encoding])
    return best, scores[best]


def _alphabet_score(sample: bytes, encoding: str) -> float:
    """Return how well letters fit: the mean of the share in all alphabets of an encoding and in the best one."""
    text = sample.decode(encoding, errors="replace")
    typography = _alphabets().typography
    letters = [
        "" if _is_misplaced(text, at) else character
        for at, character in enumerate(text)
        if not character.isascii()
        and (character not in typography or _is_misplaced(text, at))
        and not (character == "\xa0" and _is_in_number(text, at))
    ]
    if not letters:
        return 1.0
    languages = _alphabets().letters[encoding]
    every = frozenset().union(*languages)
    best = max(sum(letter in language for letter in letters) for language in languages)
    return (sum(letter in every for letter in letters) + best) / (2 * len(letters))


def _is_misplaced(text: str, at: int) -> bool:
    """Return whether a capital or a symbol is within a word, or any letter within a number."""
    before, character, after = text[at - 1 : at], text[at], text[at + 1 : at + 2]
    if _is_in_number(text, at):
        return True
    if character.isupper():
        return before.islower() or (before.isalpha() and after.islower())
    if character in _alphabets().typography and character not in _APOSTROPHES:
        return after.isalpha() and (before.isalpha() or character in _SYMBOLS)
    return character in _SYMBOLS and after.isalpha()


def _is_in_number(text: str, at: int) -> bool:
    """Return whether a character is between digits, or between a digit and a sign such as %."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return before.isdigit() and (after.isdigit() or (after != "" and after in _AFTER_A_NUMBER))
