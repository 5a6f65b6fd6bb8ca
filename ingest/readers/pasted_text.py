"""Read pasted messages, and text that was recognized in screenshots of an Errors tab.

Entries are separated by blank lines or by lines of buttons; without them, each line is one message. When a text is
ambiguous, lines stay together: half a sentence has no cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ingest.readers.levels import shows_error
from ingest.readers.prose_words import (
    is_button_line,
    is_head_line,
    is_record_number,
    is_time_only,
    split_columns,
)
from ingest.readers.rows import RawRow, RowSource, replace_surrogates

_SENTENCE_END = re.compile(r"[.!?。！？;:)\]»”\"']\s*$")
_OPEN_END = re.compile(
    r"(?:[,\-–(\[]|\b(?:a|an|the|of|on|for|to|in|is|are|be|been|by|at|as|this|that|your|and|or|not|with|from|has|been|der|die|das|des|dem|den|auf|für|"
    r"von|ist|und|nicht|le|la|les|de|du|des|pour|sur|est|el|los|para|en|no|il|per|di|non|o|os|em|que))\s*$",
    re.IGNORECASE,
)
_WRAPPED_FROM = 20
"""Characters from which a line may be broken."""
_MOST_LABEL_WORDS = 4

Numbered = tuple[int, str]


def read_pasted_text(lines: Iterable[str], name: str) -> RowSource:
    """Read each entry of a text as one message."""
    numbered = [
        (number, replace_surrogates(line.rstrip("\r\n"))) for number, line in enumerate(lines, start=1)
    ]
    blocks = _split_blocks(numbered)
    notes: list[str] = []
    if any(_is_of_errors_tab(line) for _, line in numbered):
        rows = _read_entries(blocks, notes)
    else:
        rows = [
            RawRow(number, {"message": text})
            for block in blocks
            for number, text in join_wrapped_lines(block)
        ]
        notes.append("the text has no table and no log: each line is read as the message of one error")
    refusal = None
    if 2 * sum(shows_error(row.cells["message"] or "") for row in rows) < len(rows):
        refusal = "most of its lines do not look like error messages"
    header = list(dict.fromkeys(["message", *(column for row in rows for column in row.cells)]))
    return RowSource(name, header, iter(rows), notes=notes, refusal=refusal)


def _is_of_errors_tab(line: str) -> bool:
    columns = split_columns(line)
    is_label = len(columns) == 2 and "   " in line.strip() and _is_label(columns)
    return is_button_line(line) or is_record_number(line) or is_head_line(line) or is_label


def _split_blocks(lines: Sequence[Numbered]) -> list[list[Numbered]]:
    """Return the groups of lines between blank lines and lines of buttons."""
    blocks: list[list[Numbered]] = [[]]
    for number, line in lines:
        if not line.strip() or is_button_line(line):
            blocks.append([])
        else:
            blocks[-1].append((number, line))
    return [block for block in blocks if block]


def _read_entries(blocks: Iterable[Sequence[Numbered]], notes: list[str]) -> list[RawRow]:
    rows, others = [], 0
    for block in blocks:
        cells = read_entry([line for _, line in block])
        if cells.get("message"):
            rows.append(RawRow(block[0][0], cells))
        else:
            others += 1
    notes.append("the text has no table and no log: each paragraph is read as the message of one error")
    if others:
        notes.append(f"paragraphs without a message, skipped: {others}")
    return rows


def read_entry(lines: Sequence[str]) -> dict[str, str | None]:
    """Return the cells of one entry: its message, and the object and the record above it."""
    cells: dict[str, str | None] = {}
    texts: list[str] = []
    for line in lines:
        columns = split_columns(line)
        if is_head_line(line) or is_time_only(line):
            continue
        if is_record_number(line):
            cells.setdefault("record_id", line.strip())
        elif not texts and len(columns) > 1 and _is_label(columns):
            cells.setdefault("object", columns[0])
        else:
            texts.append(" ".join(line.split()))
    cells["message"] = join_lines(texts)
    return cells


def _is_label(columns: Sequence[str]) -> bool:
    # The head of an entry: the object on the left, the name of the record on the right.
    return len(columns[0].split()) <= _MOST_LABEL_WORDS and not shows_error(" ".join(columns))


def join_lines(lines: Sequence[str]) -> str:
    """Return broken lines as one text; a word that was divided by a hyphen is joined."""
    text = ""
    for line in lines:
        if re.search(r"[a-zäöüß]-$", text) and line[:1].islower():
            text = text[:-1] + line
        else:
            text = f"{text} {line}".strip()
    return text


def join_wrapped_lines(lines: Sequence[Numbered]) -> list[Numbered]:
    """Join lines that continue the sentence above; each result has the number of its first line."""
    texts = [(number, line.strip()) for number, line in lines if line.strip()]
    small = sum(text[0].islower() for _, text in texts)
    may_continue = 2 * small <= len(texts)
    joined: list[Numbered] = []
    for number, text in texts:
        above = joined[-1][1] if joined else ""
        if above and len(above) >= _WRAPPED_FROM and _continues(text, above, may_continue):
            joined[-1] = (joined[-1][0], join_lines([above, text]))
        else:
            joined.append((number, text))
    return joined


def _continues(text: str, above: str, may_continue: bool) -> bool:
    if _OPEN_END.search(above):
        return True
    if not may_continue or _SENTENCE_END.search(above) or not (text[0].islower() or text[0] in "([{"):
        return False
    return not (shows_error(text) and shows_error(above))  # two messages, each complete
