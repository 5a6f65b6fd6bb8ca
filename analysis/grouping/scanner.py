"""Scan messages once: split them into words, each variable part as `<*>`.

Messages that differ only in digits are scanned once. A message is cut at its spaces; each part is split into tokens
(`analysis.grouping.tokens`) and remembered. Messages whose parts have the same tokens share a shape, and the steps
over whole messages (`analysis.grouping.shapes`) run once per shape. Codes are content: their digits are read from
each message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.grouping.items import VARIABLE, CodeKind, Words
from analysis.grouping.json_bodies import combine_json, split_json
from analysis.grouping.number_codes import read_code
from analysis.grouping.shapes import Shape, build_shape, collapse_variables
from analysis.grouping.tokens import depends_on_digits, simplify_value, split_texts, split_tokens

MAX_CHARACTERS = 2000
MAX_REMEMBERED = 200_000  # texts, parts of texts, and shapes
_ANY_DIGIT = str.maketrans("123456789", "000000000")
_ANY_DIGIT_BYTE = bytes.maketrans(b"123456789", b"000000000")
_SEPARATOR = "\x1e"


@dataclass(frozen=True, slots=True)
class _Code:
    """A code: its position in the words, and its place in the text."""

    position: int
    start: int
    end: int
    kind: CodeKind


_Scan = tuple[Words, tuple[_Code, ...]]


def scan_messages(messages: Iterable[str]) -> dict[str, Words]:
    """Map each distinct message to its words."""
    distinct = list(dict.fromkeys(messages))
    texts = [message[:MAX_CHARACTERS] for message in distinct]
    scanner = Scanner()
    return {
        message: scanner.scan(text, without_digits)
        for message, text, without_digits in zip(distinct, texts, _replace_digits(texts), strict=True)
    }


class Scanner:
    """The memory of one pass over messages."""

    def __init__(self) -> None:
        self._scans: dict[str, _Scan] = {}  # by text without digits
        self._chunks = _Chunks()
        self._shapes: dict[tuple[int, ...], Shape] = {}

    def scan(self, text: str, without_digits: str | None = None) -> Words:
        """Return the words of a text. `without_digits` is the text with each digit replaced by 0."""
        if "{" in text:
            body = split_json(text)
            if body is not None:
                before, pairs, after = body
                return combine_json(self.scan(before), pairs, self.scan(after), self.scan)
        key = text.translate(_ANY_DIGIT) if without_digits is None else without_digits
        scan = self._scans.get(key)
        if scan is None:
            scan = self._scan_chunks(text, key)
        words, codes = scan
        if not codes:
            return words
        filled = list(words)
        for code in codes:
            filled[code.position] = read_code(text[code.start : code.end], code.kind)
        return collapse_variables(filled) if VARIABLE in filled else tuple(filled)

    def _scan_chunks(self, text: str, key: str) -> _Scan:
        if len(self._scans) > MAX_REMEMBERED:
            self._scans.clear()
        if len(self._chunks) > MAX_REMEMBERED or len(self._shapes) > MAX_REMEMBERED:
            self._chunks = _Chunks()
            self._shapes.clear()
        numbers = self._chunks.number(text, key)
        shape = self._shapes.get(numbers)
        if shape is None:
            shape = self._shapes[numbers] = build_shape([self._chunks.tokens[number] for number in numbers])
        scan = shape.words, _locate_codes(text, text.split(), shape) if shape.slots else ()
        if self._chunks.fixed.isdisjoint(numbers):
            self._scans[key] = scan
        return scan


class _Chunks:
    """The tokens of chunks, by number; chunks with the same tokens have the same number.

    The tokens of chunks in `fixed` depend on their digits. Other chunks are remembered without their digits.
    """

    def __init__(self) -> None:
        self.tokens: list[Words] = []
        self.fixed: set[int] = set()
        self._by_key: dict[str, int | None] = {}  # None: depends on the digits
        self._by_text: dict[str, int] = {}
        self._by_tokens: dict[tuple[Words, bool], int] = {}

    def __len__(self) -> int:
        return len(self._by_key) + len(self._by_text)

    def number(self, text: str, key: str) -> tuple[int, ...]:
        """Return the number of each chunk of a text. `key` is the text without digits."""
        keys = key.split()
        numbers = list(map(self._by_key.get, keys))
        if None not in numbers:
            return tuple(numbers)  # type: ignore[arg-type]
        return tuple(
            self._find(chunk, chunk_key) if number is None else number
            for number, chunk, chunk_key in zip(numbers, text.split(), keys, strict=True)
        )

    def _find(self, chunk: str, key: str) -> int:
        if key in self._by_key:
            number = self._by_key[key]
            return self._find_fixed(chunk) if number is None else number
        simple = simplify_value(key)
        if simple is None and depends_on_digits(chunk):
            self._by_key[key] = None
            return self._find_fixed(chunk)
        number = self._by_key.get(simple) if simple is not None else None
        if number is None:
            number = self._add(split_texts(chunk), is_fixed=False)
            if simple is not None:
                self._by_key[simple] = number
        self._by_key[key] = number
        return number

    def _find_fixed(self, chunk: str) -> int:
        number = self._by_text.get(chunk)
        if number is None:
            number = self._by_text[chunk] = self._add(split_texts(chunk), is_fixed=True)
        return number

    def _add(self, tokens: Words, *, is_fixed: bool) -> int:
        number = self._by_tokens.setdefault((tokens, is_fixed), len(self.tokens))
        if number == len(self.tokens):
            self.tokens.append(tokens)
            if is_fixed:
                self.fixed.add(number)
        return number


def _locate_codes(text: str, chunks: list[str], shape: Shape) -> tuple[_Code, ...]:
    codes = []
    starts = []
    end = 0
    for chunk in chunks:
        starts.append(text.index(chunk, end))
        end = starts[-1] + len(chunk)
    for slot in shape.slots:
        _, start, end = split_tokens(chunks[slot.chunk])[slot.token]
        codes.append(_Code(slot.position, starts[slot.chunk] + start, starts[slot.chunk] + end, slot.kind))
    return tuple(codes)


def _replace_digits(texts: list[str]) -> list[str]:
    # One call on all bytes is ten times faster than one call per text.
    joined = _SEPARATOR.join(texts).encode("utf-8", "surrogatepass").translate(_ANY_DIGIT_BYTE)
    replaced = joined.decode("utf-8", "surrogatepass").split(_SEPARATOR)
    return replaced if len(replaced) == len(texts) else [text.translate(_ANY_DIGIT) for text in texts]
