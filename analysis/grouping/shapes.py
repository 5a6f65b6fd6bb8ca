"""Build the words of a message from its tokens: join the tokens of one value, and keep codes and states.

The steps run in one order: codes, units and dates, `key=value`, quotations, brackets, lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.grouping import vocabulary as words_of
from analysis.grouping.dates import join_dates
from analysis.grouping.items import CODE, VALUES, VARIABLE, CodeKind, Item, Words
from analysis.grouping.number_codes import mark_codes
from analysis.grouping.tokens import BACKTICK, CLOSE_QUOTE, DOUBLE_QUOTE, NUMBER, OPEN_QUOTE, TIME, VALUE

MAX_QUOTED = 40  # tokens
SENTENCE_WORDS = 4
CLEAR_UNIT = 3  # letters: "days" is a unit after any value, "d" only after a number
_GLUE = frozenset(":/-+#.,_@*~|=^&")
_SIGNS = frozenset("+*#<>~≈≤≥№±−")
_COMPOUND_SIGNS = frozenset("~@#")
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">", "（": "）", "【": "】"}
_VALUE_ENDS = frozenset(",;=(){}[]&|")
_CLEAR_UNIT = re.compile(r"[kKMGT]i?[Bb]|ms|[%‰€$£¥]")
_CLOSING_QUOTES = {
    DOUBLE_QUOTE: (DOUBLE_QUOTE,),
    OPEN_QUOTE: (CLOSE_QUOTE,),
    CLOSE_QUOTE: (CLOSE_QUOTE,),
    BACKTICK: (BACKTICK, CLOSE_QUOTE),
}
_EXTENSION = re.compile(r"[a-z]{2,5}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A code: its position in the words, and its chunk and token in the message."""

    position: int
    chunk: int
    token: int
    kind: CodeKind


@dataclass(frozen=True, slots=True)
class Shape:
    """The words of all messages with the same tokens; codes are inserted into the `slots`."""

    words: Words
    slots: tuple[Slot, ...]


def build_shape(chunks: Sequence[Words]) -> Shape:
    """Return the shape of a message, given the tokens of each of its chunks."""
    items = [
        Item(text, number, position, position == 0)
        for number, chunk in enumerate(chunks)
        for position, text in enumerate(chunk)
    ]
    texts = {item.text for item in items}
    for step, needed in _STEPS:
        if not needed.isdisjoint(texts):
            items = step(items)
    words: list[str] = []
    slots = []
    for item in items:
        if item.text == CODE:
            slots.append(Slot(len(words), item.chunk, item.token, item.kind))
            words.append(CODE)
        elif not item.is_value:
            words.append(item.text)
        elif words[-1:] != [VARIABLE]:
            words.append(VARIABLE)
    return Shape(tuple(words), tuple(slots))


def collapse_variables(words: Iterable[str]) -> Words:
    """Return the words with each run of `<*>` reduced to one."""
    collapsed: list[str] = []
    for word in words:
        if word != VARIABLE or collapsed[-1:] != [VARIABLE]:
            collapsed.append(word)
    return tuple(collapsed)


def _join_quotes(items: list[Item]) -> list[Item]:
    """Reduce two equal quotation marks before or after a word to one, as in `“"name"”`."""
    joined: list[Item] = []
    for position, item in enumerate(items):
        after = items[position + 1] if position + 1 < len(items) else None
        if item.text in _QUOTES and after is not None and after.text == item.text:
            later = items[position + 2] if position + 2 < len(items) else None
            follows_word = bool(joined) and not item.starts and _is_word_or_value(joined[-1])
            precedes_word = later is not None and not later.starts and _is_word_or_value(later)
            if follows_word != precedes_word:
                after.starts = item.starts
                continue
        joined.append(item)
    return joined


def _is_word_or_value(item: Item) -> bool:
    return item.is_value or item.text[-1].isalnum()


def _join_units(items: list[Item]) -> list[Item]:
    """Join a value with the unit or the file extension after it."""
    joined: list[Item] = []
    for position, item in enumerate(items):
        last = joined[-1] if joined else None
        if (
            item.text == NUMBER
            and last is not None
            and (last.starts or len(joined) == 1 or not _is_word_or_value(joined[-2]))
            and not item.starts
            and last.text in _SIGNS
        ):
            joined[-1] = replace(item, starts=True)  # "<1 sec", "#12"
            continue
        if last is not None and last.is_value:
            is_unit = item.text.casefold() in words_of.UNITS
            if is_unit and item.text.casefold() in words_of.SHORT_UNITS and _is_abbreviated(items, position):
                items[position + 1].text = VALUE  # "62 min. later"
            if (is_unit and (last.text == NUMBER or len(item.text) >= CLEAR_UNIT)) or _CLEAR_UNIT.fullmatch(
                item.text
            ):
                continue
        joined.append(item)
    return _join_extensions(joined)


