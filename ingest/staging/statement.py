"""Build the one SQL statement that turns rows of text into staged rows.

A cell in the usual spelling has its value at once. Rows with any other cell are staged as pending, with the texts
of these cells; `ingest.staging.unusual` reads them when the whole source is staged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.cell_values import usual_value_sql, zone_tests
from ingest.contracts.tables import Column, Contract
from ingest.mapping.mapping import ColumnMapping
from ingest.store.merge import STAGED

CHECK_AGAIN = "row: has to be checked again"
"""The temporary reason of rows that a JSON lines table sets aside."""
PENDING = "row: has cells in another spelling"
"""The temporary first reason of pending rows; the texts of their cells follow, one for each typed column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """Rows as text, described by SQL expressions over the columns of `relation`.

    `texts` has the text of each column of the contract that the source has, `derived_key` an id made from the
    content of the row, `extra` the cells without a column as JSON, `raw` the text to keep of a rejected row.
    `row_problem` is the reason to reject a whole row, or NULL. Rows that fail `is_plain`, or with a cell in
    another than the usual spelling, are set aside instead of staged as pending, if it is set.
    """

    relation: str
    texts: Mapping[str, str]
    derived_key: str
    extra: str
    raw: str
    row_problem: str = "NULL"
    row_number: str = "NULL"
    is_plain: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def stage_text(
    store: DuckDBPyConnection, table: TextTable, mapping: ColumnMapping, cell_format: CellFormat
) -> None:
    """Convert all rows of a table as far as their cells are usual, and add them to the staging table."""
    statement = insert_statement(table, mapping, cell_format)
    parameters = {
        **table.parameters,
        **{f"constant_{name}": text for name, text in mapping.constants.items()},
        **{
            f"words_{name}": [word.strip().lower() for word in words]
            for name, words in cell_format.values.items()
        },
        **{f"meanings_{name}": list(words.values()) for name, words in cell_format.values.items()},
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
    texts = _texts(table, mapping, cell_format)
    columns = [column for column in contract.columns if column.name in texts]
    relation = _with(table.relation, texts, "t_")
    relation = _with(relation, _values(table, contract, columns, cell_format), "v_")
    relation = f"(SELECT *, {table.row_problem} AS row_problem FROM {relation})"
    relation = (
        f"(SELECT *, coalesce({_suspicion(table, contract, columns)}, true) AS suspect FROM {relation})"
    )
    relation = f"(SELECT *, {_reasons(table, contract, columns)} AS reasons FROM {relation})"
    staged = ", ".join(f'{f"v_{name}" if name in texts else "NULL"} AS "{name}"' for name in contract.names)
    extra = f", {table.extra} AS extra" if contract.has_extra else ""
    return (
        f"INSERT INTO {STAGED} BY NAME SELECT {staged}{extra}, {table.row_number} AS row_number, reasons, "
        f"{_remarks(contract, columns, cell_format)} AS remarks, "
        f"CASE WHEN len(reasons) > 0 THEN {table.raw} END AS raw FROM {relation}"
    )


def typed_columns(contract: Contract) -> list[Column]:
    """Return the columns whose cells have more than one spelling, in the order of a pending row's texts."""
    return [column for column in contract.columns if column.kind != "text"]


def remark_bit(contract: Contract, column: Column) -> int:
    """Return the bit of a row's remarks that is about a column.

    It marks a time without a zone, a number with a decimal point, an id with stray characters.
    """
    return 1 << contract.names.index(column.name)


def _with(relation: str, expressions: Mapping[str, str], prefix: str) -> str:
    if not expressions:
        return relation
    added = ", ".join(f"{sql} AS {prefix}{name}" for name, sql in expressions.items())
    return f"(SELECT *, {added} FROM {relation})"


def _texts(table: TextTable, mapping: ColumnMapping, cell_format: CellFormat) -> dict[str, str]:
    texts = dict(table.texts)
    for name in cell_format.values.keys() & texts.keys():
        meaning = f"MAP($words_{name}, $meanings_{name})[lower(trim({texts[name]}))]"
        texts[name] = f"coalesce({meaning}, {texts[name]})"
    for name in mapping.constants:
        texts[name] = f"coalesce(nullif({texts.get(name, 'NULL')}, ''), $constant_{name})::VARCHAR"
    if mapping.contract.derived_key:
        key = mapping.contract.key[0]
        texts.setdefault(key, "NULL::VARCHAR")
    return texts


def _values(
    table: TextTable, contract: Contract, columns: Sequence[Column], cell_format: CellFormat
) -> dict[str, str]:
    values = {column.name: usual_value_sql(column, f"t_{column.name}", cell_format) for column in columns}
    if contract.derived_key:
        key = contract.key[0]
        values[key] = f"coalesce({values[key]}, {table.derived_key})"
    return values


def _suspicion(table: TextTable, contract: Contract, columns: Sequence[Column]) -> str:
    """Return a cheap test for rows that may have a problem."""
    tests = ["row_problem IS NOT NULL"] if table.is_plain is None else [f"NOT {table.is_plain}"]
    for column in contract.columns:
        if column.required:
            tests.append(f"v_{column.name} IS NULL" if column in columns else "true")
        elif column in columns and column.kind != "text":
            tests.append(f"(v_{column.name} IS NULL AND t_{column.name} <> '')")
    return " OR ".join(tests)


def _reasons(table: TextTable, contract: Contract, columns: Sequence[Column]) -> str:
    if table.is_plain is not None:
        return f"CASE WHEN suspect THEN ['{CHECK_AGAIN}'] ELSE [] END"
    texts = ", ".join(
        f"CASE WHEN v_{column.name} IS NULL AND t_{column.name} <> '' THEN t_{column.name} END"
        if column in columns
        else "NULL"
        for column in typed_columns(contract)
    )
    return (
        "CASE WHEN NOT suspect THEN [] WHEN row_problem IS NOT NULL THEN [row_problem] "
        f"ELSE ['{PENDING}', {texts}] END"
    )


def _remarks(contract: Contract, columns: Sequence[Column], cell_format: CellFormat) -> str:
    bits = []
    for column in columns:
        value, text = f"v_{column.name}", f"t_{column.name}"
        exceptions: list[str] = []
        # Of the cases, only rows that pass the first one are checked further; DuckDB evaluates every part of an OR.
        if column.is_id:
            is_salesforce = f"strlen({text}) = 18 AND {value} = left({text}, 15)"
            exceptions = [
                f"{text} = {value}",
                f"{text} = ''",
                is_salesforce,
                f"starts_with({value}, 'derived-')",
            ]
        elif column.kind == "time" and cell_format.time_zone is None:
            exceptions = zone_tests(text)
        elif column.kind in ("integer", "number") and cell_format.decimal is None:
            exceptions = [f"NOT contains({text}, '.')"]
        if exceptions:
            cases = " ".join(
                f"WHEN {test} THEN 0" for test in (*exceptions, f"{value} IS NULL OR {text} IS NULL")
            )
            bits.append(f"CASE {cases} ELSE {remark_bit(contract, column)} END")
    return f"({' | '.join(bits)})::BIGINT" if bits else "0::BIGINT"
