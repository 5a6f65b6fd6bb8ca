"""Evaluation of VQL queries over the objects of a catalogue.

A comparison with a missing value is false, except `= null` and `!= null`. A picklist matches `=` if any of its
values matches. Text comparison is case-sensitive; date literals are parsed for the type
of the compared field.
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
"""Maximum characters of a long or rich text that a query returns without the function of its type."""
LONG_TEXT_FUNCTIONS = {"LongText": "LONGTEXT", "RichText": "RICHTEXT"}
"""The function that returns the whole text of a field, by field type. It is for SELECT only, as documented."""


@dataclass(slots=True)
class QueryEngine:
    """An evaluator of queries over one catalogue. Referenced rows are indexed once and reused."""

    objects: Mapping[str, Object]
    _by_id: dict[str, dict[Any, JsonDict]] = field(default_factory=dict)
    _children: dict[tuple[str, str], dict[Any, list[JsonDict]]] = field(default_factory=dict)

    def select(self, query: Select) -> list[JsonDict]:
        """Return all rows of a query in order, before paging."""
        source = self.objects[self.resolve_target(query.target)]
        for result_column in query.columns:
            if isinstance(result_column, Column):
                self.resolve_field(source, result_column.path)
        test = self._build_test(source, query.where)
        rows = [row for row in source.rows() if test(row)]
        for column, descending in reversed(query.order):
            self.resolve_field(source, column.path)
            rows.sort(
                key=lambda row: _sort_key(self.read_value(source, row, column.path)), reverse=descending
            )
        start = (query.number("SKIP") or 0) + (query.number("OFFSET") or 0)
        limits = [limit for limit in (query.number("MAXROWS"), query.number("LIMIT")) if limit is not None]
        rows = rows[start : start + min(limits)] if limits else rows[start:]
        return [self._result_row(source, row, query) for row in rows]

    def resolve_target(self, name: str) -> str:
        """Return the object name of a query target.

        Raises VaultError if no such object exists or the user may not read it.
        """
        object_name = "user__sys" if name == "users" else name
        if object_name not in self.objects:
            raise VaultError("INVALID_DATA", f"The query target [{name}] does not exist or cannot be read")
        return object_name

    def resolve_field(self, source: Object, path: str) -> Field:
        """Return the field at the end of a path.

        Raises VaultError with ATTRIBUTE_NOT_SUPPORTED if there is none.
        """
        first, _, remaining_path = path.partition(".")
        if not remaining_path:
            if first in source.fields:
                return source.fields[first]
        else:
            for reference in source.fields.values():
                if reference.relationship == first and reference.to in self.objects:
                    return self.resolve_field(self.objects[str(reference.to)], remaining_path)
        raise VaultError("ATTRIBUTE_NOT_SUPPORTED", f"[{path}] is not a queryable field of [{source.name}]")

    def read_value(self, source: Object, row: JsonDict, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value of a path for a row. None if a reference is empty."""
        first, _, remaining_path = path.partition(".")
        if not remaining_path:
            return row.get(first)
        reference = next(reference for reference in source.fields.values() if reference.relationship == first)
        target = self.objects[str(reference.to)]
        referenced_row = self._rows_by_id(target).get(str(row.get(reference.name)))
        return None if referenced_row is None else self.read_value(target, referenced_row, remaining_path)

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
        result: JsonDict = {}
        for column in query.columns:
            if isinstance(column, Select):
                result[column.target] = self._subquery(source, row, column)
                continue
            value = self.read_value(source, row, column.path)
            definition = self.resolve_field(source, column.path)
            value = _cut_long_text(definition, column.function, value)
            if column.function == "TOLABEL" and isinstance(value, list):
                value = [format_label(str(name)) for name in value]
            result[column.name] = value
        return result

    def _subquery(self, source: Object, row: JsonDict, query: Select) -> JsonDict:
        child, key = self.resolve_child(source, query.target)
        test = self._build_test(child, query.where)
        rows = [
            child_row
            for child_row in self._rows_by_reference(child, key).get(str(row["id"]), [])
            if test(child_row)
        ]
        page = rows[: query.number("PAGESIZE") or SUBQUERY_PAGE]
        details = {"pagesize": SUBQUERY_PAGE, "pageoffset": 0, "size": len(page), "total": len(rows)}
        return {
            "responseDetails": details,
            "data": [self._result_row(child, child_row, query) for child_row in page],
        }

    def resolve_child(self, source: Object, relationship: str) -> tuple[Object, str]:
        """Return the child object and reference field of an inbound relationship.

        Raises VaultError if the relationship does not exist.
        """
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
            combine = all if condition.word == "AND" else any
            return lambda row: combine(part(row) for part in parts)
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
        definition = self.resolve_field(source, path)
        expected = [_convert_literal(definition, value) for value in condition.values]
        compare = _OPERATORS[condition.operator]
        ignore_case = condition.column.function == "CASEINSENSITIVE"
        if ignore_case:
            expected = [_fold(value) for value in expected]

        def test_row(row: JsonDict) -> bool:
            value = self.read_value(source, row, path)
            values = (
                value if isinstance(value, list) and value else [None] if isinstance(value, list) else [value]
            )
            if definition.type in ("ID", "Object"):
                values = [None if element is None else str(element) for element in values]
            if ignore_case:
                values = [_fold(element) for element in values]
            if condition.operator == "!=":
                return all(compare(element, expected) for element in values)
            return any(compare(element, expected) for element in values)

        return test_row

    def show(self, question: Show) -> list[JsonDict]:
        """Return the rows of a SHOW statement."""
        if question.what == "TARGETS":
            return [{"name": name, "label": entry.label} for name, entry in sorted(self.objects.items())]
        source = self.objects[self.resolve_target(str(question.target))]
        if question.what == "FIELDS":
            return [
                {"name": entry.name, "label": format_label(entry.name), "type": entry.type}
                for entry in source.fields.values()
            ]
        return list(describe_relationships(source))


