"""The SQL for cells agrees with a reader in plain Python, for every kind, spelling and format."""

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from ingest import CellFormat
from ingest.contracts.cell_format import VAULT_FORMAT
from ingest.contracts.cell_values import fault_sql, usual_value_sql, value_sql
from tests.ingest.cells import CELLS, FORMATS
from tests.ingest.contracts.cell_oracle import read_cell
from tests.support.examples import examples

KINDS = ("text", "flag", "integer", "number", "time")


@pytest.fixture(scope="module")
def read_with_sql():
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def read(kind, text, cell_format):
            statement = ", ".join(
                function(kind, "x", cell_format) for function in (value_sql, usual_value_sql, fault_sql)
            )
            statement = f"SELECT {statement} FROM (SELECT $x::VARCHAR AS x)"
            bound = {"x": text} | ({"zone": cell_format.zone} if "$zone" in statement else {})
            return connection.execute(statement, bound).fetchone()

        yield read


@settings(max_examples=examples(600), deadline=None)
@example("flag", "\u00a0", VAULT_FORMAT)
@example("integer", "\u30001\u00a0", VAULT_FORMAT)
@example("time", "2026-10-25 02:30", CellFormat("Europe/Berlin"))
@example("time", "2026-03-29 02:30", CellFormat("Europe/Berlin"))
@given(st.sampled_from(KINDS), CELLS, st.sampled_from(FORMATS))
def test_sql_and_python_read_a_cell_alike(read_with_sql, kind, text, cell_format):
    value, usual_value, fault = read_with_sql(kind, text, cell_format)
    expected_value, expected_fault = read_cell(kind, text, cell_format)
    assert value == expected_value
    assert usual_value in (None, expected_value)
    if expected_value is None:
        assert fault == expected_fault


def test_every_kind_has_a_usual_spelling(read_with_sql):
    usual = {"text": "a", "flag": "true", "integer": "3", "number": "2.5", "time": "2026-03-01T10:00:00.000Z"}
    for kind, text in usual.items():
        _, usual_value, _ = read_with_sql(kind, text, VAULT_FORMAT)
        assert usual_value is not None
