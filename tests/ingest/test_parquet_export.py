import duckdb
import pytest

from ingest import ExportTargetNotEmpty, export_lake, load


def test_the_lake_has_every_row_partitioned_by_day(store, data, tmp_path, clock):
    load(data / "sync_tracking__v_export.csv", store, clock=clock)
    rows = export_lake(store, tmp_path / "lake")
    assert rows["sync_tracking__v"] == 306
    assert (tmp_path / "lake" / "sync_tracking__v" / "day=2026-11-02").is_dir()
    files = str(tmp_path / "lake" / "sync_tracking__v" / "*" / "*.parquet")
    back = duckdb.sql(
        f"SELECT id, sync_start_datetime__v FROM read_parquet('{files}') ORDER BY id"
    ).fetchall()
    assert (
        back
        == store.execute("SELECT id, sync_start_datetime__v FROM sync_tracking__v ORDER BY id").fetchall()
    )


def test_a_second_export_replaces_the_first(store, data, tmp_path, clock):
    export_lake(store, tmp_path / "lake")
    load(data / "sync_errors.jsonl", store, clock=clock)
    assert export_lake(store, tmp_path / "lake")["sync_error"] == 57
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lake"]


def test_a_directory_with_other_files_is_not_overwritten(store, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ana.txt").write_text("Dear Ana")
    with pytest.raises(ExportTargetNotEmpty):
        export_lake(store, tmp_path / "letters")
    assert (tmp_path / "letters" / "to-ana.txt").exists()
