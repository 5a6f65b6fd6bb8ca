"""The ordinary headings of error lists, one `.toml` file for each language."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from ingest.mapping.headings import fold_heading

_COLUMN_OF = {
    "time": "occurred_at",
    "user": "user_id",
    "device": "device_id",
    "code": "error_type",
    "type": "error_type",
    "message": "message",
    "object": "object",
    "record": "record_id",
    "field": "field",
    "version": "app_version",
    "operation": "operation",
}
"""The column of `sync_error` that each meaning fills; a status or level decides which rows are errors."""


@cache
def labels_by_meaning() -> dict[str, tuple[str, ...]]:
    """Return every heading for each meaning (`time`, `user`, `message` …), English first."""
    folder = files("ingest.mapping").joinpath("labels")
    languages = sorted(
        each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml")
    )
    languages.sort(key=lambda language: language != "en")
    labels: dict[str, tuple[str, ...]] = {}
    for language in languages:
        for meaning, headings in labels_in(language).items():
            labels[meaning] = (*labels.get(meaning, ()), *headings)
    return labels


def labels_in(language: str) -> dict[str, list[str]]:
    """Return the headings for each meaning in one language, by its two-letter code."""
    file = files("ingest.mapping").joinpath("labels", f"{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def labels_of(table: str) -> dict[str, tuple[str, ...]]:
    """Return the ordinary headings for the columns of a table; only error lists have them."""
    if table != "sync_error":
        return {}
    by_column: dict[str, tuple[str, ...]] = {}
    for meaning, column in _COLUMN_OF.items():
        by_column[column] = (*by_column.get(column, ()), *labels_by_meaning()[meaning])
    return by_column


@cache
def folded_labels(meaning: str) -> frozenset[str]:
    """Return the folded headings for a meaning."""
    return frozenset(map(fold_heading, labels_by_meaning()[meaning]))


def names_an_error(heading: str) -> bool:
    """Return whether a heading has a word for an error, in any of the languages."""
    folded = fold_heading(heading)
    return any(stem in folded for stem in folded_labels("error_stems"))
