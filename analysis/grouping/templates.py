"""Build message templates from content alone; the order of the messages has no effect.

Three comparisons widen templates, in rounds until nothing changes:

* Messages that agree in all but words that look like names (`skeletons`). A position becomes variable if another
  message has a value there, or if it holds enough names.
* Messages that agree in all words but one. That position becomes variable if the different words are many, or are
  announced as names, or are known as values from other messages.
* A template with values and one with a few other words in their place (`analysis.grouping.fillers`).

A state or a code is replaced only if more than 16 differ there, or most of the alternatives are names. Comparing
words by position is the idea of IPLoM (Makanju et al., 2009) and
Drain (He et al., 2017). Both depend on the order of the messages, so they are not used here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

from analysis.grouping.fillers import absorb_values, find_values
from analysis.grouping.items import VARIABLE, Words
from analysis.grouping.shapes import collapse_variables
from analysis.grouping.tokens import NUMBER
from analysis.grouping.vocabulary import (
    JOINERS,
    NAME_PARTICLES,
    PREPOSITIONS,
    ROLES,
    are_opposites,
    count_words,
    has_name_form,
    is_capital_word,
    is_clause,
    is_code,
    is_name,
    is_state_word,
)

MAX_ROUNDS = 8
NAMES_NEEDED = 4  # with this many different words, a position holds names
NAMES_NEEDED_FIRST = 12  # the first word of a message is rarely a name
NAMES_NEEDED_AFTER_PREPOSITION = 3
NAMES_NEEDED_ANNOUNCED = 2  # after `user`, `for`, `package` and the like, or if all words look like names
CONTEXTS_NEEDED = 3  # a word at the place of values in this many templates,
VALUE_SHARE = 0.3  # and in this share of its templates, is a value
CONSTANT_WORDS_NEEDED = 2
CONSTANT_WORDS_NEEDED_ONCE = 5  # beside a word that occurs only once, where another message has a value
CONSTANT_WORDS_NEEDED_FIRST = 4  # beside the first word of a sentence, whose capital shows nothing
MAX_NAME_WORDS = 6  # with the dots of titles
MAX_TITLE = 4  # characters: "Dr. Silva"
MAX_CODES = 16  # a position that holds more different codes holds numbers
BRACKETS = {"[": "]", "<": ">", "{": "}"}
_SENTENCE_ENDS = frozenset(".!?。！？")
_DIGIT = re.compile(r"\d")
_MODULUS = 2**61 - 1
_BASE = 1_000_003

_Context = tuple[int, int, int]  # hash of the other words, position, length
_Span = tuple[int, int]


def build_templates(messages: Iterable[Words]) -> dict[Words, Words]:
    """Map each message, split into words, to its template; names in a template are `<*>`."""
    templates = {words: words for words in messages}
    values = find_values(set(templates))
    steps = (_widen_names, _absorb_names, _generalize, partial(absorb_values, values=values))
    for _ in range(MAX_ROUNDS):
        before = set(templates.values())
        after = {words: words for words in before}
        for widen in steps:
            widened = widen(set(after.values()))
            after = {words: widened[template] for words, template in after.items()}
        if all(words == template for words, template in after.items()):
            break
        templates = {words: after[template] for words, template in templates.items()}
    return templates


def can_hold_name(word: str) -> bool:
    """Return whether the position of this word can hold a name: it is a word or variable, not punctuation."""
    return word == VARIABLE or word[0].isalpha() or word[0] == "_"


def _widen_names(templates: set[Words]) -> dict[Words, Words]:
    """Replace names where another template with the same other words has a value."""
    by_skeleton: dict[Words, list[tuple[Words, list[_Span]]]] = defaultdict(list)
    for words in templates:
        spans = list(_find_name_spans(words))
        if spans:
            by_skeleton[_build_skeleton(words, spans)].append((words, spans))
    widened = {words: words for words in templates}
    for skeleton, members in by_skeleton.items():
        constant_words = _count_constant_words(skeleton)
        if len(members) > 1 and constant_words:
            _widen_members(members, widened, is_short=constant_words < CONSTANT_WORDS_NEEDED)
    return widened


def _widen_members(
    members: list[tuple[Words, list[_Span]]], widened: dict[Words, Words], *, is_short: bool
) -> None:
    # Members differ only in their spans; the smallest is taken, so that the result has one order.
    words, spans = min(members)
    variable = []
    for slot, (start, _) in enumerate(spans):
        contents = {words[slice(*spans[slot])] for words, spans in members}
        is_clear = not is_short or ((VARIABLE,) in contents and all(map(_is_clear_name, contents)))
        variable.append(len(contents) > 1 and is_clear and _is_variable(contents, words, start))
    for words, spans in members:
        wide = [span for span, is_variable in zip(spans, variable, strict=True) if is_variable]
        widened[words] = _mask_spans(words, wide)


def _absorb_names(templates: set[Words]) -> dict[Words, Words]:
    """Map each template to a wider one that has a value in place of one to four of its names."""
    return {words: min(_find_wider(words, templates), default=words) for words in templates}


def _find_wider(words: Words, templates: set[Words]) -> Iterator[Words]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + MAX_NAME_WORDS, len(words)) + 1):
            is_comma = words[end - 1] == "," and start < end - 1  # "van den Berg, Anna"
            if not is_comma and not _is_name_at(words, end - 1, start):
                break
            if is_comma:
                continue
            span = words[start:end]
            wider = _mask_spans(words, [(start, end)])
            if span != (VARIABLE,) and wider in templates and wider != words:
                constant_words = _count_constant_words(wider)
                if constant_words >= _constant_words_needed(words, start, span):
                    yield wider
    brackets = [
        (start, start + 3)
        for start in range(len(words) - 2)
        if words[start + 1] == VARIABLE and BRACKETS.get(words[start]) == words[start + 2]
    ]
    for bracket in brackets:
        wider = _mask_spans(words, [bracket])
        if wider in templates and _count_constant_words(wider):
            yield wider
    spans = brackets + [
        (start, end)
        for start, end in _find_name_spans(words)
        if not _has_digits(words[start])
        and not any(start < closing and opening < end for opening, closing in brackets)
    ]
    wider = _mask_spans(words, spans)
    is_wider = len(spans) > 1 and wider in templates and wider != words
    if is_wider and _count_constant_words(wider) >= CONSTANT_WORDS_NEEDED:
        yield wider


def _constant_words_needed(words: Words, start: int, span: Words) -> int:
    """Return how many other words must agree, so that the words at `start` are a name."""
    if _begins_sentence(words, start) and _is_plain(span):
        return CONSTANT_WORDS_NEEDED_FIRST
    return 1 if _is_clear_name(span) else CONSTANT_WORDS_NEEDED


def _is_clear_name(span: Words) -> bool:
    """Return whether these words are a name whatever surrounds them."""
    return len(span) > 1 or span[0] == VARIABLE or has_name_form(span[0])


def _is_variable(contents: set[Words], words: Words, position: int) -> bool:
    """Return whether the contents of a slot show that it is variable."""
    if _has_digits(words[position]):
        return len(contents) > MAX_CODES
    names = {" ".join(content) for content in contents}
    return (VARIABLE,) in contents or len(contents) >= _names_needed(names, words, position)


def _find_name_spans(words: Words) -> Iterator[_Span]:
    """Find the runs of names and values, and the codes that are numbers."""
    position = 0
    while position < len(words):
        if _has_digits(words[position]):
            yield position, position + 1
            position += 1
            continue
        end = position
        while end < len(words) and _is_name_at(words, end, position):
            end += 1
        is_plain_start = _begins_sentence(words, position) and _is_plain(words[position:end])
        if 0 < end - position <= MAX_NAME_WORDS and not is_plain_start:
            yield position, end
        position = max(end, position + 1)


def _begins_sentence(words: Words, position: int) -> bool:
    return position == 0 or words[position - 1] in _SENTENCE_ENDS


def _is_plain(span: Words) -> bool:
    """Return whether these words may be an ordinary word with the capital of a sentence's beginning."""
    return len(span) == 1 and span[0] != VARIABLE and not has_name_form(span[0])


