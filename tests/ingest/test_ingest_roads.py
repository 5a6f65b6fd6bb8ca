"""One contract, two roads: what pydantic accepts row by row, DuckDB accepts by the million."""

import csv
import io
import json
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from ingest import CellFormat, load, migrate
from ingest.contracts.cell_sql import reason_sql, value_sql
from ingest.contracts.cell_values import INTEGER, ISO, LOCAL, NEGATIVE, NUMBER, READERS, VAULT_FORMAT
from ingest.contracts.tables import CONTRACTS, Column
from ingest.mapping.mapping import choose_mapping
from ingest.readers.csv import bulk_table, read_csv
from ingest.readers.json_lines import parse_set_aside_lines, read_json_lines
from ingest.staging.bulk import NotBulkLoadable, stage_bulk
from ingest.staging.lines import is_plain_name, pop_set_aside_lines
from ingest.staging.rows import stage_rows
from ingest.store.merge import STAGED, create_staging_table
from tests.support.examples import examples

COLUMNS = [Column("c", kind, required) for kind in READERS for required in (False, True)]
MANNERS = [
    VAULT_FORMAT,
    CellFormat("Europe/Berlin"),
    CellFormat("America/New_York", "dmy"),
    CellFormat("UTC", "mdy"),
]
TELLING = [
    "",
    " ",
    "\u00a0",
    "null",
    '"null"',
    "true",
    "YES",
    "1.0",
    "0",
    "-3",
    "1,234",
    "12,5",
    "1e5",
    "1e999",
    "4.5",
    "٣",
]
NEARLY_A_TIME = (
    r"20[0-2][0-9]-0[1-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?"
    r"( ?(Z|[+-][01][0-9]:?[0-9]{2}))?"
)
STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=90)
PATTERNS = (ISO, LOCAL, INTEGER, NUMBER, NEGATIVE, NEARLY_A_TIME)
CELLS = st.one_of(st.sampled_from(TELLING), STORABLE, *(st.from_regex(p, fullmatch=True) for p in PATTERNS))


def by_hand(column, text, cell_format):
    try:
        read = READERS[column.kind](text, cell_format)
    except ValueError as error:
        return None, f"c: {error} ({text[:80]})"
    if read is None and column.required:
        return None, "c: is missing"
    return (read.replace(tzinfo=None) if column.kind == "time" and read else read), None


@pytest.fixture(scope="module")
def reader():
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@settings(max_examples=examples(600), deadline=None)
@example(Column("c", "flag", False), "\u00a0", VAULT_FORMAT)
@example(Column("c", "integer", True), "\u30001\u00a0", VAULT_FORMAT)
@given(st.sampled_from(COLUMNS), CELLS, st.sampled_from(MANNERS))
def test_both_roads_read_a_cell_alike(reader, column, text, cell_format):
    statement = (
        f"SELECT v, {reason_sql(column, 'x', 'v', cell_format)} "
        f"FROM (SELECT x, {value_sql(column, 'x', cell_format)} AS v FROM (SELECT $x::VARCHAR AS x))"
    )
    bound = {"x": text} | ({"zone": cell_format.time_zone} if "$zone" in statement else {})
    assert reader.execute(statement, bound).fetchone() == by_hand(column, text, cell_format)


HEADER = [
    "id",
    "Sync Start Datetime",
    "successful_sync__v",
    "number_of_uploads__v",
    "sync_duration__v",
    "other__c",
]
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=8), min_size=1, max_size=12)
COLUMNS_STAGED = (
    "id, sync_start_datetime__v, successful_sync__v, number_of_uploads__v, sync_duration__v, extra"
)


def staged(store):
    return store.execute(
        f"SELECT coalesce(row_number, rowid + 1) AS number, reasons, "
        f"CASE WHEN len(reasons) = 0 THEN row({COLUMNS_STAGED}) END, raw FROM {STAGED} ORDER BY number"
    ).fetchall()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection)
        yield connection, tmp_path_factory.mktemp("roads") / "a.csv"


@settings(max_examples=examples(60), deadline=None)
@given(ROWS, st.sampled_from([",", ";"]), st.sampled_from(["\n", "\r\n"]))
def test_both_roads_stage_a_file_alike(place, rows, delimiter, ends):
    store, path = place
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=ends, quoting=csv.QUOTE_ALL).writerows(
        [HEADER, *rows]
    )
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    source = read_csv(path, "utf-8")
    mapping = choose_mapping(source.header, source.name)
    create_staging_table(store, mapping.contract)
    try:
        stage_bulk(store, bulk_table(path, HEADER, delimiter), mapping, VAULT_FORMAT)
    except NotBulkLoadable:
        return
    fast = staged(store)
    create_staging_table(store, mapping.contract)
    stage_rows(store, mapping, mapping.assign(source.header), VAULT_FORMAT, list(source.rows))
    assert fast == staged(store)


