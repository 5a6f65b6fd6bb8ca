"""Join the parts of dates and times in words: `3 de marzo de 2026 a las 10:20`."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.grouping import vocabulary as words_of
from analysis.grouping.items import Item
from analysis.grouping.tokens import NUMBER, TIME

_DATE_LINKS = frozenset((",", ".", "de"))
MAX_SHORT_MONTH = 4  # letters of "sept."
MAX_DATE_LINKS = 2  # "3 de marzo de 2026 a las 10:20"


def join_dates(items: list[Item]) -> list[Item]:
    """Join months, weekdays and `am` with the numbers and times beside them."""
    is_date = [item.text in (NUMBER, TIME) for item in items]
    for words in (words_of.MONTHS, words_of.WEEKDAYS, words_of.TIME_WORDS):
        for position, item in enumerate(items):
            if item.text.casefold() in words and _touches_date(items, is_date, position):
                is_date[position] = True
    for position, item in enumerate(items):
        if is_date[position] and item.text not in (NUMBER, TIME):
            is_short = len(item.text) <= MAX_SHORT_MONTH and item.text.casefold() in words_of.MONTHS
            if is_short and [part.text for part in items[position + 1 : position + 3]] == [".", NUMBER]:
                items[position + 1].text = TIME  # "3 sept. 2026"
            item.text = TIME
    return _join_date_links(items)


def _join_date_links(items: list[Item]) -> list[Item]:
    """Join the words between the parts of a date: `22. Mai 2026 um 15:30`."""
    joined: list[Item] = []
    position = 0
    while position < len(items):
        joined.append(items[position])
        position += 1
        if joined[-1].text not in (NUMBER, TIME):
            continue
        end = position
        while end < len(items) and end - position < MAX_DATE_LINKS and items[end].text in words_of.DATE_LINKS:
            end += 1
        if position < end < len(items) and items[end].text == TIME:
            position = end
    return joined


def _touches_date(items: Sequence[Item], is_date: Sequence[bool], position: int) -> bool:
    word = items[position].text.casefold()
    beside = [p for p in (position - 1, position + 1) if 0 <= p < len(items)]
    # A comma or dot may come between: "Thu, 21 Jul", "21. Juli".
    beside += [
        p
        for p in (position - 2, position + 2)
        if 0 <= p < len(items) and items[(p + position) // 2].text in _DATE_LINKS
    ]
    if word in words_of.TIME_WORDS:
        if word == "de":
            has_month = any(items[p].text.casefold() in words_of.MONTHS for p in beside[:2])
            return has_month and all(is_date[p] for p in beside[:2])
        return any(items[p].text == TIME for p in beside)
    if word in {"may", "mar"}:
        return any(is_date[p] for p in beside) and items[position].text[0].isupper()
    return any(is_date[p] or items[p].text.casefold() in words_of.MONTHS for p in beside)