def describe_relationships(source: Object) -> Iterator[JsonDict]:
    """Yield the relationships of an object: references to other objects, then child objects."""
    for reference in source.fields.values():
        if reference.to:
            yield {
                "relationship_name": reference.relationship,
                "relationship_label": format_label(reference.name),
                "field": reference.name,
            } | {
                "relationship_type": "reference_outbound",
                "relationship_deletion": "block",
                "object": {"name": reference.to, "label": format_label(reference.to)},
            }
    for name, (child, key) in source.inbound.items():
        yield {"relationship_name": name, "relationship_label": format_label(child), "field": key} | {
            "relationship_type": "reference_inbound",
            "relationship_deletion": "block",
            "object": {"name": child, "label": format_label(child)},
        }


def _convert_literal(definition: Field, value: Value) -> object:
    """Convert a literal to the format of the field's values, for comparison."""
    if value is None:
        return None
    if definition.type == "DateTime":
        return format_timestamp(parse_timestamp(str(value)))
    if definition.type == "Date":
        return str(format_timestamp(parse_timestamp(str(value))))[:10]
    if definition.type in ("ID", "Object"):
        return str(value)
    fits = {"Number": (int, float), "Boolean": (bool,)}.get(definition.type, (str,))
    if not isinstance(value, fits) or (isinstance(value, bool) and definition.type != "Boolean"):
        raise VaultError(
            "INVALID_DATA",
            f"[{value}] does not fit the field [{definition.name}] of type [{definition.type}]",
        )
    return value


def _cut_long_text(definition: Field, function: str | None, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    whole = LONG_TEXT_FUNCTIONS.get(definition.type, function) == function
    return value if whole or not isinstance(value, str) else value[:LONG_TEXT_SHOWN]


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
    """Return whether the value matches the pattern. `%` at either end matches any text."""
    core = pattern.strip("%")
    if pattern.startswith("%") and pattern.endswith("%"):
        return core in value
    if pattern.startswith("%"):
        return value.endswith(core)
    return value.startswith(core) if pattern.endswith("%") else value == core