NAMES = st.sampled_from([*HEADER, *HEADER, "id", "ID", "more__c", "it's", "a.b", "grün", ""])
VALUES = st.one_of(
    CELLS,
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.lists(st.one_of(st.integers(), CELLS), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
OBJECTS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def written(pairs, separators, ascii_only):
    comma, colon = separators
    write = json.JSONEncoder(ensure_ascii=ascii_only).encode
    return "{" + comma.join(f"{write(name)}{colon}{write(each)}" for name, each in pairs) + "}"


LINES = st.one_of(
    st.builds(written, OBJECTS, st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]), st.booleans()),
    st.sampled_from(
        ["", "  ", "[1]", '{"id": 1,}', '{"id": NaN}', '{"id": -0}', '{"id": 1.10}', "{}", '{"id": "a}', "\t"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30),
)
PLAIN_LINE = (
    '{"id": "V1", "Sync Start Datetime": "2026-11-02T08:00:00Z", "number_of_uploads__v": 3, "other__c": "x"}'
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(LINES, max_size=10))
@example(['{"id": "V1", "id": null, "other__c": ":null"}', '{"id":"V2","ID":"V3"}'])
def test_both_roads_stage_json_lines_alike(place, lines):
    store, path = place
    path = path.with_suffix(".jsonl")
    path.write_text("\n".join([*[PLAIN_LINE] * 12, *lines]), encoding="utf-8", newline="")
    source = read_json_lines(path, "utf-8")
    mapping = choose_mapping(source.header, source.name)
    assigned = mapping.assign(source.header)
    create_staging_table(store, mapping.contract)
    if source.bulk is None:
        assert any(sign in "".join(lines) for sign in "\r\0\1") or not all(map(is_plain_name, source.header))
        return
    try:
        stage_bulk(store, source.bulk, mapping, VAULT_FORMAT)
        for odd in pop_set_aside_lines(store):
            stage_rows(store, mapping, assigned, VAULT_FORMAT, parse_set_aside_lines(odd))
    except NotBulkLoadable:
        return
    fast = staged(store)
    create_staging_table(store, mapping.contract)
    stage_rows(store, mapping, assigned, VAULT_FORMAT, list(source.rows))
    assert fast == staged(store)


def big_export(path: Path, rows=20_000):
    when = "CASE WHEN i % 100 = 7 THEN 'soon' ELSE '2026-11-02T08:00:00.000Z' END"
    made = (
        f"SELECT 'V5X' || i AS id, {when} AS sync_start_datetime__v, i % 50 AS number_of_uploads__v, "
        f"'incremental_sync__v' AS sync_type__v FROM range({rows}) AS r(i)"
    )
    duckdb.sql(f"COPY ({made}) TO '{path}'")


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_a_large_file_takes_the_fast_road_and_keeps_its_account(store, tmp_path, clock, form):
    big_export(tmp_path / f"big.{form}", 60_000)
    (report,) = load(tmp_path / f"big.{form}", store, clock=clock)
    assert (report.rows_in, report.rows_new, report.rows_rejected) == (60_000, 59_400, 600)
    numbers = [
        number for (number,) in store.execute("SELECT row_number FROM rejected_row ORDER BY ALL").fetchall()
    ]
    assert numbers == list(range(8, 60_000, 100))
    (again,) = load(tmp_path / f"big.{form}", store, clock=clock)
    assert (again.rows_new, again.rows_updated, again.rows_unchanged) == (0, 0, 59_400)


def test_a_large_file_with_a_footer_is_read_with_care(store, tmp_path, clock):
    big_export(tmp_path / "big.csv", 30_000)
    with (tmp_path / "big.csv").open("a") as file:
        file.write('\n\n"Generated by: Admin Two"\n')
    (report,) = load(tmp_path / "big.csv", store, clock=clock)
    assert (report.rows_in, report.rows_new, len(report.notes)) == (30_000, 29_700, 1)


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_contract_can_be_staged_from_text(store, tmp_path, table):
    contract = CONTRACTS[table]
    path = tmp_path / "a.csv"
    path.write_text(",".join(contract.names) + "\n" + "," * (len(contract.names) - 1) + "\n")
    mapping = choose_mapping(list(contract.names), "a.csv", as_kind=table)
    create_staging_table(store, contract)
    stage_bulk(store, bulk_table(path, list(contract.names), ","), mapping, VAULT_FORMAT)
    ((_, reasons),) = store.execute(f"SELECT row_number, reasons FROM {STAGED}").fetchall()
    needed = [
        c.name
        for c in contract.columns
        if c.required and not (contract.derived_key and c.name in contract.key)
    ]
    assert reasons == [f"{name}: is missing" for name in needed]
