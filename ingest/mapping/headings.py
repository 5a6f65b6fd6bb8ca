"""Fold headings, so that spellings of one name compare equal and different names stay different.

The rule, in this order: compatibility forms become plain (NFKC: full-width letters, ligatures), case is folded,
accents on Latin letters are dropped (`é` is `e`, `ł` is `l`, `ı` is `i`), and only letters, digits and the marks of
other scripts remain. Marks outside the Latin script distinguish letters (`й`, `が`) and stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_PLAIN_LETTERS = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t"}
)
"""Latin letters that Unicode does not decompose into a letter and a mark."""
_MOST_CACHED = 20_000


@lru_cache(maxsize=_MOST_CACHED)
def fold_heading(name: str) -> str:
    """Fold a heading to the form in which headings are compared; empty if it has no letter or digit."""
    if name.isascii():
        return re.sub(r"[^0-9a-z]", "", name.lower())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).casefold()
    plain = _letters_and_digits(unicodedata.normalize("NFD", folded)).translate(_PLAIN_LETTERS)
    return unicodedata.normalize("NFC", plain)


def strip_suffix(name: str) -> str:
    """Remove the namespace suffix of a field name."""
    return re.sub(r"__(v|c|sys)$", "", name)


def same_folding(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that fold alike although they are spelled differently, by their folded form.

    Names without any letter or digit match nothing and are left out.
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(fold_heading(name), []).append(name)
    return {folded: group for folded, group in groups.items() if folded and len(group) > 1}


def _letters_and_digits(decomposed: str) -> str:
    """Return the letters and digits of a decomposed text, with the marks on letters that are not Latin."""
    kept = []
    keeps_marks = False
    for character in decomposed:
        category = unicodedata.category(character)[0]
        if category != "M":
            keeps_marks = category in "LN" and not unicodedata.name(character, "").startswith("LATIN")
        if category in "LN" or (category == "M" and keeps_marks):
            kept.append(character)
    return "".join(kept)
