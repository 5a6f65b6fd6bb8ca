"""Files, JSON lines and single rows produce the same staged rows with every reader."""

import csv
import io
import json
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings

from ingest import load, migrate
from ingest.contracts.cell_format import VAULT_FORMAT
from ingest.contracts.tables import CONTRACTS
from ingest.contracts.time_reading import AMBIGUOUS_ORDER
from ingest.mapping.mapping import choose_mapping
from ingest.readers.csv import bulk_table, read_csv
from ingest.readers.json_lines import read_json_lines
from ingest.readers.plain_json import is_plain_name
from ingest.staging.bulk import NotBulkLoadable, stage_bulk
from ingest.staging.lines import pop_set_aside_rows
from ingest.staging.rows import stage_rows
from ingest.staging.unusual import read_unusual_cells
from ingest.store.merge import STAGED, create_staging_table
from tests.ingest.cells import CELLS
from tests.support.examples import examples

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
def store_and_path(tmp_path_factory):
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection)
        yield connection, tmp_path_factory.mktemp("staging") / "a.csv"


@settings(max_examples=examples(60), deadline=None)
@given(ROWS, st.sampled_from([",", ";"]), st.sampled_from(["\n", "\r\n"]))
def test_a_csv_file_is_staged_alike_in_bulk_and_row_by_row(store_and_path, rows, delimiter, ends):
    store, path = store_and_path
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
    notes = read_unusual_cells(store, mapping.contract, VAULT_FORMAT)
    whole = staged(store)
    create_staging_table(store, mapping.contract)
    stage_rows(store, mapping, mapping.assign(source.header), VAULT_FORMAT, list(source.rows))
    assert notes == read_unusual_cells(store, mapping.contract, VAULT_FORMAT)
    assert whole == staged(store)


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


def json_line(pairs, separators, ascii_only):
    comma, colon = separators
    write = json.JSONEncoder(ensure_ascii=ascii_only).encode
    return "{" + comma.join(f"{write(name)}{colon}{write(each)}" for name, each in pairs) + "}"


LINES = st.one_of(
    st.builds(json_line, OBJECTS, st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]), st.booleans()),
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
def test_json_lines_are_staged_alike_in_bulk_and_row_by_row(store_and_path, lines):
    store, path = store_and_path
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
        for rows in pop_set_aside_rows(store):
            stage_rows(store, mapping, assigned, VAULT_FORMAT, rows)
    except NotBulkLoadable:
        return
    notes = read_unusual_cells(store, mapping.contract, VAULT_FORMAT)
    whole = staged(store)
    create_staging_table(store, mapping.contract)
    stage_rows(store, mapping, assigned, VAULT_FORMAT, list(source.rows))
    assert notes == read_unusual_cells(store, mapping.contract, VAULT_FORMAT)
    assert whole == staged(store)


def big_export(path: Path, rows=20_000):
    when = "CASE WHEN i % 100 = 7 THEN 'soon' ELSE '2026-11-02T08:00:00.000Z' END"
    made = (
        f"SELECT 'V5X' || i AS id, {when} AS sync_start_datetime__v, i % 50 AS number_of_uploads__v, "
        f"'incremental_sync__v' AS sync_type__v FROM range({rows}) AS r(i)"
    )
    duckdb.sql(f"COPY ({made}) TO '{path}'")


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_a_large_file_is_loaded_completely_and_its_report_adds_up(store, tmp_path, clock, form):
    big_export(tmp_path / f"big.{form}", 60_000)
    (report,) = load(tmp_path / f"big.{form}", store, clock=clock)
    assert (report.rows_in, report.rows_new, report.rows_rejected) == (60_000, 59_400, 600)
    numbers = [
        number for (number,) in store.execute("SELECT row_number FROM rejected_row ORDER BY ALL").fetchall()
    ]
    assert numbers == list(range(8, 60_000, 100))
    (again,) = load(tmp_path / f"big.{form}", store, clock=clock)
    assert (again.rows_new, again.rows_updated, again.rows_unchanged) == (0, 0, 59_400)


