"""Read the cells that are not in the usual spelling, when all rows of a source are staged.

The pending rows of the whole source are read at once, by distinct text, so that the order of day and month and the
decimal sign are decided by whole columns: the same for files that DuckDB reads and for rows read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import CellFormat, DecimalSign
from ingest.contracts.cell_values import LONGEST_QUOTE, MISSING
from ingest.contracts.flag_reading import flag_values_sql, flag_words
from ingest.contracts.number_reading import (
    NOT_WHOLE,
    number_evidence_sql,
    number_parts_sql,
    number_values_sql,
)
from ingest.contracts.tables import Column, Contract
from ingest.contracts.time_reading import date_evidence_sql, time_parts_sql, time_values_sql, zone_names
from ingest.contracts.words import COLUMN_UNITS, UNITS
from ingest.staging.column_evidence import decide_date_orders, decide_decimals, describe_flag_languages
from ingest.staging.statement import PENDING, remark_bit, typed_columns
from ingest.store.merge import STAGED

_PENDING_ROW = "pending_row"
_CELL = "unusual_cell"
_COLUMN = "unusual_column"
_PARTS = "unusual_part"
_READING = "cell_reading"
_VALUE_FIELD = {"flag": "flag", "integer": "whole", "number": "number", "time": "time"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A column with unusual cells, and its place in the texts of a pending row."""

    number: int
    column: Column

    @property
    def alias(self) -> str:
        return f"r{self.number}"


def read_unusual_cells(
    store: DuckDBPyConnection,
    contract: Contract,
    cell_format: CellFormat,
    *,
    source_decimal: DecimalSign | None = None,
) -> list[str]:
    """Read the cells of all pending rows, and return notes on how they are read.

    `source_decimal` is the decimal sign that the source's format defines, for texts with two readings.
    """
    if not _count(store, f"FROM {STAGED} WHERE {_is_pending('reasons')}"):
        return []
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_PENDING_ROW} AS SELECT * EXCLUDE (reasons, row_number), "
        f"coalesce(row_number, rowid + 1) AS row_number, reasons[2:] AS texts FROM {STAGED} "
        f"WHERE {_is_pending('reasons')}"
    )
    store.execute(f"DELETE FROM {STAGED} WHERE {_is_pending('reasons')}")
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CELL} AS SELECT DISTINCT place, text FROM (SELECT unnest(texts) AS text, "
        f"generate_subscripts(texts, 1) AS place FROM {_PENDING_ROW}) WHERE text IS NOT NULL"
    )
    numbers = {number for (number,) in store.execute(f"SELECT DISTINCT place FROM {_CELL}").fetchall()}
    columns = enumerate(typed_columns(contract), start=1)
    places = [_Place(number, column) for number, column in columns if number in numbers]
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_READING} (place BIGINT, text VARCHAR, flag BOOLEAN, whole BIGINT, "
        "number DOUBLE, time TIMESTAMP, fault VARCHAR, has_no_zone BOOLEAN)"
    )
    notes = [
        *_read_flags(store, [place for place in places if place.column.kind == "flag"]),
        *_read_numbers(
            store, contract, [place for place in places if place.column.kind in ("integer", "number")],
            cell_format, source_decimal,
        ),
        *_read_times(store, [place for place in places if place.column.kind == "time"], cell_format),
    ]  # fmt: skip
    store.execute(_insert_statement(contract, places))
    store.execute(f"DROP TABLE {_PENDING_ROW}; DROP TABLE {_CELL}; DROP TABLE {_READING}")
    return notes


