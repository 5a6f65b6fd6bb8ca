"""A store with the first schema opens in this release with all rows, and every command works on it.

The file was written with the migration 0001 only: six simulated devices, the sample export, six rejected rows.
"""

import gzip
import json
import re
from pathlib import Path

import duckdb
import pytest

import analysis
import ingest
from ingest.store.open import MIGRATIONS, migrate

FIRST = "0001_first_tables.sql"
PACKED = Path(__file__).parent / "data" / "store_of_schema_0001.duckdb.gz"
ROWS = {
    "config_change": 2,
    "device": 24,
    "engine_truth.event_cause": 7,
    "finding": 7,
    "ingest_batch": 9,
    "pending_record": 5,
    "rejected_row": 6,
    "sync_detail": 43,
    "sync_error": 7,
    "sync_tracking__v": 349,
    "sync_user": 24,
}
SCHEMA_QUERY = """
SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal
UNION ALL SELECT schema_name, view_name, sql, '', false FROM duckdb_views() WHERE NOT internal
ORDER BY ALL
"""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.duckdb"
    path.write_bytes(gzip.decompress(PACKED.read_bytes()))
    return path


def schema_of(path):
    """Return columns and views. A view is a sorted list of words, because DuckDB orders EXCLUDE names freely."""
    with duckdb.connect(path, read_only=True) as store:
        rows = [row for row in store.execute(SCHEMA_QUERY).fetchall() if row[1] != "migration"]
    return [(*row[:2], *sorted(re.findall(r"\w+", row[2])), *row[3:]) for row in rows]


def test_the_first_migration_has_not_changed(old, tmp_path):
    """A published migration must not change, or stores with one version would have two schemas."""
    with duckdb.connect(tmp_path / "new.duckdb") as fresh:
        fresh.execute(MIGRATIONS[FIRST])
    assert schema_of(old) == schema_of(tmp_path / "new.duckdb")


@pytest.mark.parametrize("read_only", [True, False])
def test_opening_migrates_and_keeps_every_row(old, read_only, tmp_path):
    with ingest.open_store(old, read_only=read_only) as store:
        assert {
            table: store.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in ROWS
        } == ROWS
        applied = [name for (name,) in store.execute("SELECT name FROM migration ORDER BY name").fetchall()]
    assert applied == sorted(MIGRATIONS)
    assert len(applied) > 1
    with duckdb.connect(tmp_path / "new.duckdb") as new:
        migrate(new)
    assert schema_of(old) == schema_of(tmp_path / "new.duckdb")


@pytest.mark.parametrize(
    "words",
    [
        ("triage",),
        ("issues",),
        ("fleet", "--all"),
        ("slo",),
        ("lint",),
        ("rejected",),
        ("unknown",),
        ("doctor",),
        *(("metric", name) for name in ("success_rate", "stuck_devices", "errors_by_cause")),
    ],
    ids=" ".join,
)
def test_each_command_works_on_it(old, synclens, words):
    result = synclens(*words, "--store", old)
    assert result.code in ((0, 1) if words[0] in ("slo", "lint") else (0,))
    assert result.out.strip()


def test_its_issues_have_fixes_and_rehearsals(old, synclens):
    issue = json.loads(synclens("issues", "--store", old, "--json").out)[0]["issue_id"]
    for command in ("issue", "suspects", "rehearse"):
        assert synclens(command, issue, "--store", old).code == 0


def test_loading_the_same_export_again_changes_nothing(old, synclens):
    export = Path(__file__).parents[1] / "data" / "sync_tracking__v_export.csv"
    (batch,) = json.loads(synclens("load", export, "--store", old, "--json").out)
    assert (batch["rows_new"], batch["rows_updated"]) == (0, 0)


def test_new_errors_are_classified(old, synclens):
    synclens("simulate", "--seed", 7, "--devices", 10, "--days", 5, "--store", old)
    with ingest.open_store(old) as store:
        unclassified = "SELECT count(*) FROM sync_error WHERE event_id NOT IN (SELECT event_id FROM finding)"
        assert store.execute(unclassified).fetchall() == [(0,)]
        assert analysis.health(store).errors > ROWS["sync_error"]


def test_a_backup_of_it_is_migrated_when_restored(old, synclens, tmp_path):
    assert synclens("backup", tmp_path / "b.zip", "--store", old).code == 0
    again = tmp_path / "again.duckdb"
    assert synclens("restore", tmp_path / "b.zip", "--store", again).code == 0
    with ingest.open_store(again) as store:
        assert store.execute("SELECT count(*) FROM sync_tracking__v").fetchall() == [(349,)]