def test_a_large_file_with_a_footer_is_read_row_by_row(store, tmp_path, clock):
    big_export(tmp_path / "big.csv", 30_000)
    with (tmp_path / "big.csv").open("a") as file:
        file.write('\n\n"Generated by: Admin Two"\n')
    (report,) = load(tmp_path / "big.csv", store, clock=clock)
    assert (report.rows_in, report.rows_new, len(report.notes)) == (30_000, 29_700, 2)


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_contract_can_be_staged_from_text(store, tmp_path, table):
    contract = CONTRACTS[table]
    path = tmp_path / "a.csv"
    path.write_text(",".join(contract.names) + "\n" + "," * (len(contract.names) - 1) + "\n")
    mapping = choose_mapping(list(contract.names), "a.csv", as_kind=table)
    create_staging_table(store, contract)
    stage_bulk(store, bulk_table(path, list(contract.names), ","), mapping, VAULT_FORMAT)
    read_unusual_cells(store, contract, VAULT_FORMAT)
    ((_, reasons),) = store.execute(f"SELECT row_number, reasons FROM {STAGED}").fetchall()
    needed = [
        c.name
        for c in contract.columns
        if c.required and not (contract.derived_key and c.name in contract.key)
    ]
    assert reasons == [f"{name}: is missing" for name in needed]


TABLE = [
    {"id": "V1", "sync_start_datetime__v": "2026-11-02T08:00:00Z", "number_of_uploads__v": "3", "x__c": "a"},
    {"id": "V2", "sync_start_datetime__v": "soon", "number_of_uploads__v": "-1", "x__c": "b"},
    {"id": "V3", "sync_start_datetime__v": "2026-11-02 08:00", "number_of_uploads__v": "many", "x__c": "c"},
    {"id": "V4", "sync_start_datetime__v": "3/11/2026 8:00 AM", "number_of_uploads__v": "", "x__c": "d"},
]


def write_csv(path):
    lines = [",".join(TABLE[0]), *(",".join(row.values()) for row in TABLE)]
    path.write_text("\n".join(lines) + "\n")


def write_excel(path):
    book = openpyxl.Workbook()
    for row in [list(TABLE[0]), *(list(row.values()) for row in TABLE)]:
        book.active.append(row)
    book.save(path)


def write_parquet(path):
    pq.write_table(pa.Table.from_pylist(TABLE), path)


WRITERS = {
    "a.csv": write_csv,
    "a.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, TABLE))),
    "a.json": lambda path: path.write_text(json.dumps({"data": TABLE})),
    "a.xlsx": write_excel,
    "a.parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_stores_the_same_values_and_reasons(store, tmp_path, clock, name):
    WRITERS[name](tmp_path / name)
    load(tmp_path / name, store, clock=clock)
    assert store.execute(
        "SELECT id, sync_start_datetime__v::VARCHAR, number_of_uploads__v, extra FROM sync_tracking__v"
    ).fetchall() == [("V1", "2026-11-02 08:00:00", 3, '{"x__c":"a"}')]
    rejected = store.execute("SELECT row_number, key, raw, reasons FROM rejected_row ORDER BY 1").fetchall()
    assert [(number, key, reasons) for number, key, _, reasons in rejected] == [
        (
            2,
            "V2",
            [
                "sync_start_datetime__v: is not a valid timestamp (soon)",
                "number_of_uploads__v: is negative (-1)",
            ],
        ),
        (3, "V3", ["number_of_uploads__v: is not a whole number (many)"]),
        (
            4,
            "V4",
            [f"sync_start_datetime__v: {AMBIGUOUS_ORDER} (3/11/2026 8:00 AM)"],
        ),
    ]
    assert [json.loads(raw)["x__c"] for *_, raw, _ in rejected] == ["b", "c", "d"]


def test_doubled_backslashes_are_halved_in_small_files_too(store, tmp_path, clock):
    (tmp_path / "m.toml").write_text('kind = "sync_error"\ndoubled_backslashes = true\n')
    (tmp_path / "a.csv").write_text("event_id,occurred_at,message\nE1,2026-11-02T08:00:00Z,C:\\\\temp\n")
    load(tmp_path / "a.csv", store, mappings=[tmp_path / "m.toml"], clock=clock)
    assert store.execute("SELECT message FROM sync_error").fetchall() == [("C:\\temp",)]
