"""SQL that reads flags in many languages, and the words that one column expects.

The input is a relation of distinct texts (`place`, `name`, `text`), where `place` is the column and `name` its
name. The words are in `words.toml`.
"""

from __future__ import annotations

from typing import Any

from ingest.contracts.plain_text import extend, is_empty_sql, plain_text_sql, rewrite, sql_text
from ingest.contracts.words import COLUMN_FLAGS, FLAGS

NOT_A_FLAG = "is not true or false; state its meaning under values in a mapping"
ANY_LANGUAGE = "any"


def flag_words() -> dict[str, list[Any]]:
    """Return the words for flags, to bind: for each its column (or an empty text), text, value and language."""
    entries = [("", language, pair) for language, pair in FLAGS.items()]
    entries += [(column, ANY_LANGUAGE, pair) for column, pair in COLUMN_FLAGS.items()]
    words = [
        (column, word, value == "true", language)
        for column, language, pair in entries
        for value, listed in pair.items()
        for word in listed
    ]
    names = ("flag_columns", "flag_words", "flag_values", "flag_languages")
    return {name: list(values) for name, values in zip(names, zip(*words, strict=True), strict=True)}


def flag_values_sql(relation: str) -> str:
    """Return SQL for the value and the fault of each flag, and the languages that its word belongs to.

    The parameters are those of `flag_words`.
    """
    words = (
        "(SELECT only_column, word, bool_and(value) AS value, list(DISTINCT language) AS languages "
        "FROM (SELECT unnest($flag_columns) AS only_column, unnest($flag_words) AS word, "
        "unnest($flag_values) AS value, unnest($flag_languages) AS language) GROUP BY ALL)"
    )
    steps = extend(relation, word=plain_text_sql("text"))
    steps = extend(steps, is_empty=is_empty_sql("word"))
    steps = rewrite(
        steps,
        "ltrim(word, '=')",
        "CASE WHEN regexp_full_match(word, '0*1([.,]0+)?') THEN '1' "
        "WHEN regexp_full_match(word, '0+([.,]0+)?') THEN '0' ELSE word END",
    )
    value = "coalesce(own.value, usual.value)"
    return (
        f"SELECT place, text, {value} AS value, "
        f"CASE WHEN {value} IS NULL AND NOT is_empty THEN {sql_text(NOT_A_FLAG)} END AS fault, "
        f"coalesce(own.languages, usual.languages) AS languages FROM {steps} AS each "
        f"LEFT JOIN {words} AS own ON own.word = each.word AND own.only_column = each.name "
        f"LEFT JOIN {words} AS usual ON usual.word = each.word AND usual.only_column = ''"
    )
