"""Answer a VQL query over the objects of a catalogue.

A comparison with a missing value is false, except `= null` and `!= null`. A picklist fulfils `=` when one of its
values does. Text is compared as is; a date literal is read for the field that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import format_timestamp, parse_timestamp
from sync_engine.vault_api.objects import Field, Object, format_label
from sync_engine.vault_api.vql import Column, Compare, Condition, InQuery, Junction, Select, Show, Value

SUBQUERY_PAGE = 250
LONG_TEXT_SHOWN = 250
"""Characters of long text that a query returns without LONGTEXT()."""


@dataclass(slots=True)
class QueryEngine:
    """Queries over one catalogue; what references lead to is looked up once."""

    objects: Mapping[str, Object]
    _by_id: dict[str, dict[Any, JsonDict]] = field(default_factory=dict)
    _children: dict[tuple[str, str], dict[Any, list[JsonDict]]] = field(default_factory=dict)

    def select(self, query: Select) -> list[JsonDict]:
        """All rows of a query, in order, before any paging."""
        source = self.objects[self.resolve_target(query.target)]
        for one in query.columns:
            if isinstance(one, Column):
                self.resolve_field(source, one.path)
        test = self._build_test(source, query.where)
        rows = [row for row in source.rows() if test(row)]
        for column, descending in reversed(query.order):
            self.resolve_field(source, column.path)
            rows.sort(
                key=lambda row: _sort_key(self.read_value(source, row, column.path)), reverse=descending
            )
        start = (query.number("SKIP") or 0) + (query.number("OFFSET") or 0)
        most = [n for n in (query.number("MAXROWS"), query.number("LIMIT")) if n is not None]
        rows = rows[start : start + min(most)] if most else rows[start:]
        return [self._result_row(source, row, query) for row in rows]

    def resolve_target(self, name: str) -> str:
        """The object that a target means. Raises VaultError when there is none that the user may read."""
        object_name = "user__sys" if name == "users" else name
        if object_name not in self.objects:
            raise VaultError("INVALID_DATA", f"The query target [{name}] does not exist or cannot be read")
        return object_name

    def resolve_field(self, source: Object, path: str) -> Field:
        """The field at the end of a path. Raises VaultError with ATTRIBUTE_NOT_SUPPORTED where there is none."""
        first, _, rest = path.partition(".")
        if not rest:
            if first in source.fields:
                return source.fields[first]
        else:
            for one in source.fields.values():
                if one.relationship == first and one.to in self.objects:
                    return self.resolve_field(self.objects[str(one.to)], rest)
        raise VaultError("ATTRIBUTE_NOT_SUPPORTED", f"[{path}] is not a queryable field of [{source.name}]")

    def read_value(self, source: Object, row: JsonDict, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """What lies at the end of a path for one row; None where the path breaks off."""
        first, _, rest = path.partition(".")
        if not rest:
            return row.get(first)
        one = next(one for one in source.fields.values() if one.relationship == first)
        there = self.objects[str(one.to)]
        referenced_row = self._rows_by_id(there).get(str(row.get(one.name)))
        return None if referenced_row is None else self.read_value(there, referenced_row, rest)

    def _rows_by_id(self, source: Object) -> dict[Any, JsonDict]:
        if source.name not in self._by_id:
            self._by_id[source.name] = {str(row["id"]): row for row in source.rows()}
        return self._by_id[source.name]

    def _rows_by_reference(self, child: Object, key: str) -> dict[Any, list[JsonDict]]:
        if (child.name, key) not in self._children:
            rows_by_reference: dict[Any, list[JsonDict]] = {}
            for row in child.rows():
                rows_by_reference.setdefault(str(row.get(key)), []).append(row)
            self._children[child.name, key] = rows_by_reference
        return self._children[child.name, key]

    def _result_row(self, source: Object, row: JsonDict, query: Select) -> JsonDict:
        shown: JsonDict = {}
        for one in query.columns:
            if isinstance(one, Select):
                shown[one.target] = self._subquery(source, row, one)
                continue
            value = self.read_value(source, row, one.path)
            kind = self.resolve_field(source, one.path)
            if kind.type == "LongText" and one.function != "LONGTEXT" and isinstance(value, str):
                value = value[:LONG_TEXT_SHOWN]
            if one.function == "TOLABEL" and isinstance(value, list):
                value = [format_label(str(name)) for name in value]
            shown[one.name] = value
        return shown

    def _subquery(self, source: Object, row: JsonDict, query: Select) -> JsonDict:
        child, key = self.resolve_child(source, query.target)
        test = self._build_test(child, query.where)
        rows = [one for one in self._rows_by_reference(child, key).get(str(row["id"]), []) if test(one)]
        page = rows[: query.number("PAGESIZE") or SUBQUERY_PAGE]
        details = {"pagesize": SUBQUERY_PAGE, "pageoffset": 0, "size": len(page), "total": len(rows)}
        return {"responseDetails": details, "data": [self._result_row(child, one, query) for one in page]}

    def resolve_child(self, source: Object, relationship: str) -> tuple[Object, str]:
        """The child object behind an inbound relationship, and its field. Raises VaultError when there is none."""
        name, key = source.inbound.get(relationship, (None, ""))
        if name is None:
            raise VaultError("INVALID_DATA", f"[{relationship}] is not a relationship of [{source.name}]")
        return self.objects[name], key

    def _build_test(self, source: Object, condition: Condition | None) -> Callable[[JsonDict], bool]:
        if condition is None:
            return lambda row: True
        if isinstance(condition, Junction):
            parts = [self._build_test(source, part) for part in condition.parts]
            if condition.word == "NOT":
                return lambda row: not parts[0](row)
            every = all if condition.word == "AND" else any
            return lambda row: every(part(row) for part in parts)
        if isinstance(condition, InQuery):
            return self._build_in_test(source, condition)
        return self._build_compare_test(source, condition)

    def _build_in_test(self, source: Object, condition: InQuery) -> Callable[[JsonDict], bool]:
        inner, path = condition.query, condition.column.path
        self.resolve_field(source, path)
        related = inner.target in source.inbound
        if related:
            inner = Select(inner.columns, self.resolve_child(source, inner.target)[0].name, inner.where)
        allowed_values = {str(value) for row in self.select(inner) for value in row.values()}
        return lambda row: str(self.read_value(source, row, path)) in allowed_values

    def _build_compare_test(self, source: Object, condition: Compare) -> Callable[[JsonDict], bool]:
        path = condition.column.path
        kind = self.resolve_field(source, path)
        wanted = [_convert_literal(kind, value) for value in condition.values]
        compare = _OPERATORS[condition.operator]
        folded = condition.column.function == "CASEINSENSITIVE"
        if folded:
            wanted = [_fold(value) for value in wanted]

        def holds(row: JsonDict) -> bool:
            value = self.read_value(source, row, path)
            values = (
                value if isinstance(value, list) and value else [None] if isinstance(value, list) else [value]
            )
            if kind.type in ("ID", "Object"):
                values = [None if one is None else str(one) for one in values]
            if folded:
                values = [_fold(one) for one in values]
            if condition.operator == "!=":
                return all(compare(one, wanted) for one in values)
            return any(compare(one, wanted) for one in values)

        return holds

    def show(self, question: Show) -> list[JsonDict]:
        """The answer to SHOW."""
        if question.what == "TARGETS":
            return [{"name": name, "label": one.label} for name, one in sorted(self.objects.items())]
        source = self.objects[self.resolve_target(str(question.target))]
        if question.what == "FIELDS":
            return [
                {"name": one.name, "label": format_label(one.name), "type": one.type}
                for one in source.fields.values()
            ]
        return list(describe_relationships(source))


def describe_relationships(source: Object) -> Iterator[JsonDict]:
    """Where one can go from a record: outwards through its references, inwards to its children."""
    for one in source.fields.values():
        if one.to:
            yield {
                "relationship_name": one.relationship,
                "relationship_label": format_label(one.name),
                "field": one.name,
            } | {
                "relationship_type": "reference_outbound",
                "relationship_deletion": "block",
                "object": {"name": one.to, "label": format_label(one.to)},
            }
    for name, (child, key) in source.inbound.items():
        yield {"relationship_name": name, "relationship_label": format_label(child), "field": key} | {
            "relationship_type": "reference_inbound",
            "relationship_deletion": "block",
            "object": {"name": child, "label": format_label(child)},
        }


def _convert_literal(kind: Field, value: Value) -> object:
    """A value as the field's own values look, so that both can be compared directly."""
    if value is None:
        return None
    if kind.type == "DateTime":
        return format_timestamp(parse_timestamp(str(value)))
    if kind.type == "Date":
        return str(format_timestamp(parse_timestamp(str(value))))[:10]
    if kind.type in ("ID", "Object"):
        return str(value)
    fits = {"Number": (int, float), "Boolean": (bool,)}.get(kind.type, (str,))
    if not isinstance(value, fits) or (isinstance(value, bool) and kind.type != "Boolean"):
        raise VaultError(
            "INVALID_DATA", f"[{value}] does not fit the field [{kind.name}] of type [{kind.type}]"
        )
    return value