def _is_name_at(words: Words, position: int, start: int) -> bool:
    word = words[position]
    if word == VARIABLE:
        return True
    if _has_digits(word):
        return False
    after = words[position + 1] if position + 1 < len(words) else ""
    if word in NAME_PARTICLES:
        return after in NAME_PARTICLES or (after[:1].isupper() and is_name(after))
    if word == "." and position > start and after:
        title = words[position - 1]
        return len(title) <= MAX_TITLE and title.isalpha() and _is_name_at(words, position + 1, start)
    if len(word) <= MAX_TITLE and words[position + 1 : position + 2] == (".",) and position + 2 < len(words):
        return word.isalpha() and _is_name_at(words, position + 2, start)  # "Dr. med. Silva"
    return can_hold_name(word) and is_name(word)


def _mask_spans(words: Words, spans: Iterable[_Span]) -> Words:
    masked = list(words)
    for start, end in sorted(spans, reverse=True):
        masked[start:end] = [VARIABLE]
    return _join_lists(masked)


def _join_lists(words: list[str]) -> Words:
    """Reduce variables with a joiner between them, or one in brackets, to one: `<*> , <*>` and `<*> ( <*> )`."""
    joined: list[str] = []
    for word in words:
        if word == VARIABLE:
            while len(joined) > 1 and joined[-1].casefold() in JOINERS and joined[-2] == VARIABLE:
                joined.pop()
        if word == ")" and joined[-3:] == [VARIABLE, "(", VARIABLE]:
            del joined[-2:]
        else:
            joined.append(word)
    return collapse_variables(joined)


