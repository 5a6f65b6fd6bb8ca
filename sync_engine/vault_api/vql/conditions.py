"""Comparisons of a field with literals.

A comparison with an empty field is false, except `= null` and `!=`, which documents empty fields as not equal. A
picklist matches if any of its values matches, and `!=` if none is equal. Text comparison is case-sensitive.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import format_timestamp, parse_timestamp
from sync_engine.vault_api.objects import Field, format_label
from sync_engine.vault_api.vql.date_literals import resolve_range
from sync_engine.vault_api.vql.functions import check_function
from sync_engine.vault_api.vql.lexer import make_syntax_error
from sync_engine.vault_api.vql.tree import Compare, DateLiteral, Pattern, Value

SYMBOLS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ValueTest = Callable[[Any], bool]


def build_value_test(definition: Field, condition: Compare, now: float) -> ValueTest:
    """Return a test of one field value, as replies show it.

    Raises VaultError if a literal or function does not fit the type of the field.
    """
    convert = _element_converter(definition, condition.column.function)
    test = _test_element(definition, condition, now)
    every = condition.operator == "!="

    def test_value(value: object) -> bool:
        elements = (
            value if isinstance(value, list) and value else [None if isinstance(value, list) else value]
        )
        results = (test(None if element is None else convert(element)) for element in elements)
        return all(results) if every else any(results)

    return test_value


def _element_converter(definition: Field, function: str | None) -> Callable[[object], object]:
    """Return the function that prepares a field value for comparison."""
    check_function(definition, function)
    if function == "CASEINSENSITIVE":
        return _fold
    if function == "TOLABEL":
        return lambda value: format_label(str(value))
    if definition.type in ("ID", "Object"):
        return str
    return lambda value: value


def _test_element(definition: Field, condition: Compare, now: float) -> ValueTest:
    ignore_case = condition.column.function == "CASEINSENSITIVE"
    if condition.pattern is not None:
        return _test_pattern(definition, condition.pattern, ignore_case=ignore_case)
    if any(isinstance(value, DateLiteral) for value in condition.values):
        return _test_date_range(definition, condition, now)
    expected = [convert_literal(definition, value) for value in condition.values]
    if ignore_case:
        expected = [_fold(value) for value in expected]
    if condition.operator == "CONTAINS":
        return lambda value: value in expected
    if condition.operator == "BETWEEN":
        low, high = expected
        if low is None or high is None:
            raise make_syntax_error("BETWEEN needs two values, not null")
        return lambda value: value is not None and low <= value <= high
    compare, wanted = SYMBOLS[condition.operator], expected[0]
    if condition.operator in ("=", "!="):
        return lambda value: compare(value, wanted)
    return lambda value: value is not None and compare(value, wanted)


def _test_pattern(definition: Field, pattern: Pattern, *, ignore_case: bool) -> ValueTest:
    convert_literal(definition, "")  # refuses fields that hold no text
    matches = build_pattern_test(pattern, ignore_case=ignore_case)
    return lambda value: value is not None and matches(str(value))


def build_pattern_test(pattern: Pattern, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Return a test of whether text matches a LIKE pattern."""
    parts = [part.casefold() if ignore_case else part for part in pattern.parts]
    expression = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
    return lambda text: expression.fullmatch(text) is not None


def _test_date_range(definition: Field, condition: Compare, now: float) -> ValueTest:
    """Return the test for a date literal. `=` means inside its range, `<` before and `>` after it."""
    literal, sign = condition.values[0], condition.operator
    if not isinstance(literal, DateLiteral) or sign not in SYMBOLS:
        raise make_syntax_error("date literals can be compared with = != < <= > >= only")
    if definition.type not in ("Date", "DateTime"):
        raise VaultError("INVALID_DATA", f"[{literal.name}] does not fit the field [{definition.name}]")
    low, high = (_format_moment(definition, moment) for moment in resolve_range(literal, now))
    if sign == "=":
        return lambda value: value is not None and low <= value <= high
    if sign == "!=":
        return lambda value: value is None or value < low or value > high
    limit = high if sign in (">", "<=") else low
    compare = SYMBOLS[sign]
    return lambda value: value is not None and compare(value, limit)


def _format_moment(definition: Field, moment: datetime) -> str:
    text = str(format_timestamp(moment.timestamp()))
    return text[:10] if definition.type == "Date" else text


def convert_literal(definition: Field, value: Value) -> Any:  # noqa: ANN401 - text, number or flag
    """Convert a literal to the format of the field's values.

    Raises VaultError if it does not fit the type of the field.
    """
    if value is None:
        return None
    if definition.type in ("DateTime", "Date"):
        text = str(format_timestamp(parse_timestamp(str(value))))
        return text[:10] if definition.type == "Date" else text
    if definition.type in ("ID", "Object"):
        return str(value)
    fits = {"Number": (int, float), "Boolean": (bool,)}.get(definition.type, (str,))
    if not isinstance(value, fits) or (isinstance(value, bool) and definition.type != "Boolean"):
        raise VaultError(
            "INVALID_DATA",
            f"[{value}] does not fit the field [{definition.name}] of type [{definition.type}]",
        )
    return value


def _fold(value: object) -> Any:  # noqa: ANN401 - text, or any other value unchanged
    return value.casefold() if isinstance(value, str) else value
