"""Stage a list of deletions: which records are gone, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import pyarrow as pa  # type: ignore[import-untyped]
from duckdb import DuckDBPyConnection

from ingest.contracts.cell_format import VAULT_FORMAT
from ingest.contracts.cell_values import LONGEST_QUOTE, MISSING, usual_value_sql
from ingest.contracts.tables import Column, Contract
from ingest.contracts.time_reading import time_parts_sql, time_values_sql, zone_names
from ingest.mapping.headings import fold_heading
from ingest.readers.rows import RawRow, RowSource
from ingest.store.deletions import ID_SEPARATOR
from ingest.store.merge import STAGED_DELETIONS

_TIME_COLUMNS = (
    "deleteddate", "deletedat", "deleteddatev", "datedeleted", "modifieddate", "modifieddatev",
)  # fmt: skip
"""Normalized names of the column with the time of a deletion, best first."""
_ID_COLUMNS = {
    "picklist_value": ("object", "objectfield", "picklistvaluename"),
    "object_field": ("extract", "columnname"),
}
"""Normalized names of the columns that identify what is deleted, in tables without an id."""
_OBJECT_PREFIX = "Object."
_CHUNK_ROWS = 50_000
_ARRIVED = "arrived_deletions"
_PARTS, _READING = "deletion_part", "deletion_reading"
_NO_ORDER = "(SELECT 1 AS place, NULL::VARCHAR AS date_order)"

_SCHEMA = pa.schema(
    [
        ("row_number", pa.int64()),
        ("id", pa.string()),
        ("deleted_text", pa.string()),
        ("raw", pa.string()),
        ("row_problem", pa.string()),
        ("id_problems", pa.list_(pa.string())),
    ]
)


def stage_deletions(store: DuckDBPyConnection, source: RowSource, contract: Contract) -> list[str]:
    """Stage the deletions of a source, and return notes on the rows left out.

    Records have a column `id`. Picklist values and fields are identified as in Direct Data's deletion lists.
    """
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGED_DELETIONS} "
        "(row_number BIGINT, id VARCHAR, deleted_at TIMESTAMP, raw VARCHAR, reasons VARCHAR[])"
    )
    skipped = 0
    while chunk := list(islice(source.rows, _CHUNK_ROWS)):
        kept = [row for row in chunk if not _is_other_extract(row, contract)]
        skipped += len(chunk) - len(kept)
        default = source.defaults.get("deleted_at")
        rows = [_text_row(row, contract, default) for row in kept]
        store.register(_ARRIVED, pa.Table.from_pylist(rows, schema=_SCHEMA))
        _stage_chunk(store, is_record=contract.table not in _ID_COLUMNS)
        store.unregister(_ARRIVED)
    return [f"rows about extracts that are not objects, skipped: {skipped}"] if skipped else []


_DELETED_AT = Column("deleted_date", "time", True)
_INSERT = f"""
INSERT INTO {STAGED_DELETIONS}
SELECT row_number, id, deleted_at, CASE WHEN len(reasons) > 0 THEN raw END, reasons
FROM (
    SELECT *, CASE
        WHEN row_problem IS NOT NULL THEN [row_problem]
        WHEN deleted_at IS NOT NULL THEN id_problems
        ELSE list_append(id_problems, coalesce(
            'deleted_date: ' || fault || ' (' || left(deleted_text, {LONGEST_QUOTE}) || ')', 'deleted_date: {MISSING}'
        ))
    END AS reasons
    FROM (
        SELECT a.* REPLACE (CASE WHEN $is_record THEN canonical_id(strip_id(a.id)) ELSE a.id END AS id),
            coalesce({usual_value_sql(_DELETED_AT, "a.deleted_text", VAULT_FORMAT)}, r.value) AS deleted_at, r.fault
        FROM {_ARRIVED} AS a LEFT JOIN {_READING} AS r ON r.text = a.deleted_text
    )
)
"""


def _stage_chunk(store: DuckDBPyConnection, is_record: bool) -> None:
    usual = usual_value_sql(_DELETED_AT, "deleted_text", VAULT_FORMAT)
    unusual = f"SELECT DISTINCT 1 AS place, deleted_text AS text FROM {_ARRIVED} WHERE {usual} IS NULL"
    store.execute(f"CREATE OR REPLACE TEMP TABLE {_PARTS} AS {time_parts_sql(f'({unusual})')}")
    zones = zone_names({}, [])
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {_READING} AS {time_values_sql(_PARTS, _NO_ORDER)}",
        {"zone": VAULT_FORMAT.zone, "zone_keys": list(zones), "zone_names": list(zones.values())},
    )
    store.execute(_INSERT, {"is_record": is_record})
    store.execute(f"DROP TABLE {_PARTS}; DROP TABLE {_READING}")


def _text_row(row: RawRow, contract: Contract, default_time: str | None) -> dict[str, object]:
    cells = {fold_heading(name): cell for name, cell in row.cells.items()}
    id_columns = _ID_COLUMNS.get(contract.table, ("id",))
    return {
        "row_number": row.number,
        "id": _id(cells, id_columns),
        "deleted_text": next((cells[name] for name in _TIME_COLUMNS if cells.get(name)), default_time) or "",
        "raw": row.original_text(),
        "row_problem": row.problem,
        "id_problems": [f"{name}: {MISSING}" for name in id_columns if not cells.get(name)],
    }


def _id(cells: Mapping[str, str | None], id_columns: tuple[str, ...]) -> str:
    parts = {name: cells.get(name) or "" for name in id_columns}
    if "extract" in parts:
        parts["extract"] = parts["extract"].removeprefix(_OBJECT_PREFIX)
    return ID_SEPARATOR.join(parts.values())


def _is_other_extract(row: RawRow, contract: Contract) -> bool:
    # The metadata of an archive also lists documents and workflows.
    if contract.table != "object_field" or row.problem:
        return False
    extract = next((cell for name, cell in row.cells.items() if fold_heading(name) == "extract"), None)
    return bool(extract) and not str(extract).startswith(_OBJECT_PREFIX)