def _build_skeleton(words: Words, spans: Iterable[_Span]) -> Words:
    skeleton = list(words)
    for start, end in sorted(spans, reverse=True):
        skeleton[start:end] = [NUMBER if _has_digits(words[start]) else VARIABLE]
    return tuple(skeleton)


def _count_constant_words(words: Words) -> int:
    return sum(count_words(word) for word in words)


def _generalize(templates: set[Words]) -> dict[Words, Words]:
    """Replace single words that differ between templates with the same other words."""
    alternatives: dict[_Context, set[str]] = defaultdict(set)
    contexts = {
        words: list(_hash_contexts(words, ids)) for ids in [_number_words(templates)] for words in templates
    }
    for words, places in contexts.items():
        for context in places:
            alternatives[context].add(words[context[1]])
    varied = {context: words for context, words in alternatives.items() if len(words) > 1}
    values = _find_value_words(templates, varied)
    return {words: _mask_names(words, places, varied, values) for words, places in contexts.items()}


def _number_words(templates: set[Words]) -> dict[str, int]:
    return {
        word: number for number, word in enumerate(sorted({word for words in templates for word in words}), 1)
    }


def _hash_contexts(words: Words, numbers: dict[str, int]) -> Iterator[_Context]:
    """Yield a hash of all words but one, for each word that can be a name."""
    powers = [1]
    for _ in words:
        powers.append(powers[-1] * _BASE % _MODULUS)
    total = sum(numbers[word] * power for word, power in zip(words, powers, strict=False)) % _MODULUS
    for position, word in enumerate(words):
        if can_hold_name(word) or _has_digits(word):
            yield (total - numbers[word] * powers[position]) % _MODULUS, position, len(words)


def _find_value_words(templates: set[Words], varied: dict[_Context, set[str]]) -> dict[str, int]:
    """Map each word that is where other messages have values to the constant words that it needs beside it."""
    beside_values: Counter[str] = Counter()
    for alternatives in varied.values():
        if VARIABLE in alternatives:
            beside_values.update(alternatives)
    occurrences: Counter[str] = Counter()
    for words in templates:
        occurrences.update(word for word in words if word in beside_values)
    needed = {}
    for word, count in beside_values.items():
        if word == VARIABLE or is_state_word(word) or is_code(word):
            continue
        if count >= max(CONTEXTS_NEEDED, VALUE_SHARE * occurrences[word]):
            needed[word] = CONSTANT_WORDS_NEEDED
        elif count >= occurrences[word]:
            needed[word] = CONSTANT_WORDS_NEEDED_ONCE
    return needed


def _mask_names(
    words: Words, places: Iterable[_Context], varied: dict[_Context, set[str]], values: dict[str, int]
) -> Words:
    masked = list(words)
    for context in places:
        position = context[1]
        alternatives = varied.get(context)
        if alternatives is None or words[position] == VARIABLE:
            continue
        constant_words = _count_constant_words(words) - count_words(words[position])
        needed = values.get(words[position])
        is_value = needed is not None and VARIABLE in alternatives and constant_words >= needed
        if constant_words >= CONSTANT_WORDS_NEEDED and (
            is_value or _are_names(alternatives, words, position)
        ):
            masked[position] = VARIABLE
    return _join_lists(masked)


def _are_names(alternatives: set[str], words: Words, position: int) -> bool:
    if _has_digits(words[position]):
        return sum(map(_has_digits, alternatives)) > MAX_CODES
    if _keeps_apart(words[position]) or are_opposites(alternatives):
        return False
    states = sum(is_state_word(word) or _keeps_apart(word) for word in alternatives)
    enough = len(alternatives) >= _names_needed(alternatives, words, position)
    return enough and states * 4 <= len(alternatives)


def _keeps_apart(word: str) -> bool:
    return (is_code(word) and not is_capital_word(word)) or is_clause(word)


def _has_digits(word: str) -> bool:
    return _DIGIT.search(word) is not None


def _names_needed(alternatives: set[str], words: Words, position: int) -> int:
    word_before = next((word.lower() for word in reversed(words[:position]) if word[0].isalpha()), None)
    have_form = all(map(has_name_form, alternatives))
    if word_before is None:
        return NAMES_NEEDED if have_form else NAMES_NEEDED_FIRST
    if have_form or word_before in ROLES - PREPOSITIONS:
        return NAMES_NEEDED_ANNOUNCED
    if word_before in PREPOSITIONS:
        return NAMES_NEEDED_AFTER_PREPOSITION
    return NAMES_NEEDED - (VARIABLE in alternatives)  # a variable position needs one name less
