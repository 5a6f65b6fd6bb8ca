"""JSON lines on the fast road: plain lines by DuckDB, every other line by hand.

A line is plain when both readers must read it alike: one flat object in UTF-8, every name known and given
once, values that are text without escapes, whole numbers, short decimals, true, false or null. Whatever is
not plain, or would be refused, is set aside with its text and number for the careful road.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.readers.rows import BulkTable
from ingest.store.merge import STAGED

_TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
# Written as Python would write them again; others go by hand.
_NUMBER = r"(?:0|-?[1-9][0-9]{0,17}|-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,3}[1-9])"
_VALUE = rf"(?:{_TEXT}|{_NUMBER}|true|false|null)"
_PAIR = rf"{_TEXT}: ?{_VALUE}"
PLAIN = rf"\{{(?:{_PAIR}(?:, ?{_PAIR})*)?\}}"
_PLAIN = re.compile(PLAIN)
_NEVER = "\x01"  # a delimiter that no JSON line may hold
_FORBIDDEN = (b"\r", b"\x00", _NEVER.encode())
_MOSTLY = 0.5
_CHUNK = 20_000


def lines_table(path: Path, encoding: str, header: list[str], sample: Sequence[str]) -> BulkTable | None:
    """Describe a file of JSON lines as a table, or None where most lines of the `sample` are not plain.

    The columns are those of `header`; `line` is the text of a row, and `plain` whether it may be read so.
    """
    plain = sum(_PLAIN.fullmatch(line) is not None for line in sample)
    known = bool(header) and all(map(is_plain_name, header))
    if encoding != "utf-8" or not known or plain < _MOSTLY * len(sample) or _holds_odd_bytes(path):
        return None
    cells = ", ".join(f"s[{_text(name)}] AS c{n}" for n, name in enumerate(header))
    structure = "{" + ", ".join(f'"{name}": "VARCHAR"' for name in header) + "}"
    present = " + ".join(f"(c{n} IS NOT NULL)::INTEGER" for n in range(len(header)))
    nulls = _occurrences("line", '":null') + " + " + _occurrences("line", '": null')
    nulls = f"CASE WHEN contains(line, 'null') THEN {nulls} ELSE 0 END"  # looking is cheaper than counting
    names = _occurrences("line", '":')
    # Most lines name every column once in one order, and then nothing needs to be counted.
    counted = f"CASE WHEN usual THEN true WHEN fits THEN {names} = {present} + {nulls} ELSE false END"
    relation = (
        f"(SELECT * EXCLUDE (usual, fits), {counted} AS plain FROM ("
        f"SELECT line, usual, fits, {cells} FROM ("
        "SELECT line, usual, fits, CASE WHEN fits THEN json_transform(line, $structure) END AS s FROM ("
        "SELECT line, usual, CASE WHEN usual THEN true ELSE regexp_full_match(line, $pattern) END AS fits FROM ("
        "SELECT line, regexp_full_match(line, $usual) AS usual "
        "FROM read_csv($path, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, "
        f"delim = '{_NEVER}', quote = '', escape = '') WHERE starts_with(line, '{{') OR trim(line) <> '')))))"
    )
    parameters = {"path": str(path), "pattern": PLAIN, "usual": _usual(header), "structure": structure}
    return BulkTable(relation, header, parameters, by_line=True)


def pop_set_aside_lines(store: DuckDBPyConnection) -> Iterator[list[tuple[int, str]]]:
    """Take the lines that were not plain out of the staged rows, and give them in order, by number."""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE odd_line AS SELECT rowid + 1 AS number, raw FROM {STAGED} "
        "WHERE len(reasons) > 0"
    )
    store.execute(f"DELETE FROM {STAGED} WHERE len(reasons) > 0")
    last = 0
    while found := store.execute(
        "SELECT number, raw FROM odd_line WHERE number > $last ORDER BY number LIMIT $most",
        {"last": last, "most": _CHUNK},
    ).fetchall():
        yield found
        last = found[-1][0]
    store.execute("DROP TABLE odd_line")


def _holds_odd_bytes(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(sign) >= 0 for sign in _FORBIDDEN)


def is_plain_name(name: str) -> bool:
    """Whether a name may stand in a plain line as it is."""
    return re.fullmatch(_TEXT, f'"{name}"') is not None


def _usual(header: Sequence[str]) -> str:
    pairs = ", ?".join(rf'"{re.escape(name)}": ?{_VALUE}' for name in header)
    return rf"\{{{pairs}\}}"


def _occurrences(text: str, sign: str) -> str:
    return f"(strlen({text}) - strlen(replace({text}, '{sign}', ''))) // {len(sign)}"


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