def _read_flags(store: DuckDBPyConnection, places: Sequence[_Place]) -> list[str]:
    if not places:
        return []
    _create_columns(store, places, {place.number: f"'{place.column.name}' AS name" for place in places})
    values = flag_values_sql(f"(SELECT * FROM {_CELL} JOIN {_COLUMN} USING (place))")
    store.execute(f"CREATE OR REPLACE TEMP TABLE {_PARTS} AS {values}", flag_words())
    store.execute(f"INSERT INTO {_READING} BY NAME SELECT place, text, value AS flag, fault FROM {_PARTS}")
    words = store.execute(
        f"SELECT place, languages, min(text) FROM {_PARTS} WHERE value IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    names = {place.number: place.column.name for place in places}
    return describe_flag_languages([(names[number], languages, text) for number, languages, text in words])


def _read_numbers(
    store: DuckDBPyConnection,
    contract: Contract,
    places: Sequence[_Place],
    cell_format: CellFormat,
    source_decimal: DecimalSign | None,
) -> list[str]:
    if not places:
        return []
    units = {name: unit.lower() for name, unit in cell_format.units.items()}
    _create_columns(store, places, {place.number: _unit_columns(place.column, units) for place in places})
    parts = number_parts_sql(f"(SELECT * FROM {_CELL} JOIN {_COLUMN} USING (place))")
    store.execute(f"CREATE OR REPLACE TEMP TABLE {_PARTS} AS {parts}")
    names = {place.number: place.column.name for place in places}
    evidence = {
        names[number]: (dot, comma, ambiguous)
        for number, dot, comma, ambiguous in store.execute(number_evidence_sql(_PARTS)).fetchall()
    }
    with_dots = _columns_with_dots(store, contract)
    decimals, notes = decide_decimals(evidence, with_dots, cell_format.decimal, source_decimal)
    is_stated = cell_format.decimal is not None
    _create_columns(
        store,
        places,
        {n: f"{_literal(decimals.get(names[n]))} AS decimal, {is_stated} AS is_stated" for n in names},
    )
    store.execute(
        f"INSERT INTO {_READING} BY NAME SELECT place, text, value AS number, whole, fault "
        f"FROM ({number_values_sql(_PARTS, _COLUMN)})"
    )
    return notes


def _unit_columns(column: Column, units: dict[str, str]) -> str:
    own = COLUMN_UNITS.get(column.name)
    dimension = next((name for name, words in UNITS.items() if own in words), None)
    return (
        f"{column.kind == 'integer'} AS is_whole, {_literal(units.get(column.name))} AS unit, "
        f"{_literal(own)} AS column_unit, {_literal(dimension)} AS accepts_units"
    )


def _columns_with_dots(store: DuckDBPyConnection, contract: Contract) -> set[str]:
    """Return the columns in which a number in the usual spelling has a decimal point."""
    (remarks,) = store.execute(
        f"SELECT bit_or(remarks) FROM (SELECT remarks FROM {STAGED} UNION ALL SELECT remarks FROM {_PENDING_ROW})"
    ).fetchone() or (0,)
    numeric = [column for column in contract.columns if column.kind in ("integer", "number")]
    return {column.name for column in numeric if (remarks or 0) & remark_bit(contract, column)}


def _read_times(store: DuckDBPyConnection, places: Sequence[_Place], cell_format: CellFormat) -> list[str]:
    if not places:
        return []
    cells = f"(SELECT * FROM {_CELL} WHERE place IN ({', '.join(str(place.number) for place in places)}))"
    store.execute(f"CREATE OR REPLACE TEMP TABLE {_PARTS} AS {time_parts_sql(cells)}")
    names = {place.number: place.column.name for place in places}
    evidence = {
        names[number]: tuple(shown) for number, *shown in store.execute(date_evidence_sql(_PARTS)).fetchall()
    }
    orders, notes = decide_date_orders(evidence, cell_format.date_order)
    _create_columns(store, places, {n: f"{_literal(orders.get(names[n]))} AS date_order" for n in names})
    iana_names = [name for (name,) in store.execute("SELECT name FROM pg_timezone_names()").fetchall()]
    zones = zone_names(cell_format.zone_words, iana_names)
    store.execute(
        f"INSERT INTO {_READING} BY NAME SELECT place, text, value AS time, fault, has_no_zone "
        f"FROM ({time_values_sql(_PARTS, _COLUMN)})",
        {"zone": cell_format.zone, "zone_keys": list(zones), "zone_names": list(zones.values())},
    )
    return notes


def _insert_statement(contract: Contract, places: Sequence[_Place]) -> str:
    by_name = {place.column.name: place for place in places}
    values = {
        column.name: _value(column, by_name[column.name]) if column.name in by_name else f'q."{column.name}"'
        for column in contract.columns
    }
    joins = " ".join(
        f"LEFT JOIN {_READING} AS {place.alias} ON {place.alias}.place = {place.number} "
        f"AND {place.alias}.text = q.texts[{place.number}]"
        for place in places
    )
    problems = ", ".join(
        f"CASE WHEN {values[column.name]} IS NULL THEN {_problem(column, by_name.get(column.name))} END"
        for column in contract.columns
    )
    remarks = " | ".join(
        f"CASE WHEN {place.alias}.has_no_zone THEN {remark_bit(contract, place.column)} ELSE 0 END"
        for place in places
        if place.column.kind == "time"
    )
    replaced = ", ".join(f'{values[name]} AS "{name}"' for name in by_name)
    replace = f"REPLACE ({replaced})" if replaced else ""
    relation = (
        f"SELECT q.* EXCLUDE (texts, remarks) {replace}, q.remarks | ({remarks or '0'}) AS remarks, "
        f"list_filter([{problems}], lambda x: x IS NOT NULL) AS reasons FROM {_PENDING_ROW} AS q {joins}"
    )
    return (
        f"INSERT INTO {STAGED} BY NAME SELECT * REPLACE (CASE WHEN len(reasons) > 0 THEN raw END AS raw) "
        f"FROM ({relation})"
    )


def _value(column: Column, place: _Place) -> str:
    value = f"{place.alias}.{_VALUE_FIELD[column.kind]}"
    if column.kind == "integer":
        value = f"CASE WHEN {value} < {10**column.most_digits} THEN {value} END"
    return f'coalesce(q."{column.name}", {value})'


def _problem(column: Column, place: _Place | None) -> str:
    missing = f"'{column.name}: {MISSING}'" if column.required else "NULL"
    if place is None:
        return missing
    fault = f"{place.alias}.fault"
    if column.kind == "integer":
        fault = f"coalesce({fault}, CASE WHEN {place.alias}.whole IS NOT NULL THEN '{NOT_WHOLE}' END)"
    text = f"left(q.texts[{place.number}], {LONGEST_QUOTE})"
    return f"coalesce('{column.name}: ' || {fault} || ' (' || {text} || ')', {missing})"


def _create_columns(store: DuckDBPyConnection, places: Sequence[_Place], columns: dict[int, str]) -> None:
    rows = " UNION ALL ".join(
        f"SELECT {place.number}::BIGINT AS place, {columns[place.number]}" for place in places
    )
    store.execute(f"CREATE OR REPLACE TEMP TABLE {_COLUMN} AS {rows}")


def _is_pending(reasons: str) -> str:
    return f"len({reasons}) > 0 AND {reasons}[1] = '{PENDING}'"


def _literal(text: str | None) -> str:
    return f"'{text}'" if text is not None else "NULL::VARCHAR"


def _count(store: DuckDBPyConnection, source: str) -> int:
    (count,) = store.execute(f"SELECT count(*) {source}").fetchone() or (0,)
    return int(count)
