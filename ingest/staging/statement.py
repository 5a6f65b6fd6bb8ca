"""Build the one SQL statement that turns rows of text into staged rows with values and reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.cell_values import LONGEST_QUOTE, MISSING, fault_sql, usual_value_sql, value_sql
from ingest.contracts.tables import Column, Contract, Kind
from ingest.mapping.mapping import ColumnMapping
from ingest.store.merge import STAGED

CHECK_AGAIN = "row: has to be checked again"
"""The temporary reason of rows that a JSON lines table sets aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Rows as text, described by SQL expressions over the columns of `relation`.

    `texts` has the text of each column of the contract that the source has, `derived_key` an id made from the
    content of the row, `extra` the cells without a column as JSON, `raw` the text to keep of a rejected row.
    `row_problem` is the reason to reject a whole row, or NULL. Rows that fail `is_plain` or a check of a cell
    are set aside instead of rejected, if it is set. `is_large` chooses the statement that is faster to run and
    slower to plan.
    """

    relation: str
    texts: Mapping[str, str]
    derived_key: str
    extra: str
    raw: str
    row_problem: str = "NULL"
    row_number: str = "NULL"
    is_plain: str | None = None
    is_large: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


def stage_text(
    store: DuckDBPyConnection, table: TextTable, mapping: ColumnMapping, cell_format: CellFormat
) -> None:
    """Convert and check all rows of a table, and add them to the staging table."""
    statement = insert_statement(table, mapping, cell_format)
    parameters = {
        **table.parameters,
        **{f"constant_{name}": text for name, text in mapping.constants.items()},
        "zone": cell_format.zone,
    }
    named = set(
        re.findall(r"\$(\w+)", statement)
    )  # DuckDB rejects a parameter that the statement does not use
    store.execute(statement, {name: value for name, value in parameters.items() if name in named})


def insert_statement(table: TextTable, mapping: ColumnMapping, cell_format: CellFormat) -> str:
    """Return the INSERT into the staging table.

    Each layer of the statement adds columns to the one below: the texts (`t_…`), the values (`v_…`), whether
    a row is suspect, its reasons.
    """
    contract = mapping.contract
    texts = _texts(table, mapping)
    columns = [column for column in contract.columns if column.name in texts]
    relation = _with(table.relation, texts, "t_")
    relation = _with_values(relation, columns, cell_format, table.is_large)
    relation = f"(SELECT *, {table.row_problem} AS row_problem FROM {relation})"
    relation = (
        f"(SELECT *, coalesce({_suspicion(table, contract, columns)}, true) AS suspect FROM {relation})"
    )
    if table.is_plain is None:
        relation = _with_reasons(relation, contract, columns, cell_format, table.is_large)
    else:
        reasons = f"CASE WHEN suspect THEN ['{CHECK_AGAIN}'] ELSE [] END"
        relation = f"(SELECT *, {reasons} AS reasons FROM {relation})"
    staged = ", ".join(f'{f"v_{name}" if name in texts else "NULL"} AS "{name}"' for name in contract.names)
    extra = f", {table.extra} AS extra" if contract.has_extra else ""
    return (
        f"INSERT INTO {STAGED} BY NAME SELECT {staged}{extra}, {table.row_number} AS row_number, reasons, "
        f"CASE WHEN len(reasons) > 0 THEN {table.raw} END AS raw FROM {relation}"
    )


def _with(relation: str, expressions: Mapping[Any, str], prefix: str) -> str:
    if not expressions:
        return relation
    added = ", ".join(f"{sql} AS {prefix}{name}" for name, sql in expressions.items())
    return f"(SELECT *, {added} FROM {relation})"


def _with_values(relation: str, columns: Sequence[Column], cell_format: CellFormat, is_large: bool) -> str:
    usual = {c.name: usual_value_sql(c.kind, f"t_{c.name}", cell_format) for c in columns}
    if is_large:
        other = {c.name: value_sql(c.kind, f"t_{c.name}", cell_format) for c in columns}
        values = {
            c.name: usual[c.name]
            if c.kind == "text"
            else f"CASE WHEN t_{c.name} <> '' THEN coalesce({usual[c.name]}, {other[c.name]}) END"
            for c in columns
        }
        return _with(relation, values, "v_")
    relation = _with(relation, usual, "u_")
    is_unusual = {
        kind: " OR ".join(f"u_{c.name} IS NULL AND t_{c.name} <> ''" for c in of_kind)
        for kind, of_kind in _by_kind(columns).items()
    }
    relation = _with_lists(relation, value_sql, "others_", columns, cell_format, needed=is_unusual)
    values = {
        c.name: f"u_{c.name}" if c.kind == "text" else f"coalesce(u_{c.name}, others_{_place(c, columns)})"
        for c in columns
    }
    return _with(relation, values, "v_")


def _with_reasons(
    relation: str, contract: Contract, columns: Sequence[Column], cell_format: CellFormat, is_large: bool
) -> str:
    if is_large:
        faults = {c.name: fault_sql(c.kind, f"t_{c.name}", cell_format) for c in columns}
    else:
        is_suspect = dict.fromkeys(_by_kind(columns), "suspect")
        relation = _with_lists(relation, fault_sql, "faults_", columns, cell_format, needed=is_suspect)
        faults = {c.name: f"faults_{_place(c, columns)}" for c in columns}
    problems = ", ".join(_problem(column, faults.get(column.name)) for column in contract.columns)
    return (
        "(SELECT *, CASE WHEN NOT suspect THEN [] WHEN row_problem IS NOT NULL THEN [row_problem] "
        f"ELSE list_filter([{problems}], lambda x: x IS NOT NULL) END AS reasons FROM {relation})"
    )


def _with_lists(
    relation: str,
    expression: Callable[[Kind, str, CellFormat], str],
    prefix: str,
    columns: Sequence[Column],
    cell_format: CellFormat,
    *,
    needed: Mapping[Kind, str],
) -> str:
    """Add one list for each kind, with the result of an expression for the text of each of its columns.

    One lambda for each kind keeps the statement short: planning the long one takes 0.1 s, more than a small
    load needs. But DuckDB compiles the patterns of a lambda again for every 2,048 rows.
    """
    lists = {}
    for kind, of_kind in _by_kind(columns).items():
        texts = ", ".join(f"t_{column.name}" for column in of_kind)
        results = f"list_transform([{texts}], lambda x: {expression(kind, 'x', cell_format)})"
        lists[kind] = f"CASE WHEN {needed[kind]} THEN {results} END"
    return _with(relation, lists, prefix)


def _by_kind(columns: Sequence[Column]) -> dict[Kind, list[Column]]:
    """Return the columns that need converting, by kind."""
    by_kind: dict[Kind, list[Column]] = {}
    for column in columns:
        if column.kind != "text":
            by_kind.setdefault(column.kind, []).append(column)
    return by_kind


def _place(column: Column, columns: Sequence[Column]) -> str:
    """Return where the lists of `_with_lists` have the result for a column."""
    return (
        f"{column.kind}[{_by_kind(columns)[column.kind].index(column) + 1}]" if column.kind != "text" else ""
    )


def _texts(table: TextTable, mapping: ColumnMapping) -> dict[str, str]:
    contract, texts = mapping.contract, dict(table.texts)
    for name in mapping.constants:
        texts[name] = f"coalesce(nullif({texts.get(name, 'NULL')}, ''), $constant_{name})::VARCHAR"
    key = contract.key[0]
    if contract.derived_key:
        texts[key] = f"coalesce(nullif({texts.get(key, 'NULL')}, ''), {table.derived_key})"
    return texts


def _suspicion(table: TextTable, contract: Contract, columns: Sequence[Column]) -> str:
    """Return a cheap test for rows that may have a problem."""
    tests = ["row_problem IS NOT NULL"] if table.is_plain is None else [f"NOT {table.is_plain}"]
    for column in contract.columns:
        if column.required:
            tests.append(f"v_{column.name} IS NULL" if column in columns else "true")
        elif column in columns and column.kind != "text":
            tests.append(f"(v_{column.name} IS NULL AND t_{column.name} <> '')")
    return " OR ".join(tests)


def _problem(column: Column, fault: str | None) -> str:
    missing = f"'{column.name}: {MISSING}'" if column.required else "NULL"
    if fault is None or column.kind == "text":
        return missing if fault is None else f"CASE WHEN v_{column.name} IS NULL THEN {missing} END"
    reason = f"'{column.name}: ' || {fault} || ' (' || left(t_{column.name}, {LONGEST_QUOTE}) || ')'"
    return f"CASE WHEN v_{column.name} IS NULL THEN coalesce({reason}, {missing}) END"
