"""Evaluation of VQL queries over the objects of a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.objects import Field, Object, format_label
from sync_engine.vault_api.vql.conditions import build_pattern_test, build_value_test
from sync_engine.vault_api.vql.functions import TEXT_TYPES, apply_function, check_function
from sync_engine.vault_api.vql.lexer import make_syntax_error
from sync_engine.vault_api.vql.search import (
    build_phrase_test,
    combine_searches,
    iterate_searches,
    split_words,
)
from sync_engine.vault_api.vql.tree import Column, Condition, Find, InQuery, Junction, Search, Select, Show

SUBQUERY_PAGE = 250
USERS = "users"
"""The query target of users with the field names of the users endpoint; it is no object."""
RowTest = Callable[[JsonDict], bool]


@dataclass(slots=True)
class QueryEngine:
    """An evaluator of queries over one catalogue. Referenced rows are indexed once and reused.

    `now` is the Vault's time for date literals. `link_page` returns the link to the rows of a subquery after its
    first page; it gets the object, all rows and the page size.
    """

    objects: Mapping[str, Object]
    now: float = 0.0
    link_page: Callable[[str, list[JsonDict], int], str] | None = None
    _by_id: dict[str, dict[Any, JsonDict]] = field(default_factory=dict)
    _children: dict[tuple[str, str], dict[Any, list[JsonDict]]] = field(default_factory=dict)

    def select(self, query: Select) -> list[JsonDict]:
        """Return all rows of a query in order, before paging."""
        source = self.resolve_target(query.target)
        self._check_columns(source, query)
        rows = self._filter_rows(source, list(source.rows()), query)
        return [self._result_row(source, row, query) for row in rows]

    def resolve_target(self, name: str) -> Object:
        """Return the object of a query target.

        Raises VaultError if no such object exists or the user may not read it.
        """
        if name not in self.objects:
            raise VaultError(
                "INVALID_DATA", f"[{name}] is not a queryable object; please refer to api documentation"
            )
        return self.objects[name]

    def resolve_field(self, source: Object, path: str) -> Field:
        """Return the field at the end of a path.

        Raises VaultError with ATTRIBUTE_NOT_SUPPORTED if there is none.
        """
        first, _, remaining_path = path.partition(".")
        if not remaining_path:
            if first in source.fields and source.fields[first].queryable:
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

    def resolve_child(self, source: Object, relationship: str) -> tuple[Object, str]:
        """Return the child object and reference field of an inbound relationship.

        Raises VaultError if the relationship does not exist.
        """
        name, key = source.inbound.get(relationship, (None, ""))
        if name is None or name not in self.objects:
            raise VaultError(
                "INVALID_DATA", f"[{relationship}] is not an inbound relationship of [{source.name}]"
            )
        return self.objects[name], key

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

    def _check_columns(self, source: Object, query: Select) -> None:
        """Raise VaultError for a column that does not exist, has the wrong type or repeats a key."""
        keys: set[str] = set()
        for column in query.columns:
            key = column.target if isinstance(column, Select) else column.key
            if key in keys:
                raise make_syntax_error(f"[{key}] occurs twice; define an alias with AS")
            keys.add(key)
            if isinstance(column, Select):
                self._check_columns(self.resolve_child(source, column.target)[0], column)
                continue
            definition = self.resolve_field(source, column.path)
            if column.alias is not None and column.alias in source.fields:
                raise make_syntax_error(f"the alias [{column.alias}] is a field of [{source.name}]")
            check_function(definition, column.function)

    def _filter_rows(self, source: Object, rows: list[JsonDict], query: Select) -> list[JsonDict]:
        """Apply FIND, WHERE, ORDER BY, SKIP and MAXROWS."""
        aliases = {
            column.alias: column.path
            for column in query.columns
            if isinstance(column, Column) and column.alias
        }
        if query.find is not None:
            find = self._build_find(source, query.find)
            rows = [row for row in rows if find(row)]
        if query.where is not None:
            test = self._build_test(source, query.where, aliases)
            rows = [row for row in rows if test(row)]
        for column, descending in reversed(query.order):
            rows = self._sort_rows(source, rows, _replace_alias(column, aliases), descending=descending)
        start, limit = query.number("SKIP") or 0, query.number("MAXROWS")
        return rows[start:] if limit is None else rows[start : start + limit]

    def _sort_rows(
        self, source: Object, rows: list[JsonDict], column: Column, *, descending: bool
    ) -> list[JsonDict]:
        """Sort rows by a column.

        Documented: records of objects without a value are last in both directions. For other targets they are first
        when ascending.
        """
        definition = self.resolve_field(source, column.path)
        check_function(definition, column.function)
        keys = [_sort_key(row.get(column.path)) for row in rows]
        filled = sorted(
            (at for at in range(len(rows)) if keys[at] is not None),
            key=lambda at: keys[at],
            reverse=descending,
        )
        empty = [at for at in range(len(rows)) if keys[at] is None]
        first_empty = source.name == USERS and not descending
        return [rows[at] for at in (empty + filled if first_empty else filled + empty)]

    def _result_row(self, source: Object, row: JsonDict, query: Select) -> JsonDict:
        result: JsonDict = {}
        for column in query.columns:
            if isinstance(column, Select):
                result[column.target] = self._subquery(source, row, column)
                continue
            value = self.read_value(source, row, column.path)
            definition = self.resolve_field(source, column.path)
            result[column.key] = apply_function(definition, column.function, value)
        return result

    def _subquery(self, source: Object, row: JsonDict, query: Select) -> JsonDict:
        child, key = self.resolve_child(source, query.target)
        children = self._rows_by_reference(child, key).get(str(row["id"]), [])
        matches = self._filter_rows(child, children, query)
        results = [self._result_row(child, child_row, query) for child_row in matches]
        size = query.number("PAGESIZE") or query.number("LIMIT") or SUBQUERY_PAGE
        details: JsonDict = {"pagesize": size, "pageoffset": 0}
        page = results[:size]
        details |= {"size": len(page), "total": len(results)}
        if len(results) > size and self.link_page is not None:
            details["next_page"] = self.link_page(child.name, results, size)
        return {"responseDetails": details, "data": page}

    def _build_test(self, source: Object, condition: Condition, aliases: Mapping[str, str]) -> RowTest:
        if isinstance(condition, Junction):
            parts = [self._build_test(source, part, aliases) for part in condition.parts]
            combine = all if condition.word == "AND" else any
            return lambda row: combine(part(row) for part in parts)
        if isinstance(condition, InQuery):
            return self._build_in_test(source, condition)
        path = _replace_alias(condition.column, aliases).path
        test = build_value_test(self.resolve_field(source, path), condition, self.now)
        return lambda row: test(self.read_value(source, row, path))

    def _build_in_test(self, source: Object, condition: InQuery) -> RowTest:
        """Return the test of an inner join.

        Documented: the relationship name alone connects the objects; the compared and selected fields are a
        convention.
        """
        inner = condition.query
        self.resolve_field(source, condition.column.path)
        child, key = self.resolve_child(source, inner.target)
        self._check_columns(child, inner)
        related = {
            str(row.get(key))
            for row in self._filter_rows(child, list(child.rows()), inner)
            if row.get(key) is not None
        }
        return lambda row: str(row["id"]) in related

    def _build_find(self, source: Object, tree: Find) -> RowTest:
        if source.name == USERS:
            raise make_syntax_error("FIND is supported for objects only")
        tests = {search: build_phrase_test(search.raw) for search in iterate_searches(tree)}
        paths = {search: self._search_paths(source, search) for search in tests}

        def test_row(row: JsonDict) -> bool:
            return combine_searches(
                tree, lambda search: tests[search](self._search_texts(source, row, paths[search]))
            )

        return test_row

    def _search_paths(self, source: Object, search: Search) -> list[str]:
        """Return the paths that a search looks in. Raises VaultError for a field that cannot be searched."""
        if isinstance(search.scope, str):
            searched = (*TEXT_TYPES, "Picklist")
            return [name for name, definition in source.fields.items() if definition.type in searched]
        for path in search.scope:
            definition = self.resolve_field(source, path)
            if definition.type not in (*TEXT_TYPES, "Object"):
                raise VaultError(
                    "INVALID_DATA", f"SCOPE does not support the field [{path}] of type [{definition.type}]"
                )
        return list(search.scope)

    def _search_texts(self, source: Object, row: JsonDict, paths: list[str]) -> list[list[str]]:
        texts: list[list[str]] = []
        for path in paths:
            definition = self.resolve_field(source, path)
            if definition.type == "Object":  # documented for references; the related name is what a user sees
                value = self.read_value(source, row, f"{definition.relationship}.name__v")
            else:
                value = self.read_value(source, row, path)
            if definition.type == "RichText":
                value = apply_function(definition, "LONGTEXT", value)
            elements = value if isinstance(value, list) else [value]
            texts += [split_words(str(element)) for element in elements if element is not None]
            if definition.type == "Picklist":
                texts += [
                    split_words(format_label(str(element))) for element in elements if element is not None
                ]
        return texts

    def show(self, question: Show) -> list[JsonDict]:
        """Return the rows of a SHOW statement."""
        rows: list[JsonDict]
        if question.what == "TARGETS":
            rows = [
                {"name": name, "label": entry.label, "label_plural": entry.label_plural}
                for name, entry in sorted(self.objects.items())
            ]
        elif question.what == "FIELDS":
            rows = [
                _shown_field(entry) for entry in self.resolve_target(str(question.target)).fields.values()
            ]
        else:
            rows = self._shown_relationships(self.resolve_target(str(question.target)))
        if question.pattern is None:
            return rows
        matches = build_pattern_test(question.pattern)
        return [row for row in rows if matches(row["name"])]

    def _shown_relationships(self, source: Object) -> list[JsonDict]:
        outbound = [
            {"name": reference.relationship, "target": reference.to, "type": "outbound"}
            for reference in source.fields.values()
            if reference.to in self.objects
        ]
        inbound = [
            {"name": name, "target": child, "type": "inbound"}
            for name, (child, _) in source.inbound.items()
            if child in self.objects
        ]
        return sorted(outbound + inbound, key=lambda row: str(row["name"]))


def _shown_field(definition: Field) -> JsonDict:
    shown: JsonDict = {
        "name": definition.name,
        "label": definition.label,
        "type": "ObjectReference" if definition.to else definition.type,
    }
    return shown | ({"relationship_name": definition.relationship} if definition.to else {})


def _replace_alias(column: Column, aliases: Mapping[str, str]) -> Column:
    path = aliases.get(column.path)
    return column if path is None else Column(path, column.function)


def _sort_key(value: object) -> Any:  # noqa: ANN401 - comparable values of one field
    if isinstance(value, list):
        return ",".join(map(str, value)) or None
    return value if value is None or isinstance(value, int | float) else str(value)
