"""Decide how a column is written by what all its cells show: the order of dates and the decimal sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.contracts.cell_format import DateOrder, DecimalSign
from ingest.contracts.flag_reading import ANY_LANGUAGE

EACH = "each"
"""The order of a column whose dates contradict each other: only dates with one reading are read."""

_ORDER_NAMES = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}


def decide_date_orders(
    evidence: Mapping[str, Sequence[Any]], stated: DateOrder | None
) -> tuple[dict[str, str | None], list[str]]:
    """Return the date order of each column, and notes; None if no date shows it.

    `evidence` has, by column, an example that allows only day first, only month first and only year first, whether
    all dates have dots, whether the place of the year is unclear, and any example. A column without evidence has
    the order of the other columns of the source, if they agree; dates with dots begin with the day.
    """
    orders: dict[str, str | None] = {}
    orders_shown: dict[str, str] = {}
    notes = []
    for column, (dmy, mdy, ymd, dotted, year_unclear, example) in evidence.items():
        shown = [order for order, text in (("dmy", dmy), ("mdy", mdy), ("ymd", ymd)) if text is not None]
        if stated is not None:
            orders[column] = stated
        elif len(shown) > 1:
            orders[column] = EACH
            notes.append(
                f"dates in {column} have different orders, such as {dmy or ymd} and {mdy or dmy}: "
                "only those with one reading are read; set date_order in a mapping"
            )
        elif year_unclear:
            orders[column] = None
        elif shown:
            orders[column] = orders_shown[column] = shown[0]
            notes.append(
                f"dates in {column} are read as {_ORDER_NAMES[shown[0]]}, because of {dmy or mdy or ymd}"
            )
        elif dotted:
            orders[column] = "dmy"
            notes.append(f"dates in {column} are read as {_ORDER_NAMES['dmy']}, such as {example}")
    agreed = set(orders_shown.values())
    for column, (*_, year_unclear, _example) in evidence.items():
        if column not in orders and len(agreed) == 1 and not year_unclear:
            (order,) = agreed
            orders[column] = order
            notes.append(f"dates in {column} are read as {_ORDER_NAMES[order]}, as in the other columns")
    return orders, notes


def decide_decimals(
    evidence: Mapping[str, tuple[str | None, str | None, str | None]],
    with_dots: Iterable[str],
    stated: DecimalSign | None,
    source_decimal: DecimalSign | None,
) -> tuple[dict[str, DecimalSign | None], list[str]]:
    """Return the decimal sign of each column, and notes on texts with two readings; None if nothing shows it.

    `evidence` has, by column, an example that allows only a dot as the decimal sign, one that allows only a comma,
    and one with two readings. `with_dots` are the columns with a decimal point in a number in the usual spelling.
    A column without evidence has the sign of the other columns of the source, if they agree.
    """
    if stated is not None:
        return dict.fromkeys(evidence, stated), []
    signs: dict[str, set[DecimalSign]] = {}
    for column in {*evidence, *with_dots}:
        dot, comma, _ = evidence.get(column, (None, None, None))
        has_dot = dot is not None or column in with_dots
        signs[column] = {sign for sign, shown in ((".", has_dot), (",", comma is not None)) if shown}  # type: ignore[misc]
    of_source: set[DecimalSign] = set().union(*signs.values()) if signs else set()
    if not of_source and source_decimal is not None:
        of_source = {source_decimal}
    decimals: dict[str, DecimalSign | None] = {}
    notes = []
    for column, (_, _, ambiguous) in evidence.items():
        candidates = signs[column] or of_source
        decimals[column] = next(iter(candidates)) if len(candidates) == 1 else None
        if ambiguous is not None and decimals[column]:
            sign = "a dot" if decimals[column] == "." else "a comma"
            notes.append(
                f"numbers in {column} have {sign} as the decimal sign, so {ambiguous} has one reading"
            )
    return decimals, notes


def describe_flag_languages(words: Iterable[tuple[str, Sequence[str], str]]) -> list[str]:
    """Return a note for each column whose flags belong to no single language.

    `words` has the column, the languages of a word, and the word.
    """
    by_column: dict[str, list[tuple[set[str], str]]] = {}
    for column, languages, word in words:
        if ANY_LANGUAGE not in languages:
            by_column.setdefault(column, []).append((set(languages), word))
    notes = []
    for column, entries in by_column.items():
        if not set.intersection(*(languages for languages, _ in entries)):
            listed = ", ".join(sorted({word for _, word in entries})[:6])
            notes.append(f"flags in {column} are written in several languages, check them: {listed}")
    return notes
