"""What the values of columns look like: times, codes, texts that report an error, levels, numbers, ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

from ingest.mapping.headings import fold_heading
from ingest.mapping.kinds import words
from ingest.readers.rows import RawRow

_TIME = re.compile(
    r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:[T ,]+\d{1,2}[:.時]\d{1,2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[T ,]+\d{1,2}[:.時]\d{1,2}.*)?"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?[AaPp]\.?[Mm]\.?)?"
    r"|(?:[A-Z][a-z]{2},? )?(?:\d{1,2} [A-Z][a-z]{2,8}|[A-Z][a-z]{2,8} \d{1,2}),? .*\d{2}:\d{2}.*"
    r"|1[0-9]{9}(?:[0-9]{3})?(?:\.[0-9]+)?"
)
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_LEADING_CODE = re.compile(r"\W*([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
_NUMBER = re.compile(r"[-+]?\d[\d.,' ]*%?")
_LEVEL_SHARE = 0.95
_MOST_CACHED = 8_192

Cells = dict[str, list[str]]


def sample_cells(header: Sequence[str], rows: Iterable[RawRow]) -> Cells:
    """Return the cells of each column that are not empty."""
    cells: Cells = {name: [] for name in header}
    for row in rows:
        for name, cell in row.cells.items():
            if cell and cell.strip() and name in cells:
                cells[name].append(cell.strip())
    return cells


def share(cells: Sequence[str], test: Callable[[str], bool]) -> float:
    """Return the share of cells that pass a test; 0 without cells."""
    return sum(map(test, cells)) / len(cells) if cells else 0.0


@lru_cache(maxsize=_MOST_CACHED)
def _pass(test: Callable[[str], bool], cell: str) -> bool:
    return test(cell)


def cached_share(cells: Sequence[str], test: Callable[[str], bool]) -> float:
    """Return the share of cells that pass an expensive test; equal cells are tested once."""
    return share(cells, lambda cell: _pass(test, cell))


def is_time(cell: str) -> bool:
    """Return whether a cell is written like a time or a date."""
    return bool(_TIME.fullmatch(cell))


def is_code(cell: str) -> bool:
    """Return whether a cell is one UPPER_SNAKE word, as error types are."""
    return bool(_CODE.fullmatch(cell))


def is_number(cell: str) -> bool:
    """Return whether a cell is a number."""
    return bool(_NUMBER.fullmatch(cell))


def has_documented_code(cell: str) -> bool:
    """Return whether a cell begins with an error code that Vault or Salesforce documents."""
    match = _LEADING_CODE.match(cell)
    return match is not None and match[1] in _documented_codes()


def reports_an_error(cell: str) -> bool:
    """Return whether a text reports an error, in any of the languages."""
    text = _plain(cell)
    # A search for each stem is faster than the pattern, which most texts do not need.
    has_stem = any(stem in text for stem in _error_stems())
    return bool((has_stem and _error_pattern().search(text)) or _LEADING_CODE.match(cell))


def is_about_sync(cell: str) -> bool:
    """Return whether a text names a sync, a Vault or Salesforce name, or a record."""
    return bool(_sync_pattern().search(cell.casefold()))


def is_about_access(cell: str) -> bool:
    """Return whether a text is about access, records or connections, in any of the languages."""
    return bool(_access_pattern().search(cell.casefold()))


def level_of(cell: str) -> bool | None:
    """Return whether a level or an outcome is an error; None if the cell is neither."""
    error, no_error = _levels()
    folded = fold_heading(cell)
    return True if folded in error else False if folded in no_error else None


def is_level_column(cells: Sequence[str]) -> bool:
    """Return whether nearly all cells are levels or outcomes."""
    return bool(cells) and share(cells, lambda cell: level_of(cell) is not None) >= _LEVEL_SHARE


@cache
def _levels() -> tuple[frozenset[str], frozenset[str]]:
    error, no_error = (frozenset(map(fold_heading, words("levels")[name])) for name in ("error", "no_error"))
    return error, no_error - error


@cache
def _documented_codes() -> frozenset[str]:
    return frozenset(code for codes in words("codes").values() for code in codes)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFD", text.casefold().replace("ł", "l").replace("ı", "i"))
    return "".join(letter for letter in folded if letter.isascii() or not unicodedata.combining(letter))


@cache
def _error_stems() -> tuple[str, ...]:
    return tuple(sorted({_plain(stem) for language in words("errors").values() for stem in language}))


@cache
def _error_pattern() -> re.Pattern[str]:
    return re.compile("|".join(map(_beginning_of_word, _error_stems())))


def _beginning_of_word(stem: str) -> str:
    return rf"(?<![a-z]){re.escape(stem)}" if stem[0].isascii() else re.escape(stem)


@cache
def _access_pattern() -> re.Pattern[str]:
    listed = {
        word.casefold() for language in words("subjects")["access_values"].values() for word in language
    }
    return re.compile(
        "|".join(rf"(?<![a-z]){re.escape(w)}" if w[0].isascii() else re.escape(w) for w in sorted(listed))
    )


@cache
def _sync_pattern() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word.casefold()) for word in words("subjects")["sync_values"]))