def _fold(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _sort_key(value: object) -> tuple[bool, str, Any]:
    if isinstance(value, list):
        value = ",".join(map(str, value)) or None
    return (
        value is not None,
        type(value).__name__ if isinstance(value, str) else "",
        value if value is not None else 0,
    )


def _compare_values(compare: Callable[[Any, Any], bool]) -> Callable[[Any, list[Any]], bool]:
    return lambda value, wanted: value is not None and wanted[0] is not None and compare(value, wanted[0])


_OPERATORS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "=": lambda value, wanted: bool(value == wanted[0]),
    "!=": lambda value, wanted: bool(value != wanted[0]),
    "<": _compare_values(lambda a, b: a < b),
    "<=": _compare_values(lambda a, b: a <= b),
    ">": _compare_values(lambda a, b: a > b),
    ">=": _compare_values(lambda a, b: a >= b),
    "CONTAINS": lambda value, wanted: value in wanted,
    "BETWEEN": lambda value, wanted: (
        value is not None and None not in wanted and wanted[0] <= value <= wanted[1]
    ),
    "LIKE": lambda value, wanted: isinstance(value, str) and _matches_pattern(value, str(wanted[0])),
}


def _matches_pattern(value: str, pattern: str) -> bool:
    """Match a pattern; `%` at its ends matches any text."""
    core = pattern.strip("%")
    if pattern.startswith("%") and pattern.endswith("%"):
        return core in value
    if pattern.startswith("%"):
        return value.endswith(core)
    return value.startswith(core) if pattern.endswith("%") else value == core
