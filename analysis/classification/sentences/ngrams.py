"""Turn a message into hashed n-grams: pieces of its words, and pairs of words."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

BITS = 16
"""Binary digits of a feature's number: there are 2 ** BITS features."""
_MOST_CHARACTERS = 400
_LONGEST_PIECE = 5
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+")


def count_ngrams(message: str) -> dict[int, float]:
    """Return the weight of each feature of a message: 1 + ln(occurrences), by the number of the feature.

    Features are the pieces of one to five characters of each word with its borders, and the pairs of neighboring
    words, after `normalize`. Two features can have one number; with 65,536 numbers that is rare in a message.
    """
    words = _WORD.findall(normalize(message))
    counts = Counter(zlib.crc32(piece.encode()) & ((1 << BITS) - 1) for piece in _pieces(words))
    return {number: 1 + math.log(count) for number, count in counts.items()}


def normalize(message: str) -> str:
    """Return the first 400 characters in lower case, without accents, with 0 for each number.

    Characters are decomposed, so that a syllable of Korean is a sequence of letters.
    """
    decomposed = unicodedata.normalize("NFKD", message[:_MOST_CHARACTERS].lower())
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _DIGITS.sub("0", letters)


def _pieces(words: list[str]) -> Iterator[str]:
    for word in words:
        framed = f" {word} "
        for length in range(1, _LONGEST_PIECE + 1):
            if len(framed) <= length:
                yield framed
                break
            for start in range(len(framed) - length + 1):
                yield framed[start : start + length]
    for first, second in pairwise(words):
        yield f"{first}\t{second}"
