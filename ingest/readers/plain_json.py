"""Describe a file of JSON lines as a table that DuckDB can read.

A line is plain if DuckDB and Python must read it alike: one flat object in UTF-8, every name in the header
and present once, and values that are text without escapes, whole numbers, short decimals, true, false or
null. All other lines, and those with a problem, are set aside and read with Python.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path

from ingest.readers.rows import BulkTable

_TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
# Only numbers that Python would write in the same way.
_NUMBER = r"(?:0|-?[1-9][0-9]{0,17}|-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,3}[1-9])"
_VALUE = rf"(?:{_TEXT}|{_NUMBER}|true|false|null)"
_PAIR = rf"{_TEXT}: ?{_VALUE}"
_PLAIN_PATTERN = rf"\{{(?:{_PAIR}(?:, ?{_PAIR})*)?\}}"
_PLAIN = re.compile(_PLAIN_PATTERN)
_DELIMITER = "\x01"  # no JSON line may contain it, so that each line is one cell
_FORBIDDEN = (b"\r", b"\x00", _DELIMITER.encode())
_MIN_PLAIN_SHARE = 0.5


def plain_lines_table(
    path: Path, encoding: str, header: list[str], sample: Sequence[str]
) -> BulkTable | None:
    """Return the table of a file of JSON lines, or None if most lines of the `sample` are not plain.

    The columns are those of `header`. `line` is the text of a row, and `plain` whether DuckDB may read it.
    """
    plain_count = sum(_PLAIN.fullmatch(line) is not None for line in sample)
    if (
        encoding != "utf-8"
        or not header
        or not all(map(is_plain_name, header))
        or plain_count < _MIN_PLAIN_SHARE * len(sample)
        or _has_forbidden_bytes(path)
    ):
        return None
    cells = ", ".join(f"s[{_quoted(name)}] AS c{n}" for n, name in enumerate(header))
    structure = "{" + ", ".join(f'"{name}": "VARCHAR"' for name in header) + "}"
    present = " + ".join(f"(c{n} IS NOT NULL)::INTEGER" for n in range(len(header)))
    nulls = _occurrences("line", '":null') + " + " + _occurrences("line", '": null')
    nulls = f"CASE WHEN contains(line, 'null') THEN {nulls} ELSE 0 END"  # a search is cheaper than a count
    names = _occurrences("line", '":')
    # Most lines have every column once in one order, and then no names need to be counted.
    counted = f"CASE WHEN usual THEN true WHEN fits THEN {names} = {present} + {nulls} ELSE false END"
    relation = (
        f"(SELECT * EXCLUDE (usual, fits), {counted} AS plain FROM ("
        f"SELECT line, usual, fits, {cells} FROM ("
        "SELECT line, usual, fits, CASE WHEN fits THEN json_transform(line, $structure) END AS s FROM ("
        "SELECT line, usual, CASE WHEN usual THEN true ELSE regexp_full_match(line, $pattern) END AS fits FROM ("
        "SELECT line, regexp_full_match(line, $usual) AS usual "
        "FROM read_csv($path, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, "
        f"delim = '{_DELIMITER}', quote = '', escape = '') WHERE starts_with(line, '{{') OR trim(line) <> '')))))"
    )
    parameters = {
        "path": str(path),
        "pattern": _PLAIN_PATTERN,
        "usual": _usual_line(header),
        "structure": structure,
    }
    return BulkTable(relation, header, parameters, by_line=True)


def is_plain_name(name: str) -> bool:
    """Return whether a column name needs no escapes in JSON."""
    return re.fullmatch(_TEXT, f'"{name}"') is not None


def _has_forbidden_bytes(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(byte) >= 0 for byte in _FORBIDDEN)


def _usual_line(header: Sequence[str]) -> str:
    pairs = ", ?".join(rf'"{re.escape(name)}": ?{_VALUE}' for name in header)
    return rf"\{{{pairs}\}}"


def _occurrences(text: str, part: str) -> str:
    return f"(strlen({text}) - strlen(replace({text}, '{part}', ''))) // {len(part)}"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
