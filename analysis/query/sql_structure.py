"""Find what a query reads, with DuckDB's own parser.

A comma join, a quoted name, a comment inside a string or a nested WITH are read exactly as DuckDB reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb

_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\W\d]\w*)')


@dataclass(frozen=True, slots=True)
class SqlStructure:
    """The relations and columns that a query reads, in lower case.

    `relations` are the tables and views without a schema that the query does not define itself; `defined` are
    the names in its outermost WITH. `columns` is None if the query may read any column of `sync`.
    """

    relations: frozenset[str]
    defined: frozenset[str]
    columns: frozenset[str] | None


@dataclass(slots=True)
class _Reader:
    relations: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    reads_every_column: bool = False

    def read(self, node: object, scope: frozenset[str]) -> None:
        """Read a part of the syntax tree; `scope` has the names that an enclosing WITH defines."""
        if isinstance(node, list):
            for item in node:
                self.read(item, scope)
        if not isinstance(node, dict):
            return
        scope = self._read_common_tables(node, scope)
        self._read_names(node, scope)
        for key, value in node.items():
            if key != "cte_map":
                self.read(value, scope)

    def _read_common_tables(self, node: Mapping[str, Any], scope: frozenset[str]) -> frozenset[str]:
        for entry in node.get("cte_map", {}).get("map", ()):
            name = entry["key"].lower()
            is_recursive = entry["value"]["query_node"]["type"] == "RECURSIVE_CTE_NODE"
            self.read(entry["value"], scope | {name} if is_recursive else scope)
            scope |= {name}
        return scope

    def _read_names(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        match node:
            case {"type": "BASE_TABLE"}:
                if name := _unqualified_name(node, scope):
                    self.relations.add(name)
            case {"type": "COLUMN_REF", "column_names": names}:
                self.columns.update(name.lower() for name in names)
            case {"type": "JOIN", "using_columns": names, "ref_type": kind}:
                self.columns.update(name.lower() for name in names)
                self.reads_every_column |= kind == "NATURAL" and "sync" in _joined(node, scope).values()
            case {"type": "SELECT_NODE", "select_list": selected, "from_table": source}:
                aliases = _joined(source, scope)
                row_names = {alias for alias, name in aliases.items() if name == "sync"}
                self.reads_every_column |= any(_is_whole_row(item, row_names) for item in _flat(selected))
            case {"type": "SHOW_REF" | "PIVOT"}:
                self.reads_every_column = True


@lru_cache(maxsize=512)
def sql_structure(sql: str) -> SqlStructure:
    """Parse a query, and cache the result by its text.

    If DuckDB cannot show the syntax tree (PIVOT, or an error in the SQL), every name in the text counts as a
    relation: a relation that the query does not read costs nothing.
    """
    (tree,) = _parser().cursor().execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchall()[0]
    parsed = json.loads(tree)
    if parsed["error"]:
        return SqlStructure(frozenset(_names(sql)), frozenset(), None)
    reader = _Reader()
    reader.read(parsed["statements"], frozenset())
    defined = {
        entry["key"].lower()
        for statement in parsed["statements"]
        for entry in statement["node"].get("cte_map", {}).get("map", ())
    }
    columns = None if reader.reads_every_column else frozenset(reader.columns)
    return SqlStructure(frozenset(reader.relations), frozenset(defined), columns)


def with_relations(sql: str, relations: Mapping[str, str]) -> str:
    """Return the query with `relations`, SELECTs by name, in front of it as a WITH.

    If the query defines a relation of the same name, it is nested, so that its own definition is used inside it.
    """
    body = sql.strip().rstrip(";").rstrip()
    if not relations:
        return body
    parts = ", ".join(f"{name} AS ({select})" for name, select in relations.items())
    if sql_structure(sql).defined & relations.keys():
        return f"WITH {parts} SELECT * FROM (\n{body}\n)"
    first, second = (*_tokens(body), (0, ""), (0, ""))[:2]
    if not _is_keyword(first[1], "with"):
        return f"WITH {parts}\n{body}"
    start, keyword = second if _is_keyword(second[1], "recursive") else first
    end = start + len(keyword.split(maxsplit=1)[0])
    return f"{body[:end]} {parts}, {body[end:].lstrip()}"


def _is_keyword(token: str, keyword: str) -> bool:
    return token.rstrip().lower() == keyword


@lru_cache(maxsize=1)
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def _unqualified_name(table: Mapping[str, Any], scope: frozenset[str]) -> str | None:
    name = str(table["table_name"]).lower()
    is_qualified = table["schema_name"] or table["catalog_name"]
    return None if is_qualified or name in scope else name


def _joined(source: Mapping[str, Any], scope: frozenset[str]) -> dict[str, str]:
    """Return the tables of one FROM, by alias, without those of its subqueries."""
    match source:
        case {"type": "BASE_TABLE", "alias": alias}:
            name = _unqualified_name(source, scope)
            return {(alias or name).lower(): name} if name else {}
        case {"type": "JOIN", "left": left, "right": right}:
            return _joined(left, scope) | _joined(right, scope)
    return {}


def _flat(node: object) -> Iterable[Mapping[str, Any]]:
    """Yield the expressions of a SELECT list, those inside functions too, without those of subqueries."""
    if isinstance(node, list):
        for item in node:
            yield from _flat(item)
    elif isinstance(node, dict) and node.get("type") != "SELECT_NODE":
        yield node
        for value in node.values():
            yield from _flat(value)


def _is_whole_row(expression: Mapping[str, Any], row_names: set[str]) -> bool:
    match expression:
        case {"type": "STAR", "relation_name": alias}:
            return alias.lower() in row_names if alias else bool(row_names)
        case {"type": "COLUMN_REF", "column_names": [name]}:
            return name.lower() in row_names
    return False


def _names(sql: str) -> Iterable[str]:
    """Yield every name in the text."""
    for _, token in _tokens(sql):
        if match := _NAME.match(token):
            yield (match[1] or match[2]).lower()


def _tokens(sql: str) -> list[tuple[int, str]]:
    """Split a query into tokens with their offsets, without comments and strings.

    A token ends where the next one starts, so it may end in spaces and brackets.
    """
    text = sql.encode()  # DuckDB counts bytes
    tokens = duckdb.tokenize(sql)
    ends = [start for start, _ in tokens[1:]] + [len(text)]
    skipped = (duckdb.token_type.comment, duckdb.token_type.string_const)
    return [
        (len(text[:start].decode()), text[start:end].decode())
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind not in skipped
    ]