def _is_abbreviated(items: Sequence[Item], position: int) -> bool:
    """Return whether the dot after a unit ends no sentence, because the sentence goes on."""
    after = items[position + 1 : position + 3]
    return len(after) > 1 and after[0].text == "." and not after[0].starts and not after[1].text[0].isupper()


def _join_extensions(items: list[Item]) -> list[Item]:
    """Join a value with a file extension: `2026-06-02.csv`."""
    joined: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        joined.append(item)
        position += 1
        if item.is_value and position + 1 < len(items):
            dot, extension = items[position], items[position + 1]
            glued = dot.text == "." and not dot.starts and not extension.starts
            if glued and _EXTENSION.fullmatch(extension.text):
                item.text = VALUE
                position += 2
    return joined


def _mask_assignments(items: list[Item]) -> list[Item]:
    """Mask the value after `=`, unless the key names an error, such as `reason`."""
    masked: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        masked.append(item)
        position += 1
        if item.text != "=" or len(masked) < 2 or not (masked[-2].text[-1:].isalnum() or masked[-2].is_value):
            continue
        end = _find_value_end(items, position)
        value = items[position:end]
        key = masked[-2].text
        is_code = key.casefold() in words_of.CODE_WORDS and any(part.text == CODE for part in value)
        if is_code or (words_of.is_telling_key(key) and any(_names_error(part) for part in value)):
            masked += [Item(VALUE) if part.is_value else part for part in value if part.text not in '"‘’`']
        else:
            masked.append(Item(VALUE))
        position = end
    return masked


def _names_error(item: Item) -> bool:
    return item.text == CODE or item.text[0].isalpha()


def _find_value_end(items: Sequence[Item], start: int) -> int:
    """Return the end of the value that begins at `start`: the next space or delimiter, or the end of a quotation."""
    if start >= len(items):
        return start
    first = items[start]
    if first.starts and start + 1 < len(items) and items[start + 1].text == "=":
        return start
    if first.text in (DOUBLE_QUOTE, OPEN_QUOTE, BACKTICK):
        end = _find_closing_quote(items, start)
        if end is not None:
            return end + 1
    if first.text in ("{", "[", "(") and not first.starts:
        end = _find_bracket_end(items, start)
        return start if end is None or any(item.starts for item in items[start + 1 : end]) else end + 1
    end = start
    while end < len(items) and items[end].text not in _VALUE_ENDS and (end == start or not items[end].starts):
        end += 1
    if end < len(items) and items[end].text == "{" and not items[end].starts:
        closing = _find_bracket_end(items, end)
        if closing is not None and not any(item.starts for item in items[end : closing + 1]):
            return closing + 1
    return end


def _mask_quotations(items: list[Item]) -> list[Item]:
    """Mask quoted values; keep quoted sentences, states, codes and requests."""
    masked: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        is_opening = item.text in (DOUBLE_QUOTE, OPEN_QUOTE, BACKTICK)
        end = _find_closing_quote(items, position) if is_opening else None
        if end is None and item.text == CLOSE_QUOTE and (item.starts or position == 0):
            end = _find_closing_quote(items, position)
        if end is None:
            masked.append(item)
            position += 1
            continue
        inner = items[position + 1 : end]
        if inner and _is_content(inner):
            masked += inner
        else:
            masked.append(Item(VALUE, starts=item.starts))
        position = end + 1
    return masked


def _find_closing_quote(items: Sequence[Item], start: int) -> int | None:
    closing = _CLOSING_QUOTES[items[start].text]
    for position in range(start + 1, min(len(items), start + MAX_QUOTED)):
        if items[position].text in closing:
            return position
    return None


def _is_content(inner: Sequence[Item]) -> bool:
    """Return whether a quotation is a sentence, a state, a code or a request, and not a value."""
    texts = [item.text for item in inner]
    if texts[0] in words_of.METHODS or any(map(_is_code, texts)):
        return True
    words = [text for text in texts if text[0].isalpha()]
    weight = sum(map(words_of.count_words, words))
    plain = [
        word
        for word in words
        if not word[0].isupper() and "_" not in word and word not in words_of.NAME_PARTICLES
    ]
    values = sum(item.is_value for item in inner)
    if weight >= SENTENCE_WORDS and len(plain) * 2 >= len(words) and values * 2 <= len(words):
        return len(plain) >= 2 or words_of.is_unspaced(words[0])
    is_short = not values and len(plain) == len(words) and weight < SENTENCE_WORDS
    return is_short and any(map(words_of.is_state_word, words))


def _is_code(text: str) -> bool:
    return text == CODE or (words_of.is_code(text) and not words_of.is_capital_word(text))


def _mask_brackets(items: list[Item]) -> list[Item]:
    """Mask `[two words]` after a word, and brackets without content; join brackets of values with a value before."""
    masked: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        end = _find_bracket_end(items, position) if item.text in _PAIRS else None
        if end is None:
            masked.append(item)
            position += 1
            continue
        inner = items[position + 1 : end]
        only_values = all(part.is_value or part.text in _GLUE or part.text == "%" for part in inner)
        after_value = bool(masked) and masked[-1].is_value
        if only_values and after_value and (item.starts or item.text == "(") and item.text in "([（":
            position = end + 1
        elif only_values and _is_file_name(masked, items, end):
            masked[-1] = Item(VALUE, starts=masked[-1].starts)
            position = end + 3
        elif (item.text == "[" and _is_bracketed_list(masked, item, inner)) or (
            only_values and item.text in "([（"
        ):
            masked += [item, Item(VALUE), items[end]]
            position = end + 1
        else:
            masked.append(item)
            position += 1
    return masked


def _is_file_name(before: Sequence[Item], items: Sequence[Item], end: int) -> bool:
    """Return whether the bracket that closes at `end` is inside a file name: `photo (3).png`."""
    after = items[end + 1 : end + 3]
    return (
        bool(before)
        and before[-1].text[-1].isalnum()
        and [part.starts for part in after] == [False, False]
        and after[0].text == "."
        and after[1].text in words_of.FILE_EXTENSIONS
    )


def _is_bracketed_list(before: Sequence[Item], opening: Item, inner: Sequence[Item]) -> bool:
    follows_word = bool(before) and opening.starts and before[-1].text[-1].isalnum()
    has_spaces = any(item.starts for item in inner[1:])
    return follows_word and has_spaces and not any(i.text == CODE or words_of.is_code(i.text) for i in inner)


def _find_bracket_end(items: Sequence[Item], start: int) -> int | None:
    opening, closing = items[start].text, _PAIRS[items[start].text]
    depth = 0
    for position in range(start, min(len(items), start + MAX_QUOTED)):
        depth += (items[position].text == opening) - (items[position].text == closing)
        if depth == 0:
            return position
    return None


def _join_lists(items: list[Item]) -> list[Item]:
    """Join values with the signs and joiners between them: `a:1-2`, `1, 2 and 3`."""
    joined: list[Item] = []
    position = 0
    while position < len(items):
        item = items[position]
        if item.is_value and joined and joined[-1].is_value:
            position += 1
            continue
        is_glued = len(joined) > 1 and item.is_value and not item.starts and not joined[-1].starts
        if is_glued and joined[-1].text in _COMPOUND_SIGNS and joined[-2].text[-1].isalnum():
            joined[-2:] = [replace(item, starts=joined[-2].starts)]  # "Package~31bf38~amd64"
            position += 1
            continue
        if joined and joined[-1].is_value:
            length = _count_joiners(items, position)
            if length:
                position += length
                continue
        joined.append(item)
        position += 1
    return joined


def _count_joiners(items: Sequence[Item], position: int) -> int:
    """Return how many tokens at `position` join two values; 0 if they do not."""
    for length in (1, 2, 3):
        end = position + length
        if end >= len(items):
            return 0
        if items[end].is_value:
            between = items[position:end]
            glued = not any(item.starts for item in items[position : end + 1])
            if glued and all(item.text in _GLUE for item in between):
                return length
            if all(item.text.casefold() in words_of.JOINERS for item in between):
                return length
            return 0
    return 0


_QUOTES = frozenset((DOUBLE_QUOTE, OPEN_QUOTE, CLOSE_QUOTE, BACKTICK))
# Each step with the tokens of which it needs one; most messages need few steps.
_STEPS: tuple[tuple[Callable[[list[Item]], list[Item]], frozenset[str]], ...] = (
    (_join_quotes, _QUOTES),
    (mark_codes, frozenset((NUMBER, VALUE))),
    (_join_units, VALUES),
    (join_dates, words_of.DATE_WORDS | {TIME}),
    (_mask_assignments, frozenset("=")),
    (_mask_quotations, _QUOTES),
    (_mask_brackets, frozenset(_PAIRS)),
    (_join_lists, VALUES | _QUOTES | frozenset(_PAIRS) | frozenset("=")),
)
