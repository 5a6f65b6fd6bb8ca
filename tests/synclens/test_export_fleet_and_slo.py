"""`synclens export`, `metric --engine spark`, `metric --local-day`, `fleet` and `slo`."""

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import astuple
from datetime import datetime

import pytest

import analysis
import ingest
from analysis.base.errors import AnalysisError
from analysis.fleet.devices import STATUSES
from analysis.metrics.local_days import count_time_zones, list_daily_metrics, measure_by_local_day
from ingest.parquet_export import export_lake
from ingest.store.open import MIGRATIONS
from tests.support.synthetic import fill


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "fleet.duckdb"
    with ingest.open_store(path, read_only=False) as opened:
        fill(opened, syncs=4_000, errors=800, devices=60, days=28, seed=1)
        # Text from a device that a spreadsheet would run.
        opened.execute("UPDATE device SET model = '=HYPERLINK(\"http://evil\")'")
    return path


@pytest.fixture
def synclens(synclens, filled, monkeypatch):
    """Run the command line on the fleet above; returns (exit code, stdout, stderr)."""
    monkeypatch.setenv("SYNCLENS_STORE", str(filled))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: astuple(synclens(*arguments))


class TestFleet:
    def test_lists_only_devices_with_problems(self, synclens, filled):
        code, out, _ = synclens("fleet", "--format", "json")
        rows = json.loads(out)
        assert code == 0
        assert rows
        assert all(row["status"] in STATUSES for row in rows)
        _, everyone, _ = synclens("fleet", "--all", "--format", "json")
        assert len(json.loads(everyone)) == 60

    def test_filters_by_status_and_user(self, synclens):
        stuck = json.loads(synclens("fleet", "--status", "stuck", "--format", "json")[1])
        assert stuck
        assert all("stuck" in row["problems"] for row in stuck)
        person = stuck[0]["user_id"]
        user_devices = json.loads(synclens("fleet", "--user", person, "--format", "json")[1])
        assert {row["user_id"] for row in user_devices} == {person}

    def test_csv_has_no_formulas(self, synclens):
        rows = list(csv.DictReader(io.StringIO(synclens("fleet", "--all", "--format", "csv")[1])))
        assert len(rows) == 60
        assert all(not row["model"].startswith("=") for row in rows)

    def test_an_unknown_status_lists_the_valid_ones(self, synclens):
        code, _, err = synclens("fleet", "--status", "tired")
        assert code == 2
        assert "stuck" in err


class TestSlo:
    def test_shows_budget_and_burn_rate_of_every_objective(self, synclens):
        _, out, _ = synclens("slo", "--json")
        rows = json.loads(out)
        assert {row["slo"] for row in rows} == {objective.name for objective in analysis.load_objectives()}
        assert all(row["budget_used"] is not None and row["reason"] for row in rows)

    @pytest.mark.parametrize(("promise", "code"), [(0.0001, 0), (0.9999, 1)])
    def test_exits_1_if_an_objective_is_missed(self, synclens, tmp_path, promise, code):
        objectives = tmp_path / "objectives.toml"
        window = '[[slo.window]]\nseverity = "page"\nsyncs = 0\nhours = 672\nburn = 1.0\n'
        objectives.write_text(
            f'[[slo]]\nname = "custom"\ntitle = "Custom"\nkind = "success"\nobjective = {promise}\n'
            f"window_days = 28\nmin_devices = 1\n{window}"
        )
        exit_code, out, _ = synclens("slo", "--objectives", objectives)
        assert exit_code == code
        assert ("burning" in out) == bool(code)


class TestLake:
    def test_writes_files_and_prints_row_counts(self, synclens, tmp_path):
        code, _, err = synclens("export", "--lake", tmp_path / "lake")
        assert code == 0
        assert "sync_tracking__v" in err
        assert (tmp_path / "lake" / "device" / "data_0.parquet").exists()

    def test_a_later_export_rewrites_only_changed_days(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        first = export_lake(own_stormy_store, lake)
        before = {path: path.stat().st_ino for path in lake.rglob("*.parquet")}
        own_stormy_store.execute(
            "UPDATE sync_error SET message = 'other' WHERE occurred_at::DATE = DATE '2026-03-05'"
        )
        assert export_lake(own_stormy_store, lake) == first
        touched = {path.parent.name for path, node in before.items() if path.stat().st_ino != node}
        assert touched == {"day=2026-03-05"}

    def test_a_later_export_removes_deleted_days(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        export_lake(own_stormy_store, lake)
        own_stormy_store.execute("DELETE FROM sync_error WHERE occurred_at::DATE = DATE '2026-03-05'")
        export_lake(own_stormy_store, lake)
        files = f"{lake}/sync_error/*/*.parquet"
        count = own_stormy_store.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchone()
        assert count == own_stormy_store.execute("SELECT count(*) FROM sync_error").fetchone()
        assert not (lake / "sync_error" / "day=2026-03-05").exists()

    def test_a_failed_export_changes_nothing(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        export_lake(own_stormy_store, lake)
        before = sorted((path, path.stat().st_ino) for path in lake.rglob("*"))
        own_stormy_store.execute("DROP TABLE veeva_setting")
        with pytest.raises(Exception, match="veeva_setting"):
            export_lake(own_stormy_store, lake)
        assert sorted((path, path.stat().st_ino) for path in lake.rglob("*")) == before
        assert [path.name for path in tmp_path.iterdir()] == ["lake"]

    def test_spark_requires_lake(self, synclens):
        code, _, err = synclens("metric", "success_rate", "--engine", "spark")
        assert code == 2
        assert "--lake" in err
        assert synclens("metric", "success_rate", "--lake", "somewhere")[0] == 2

    @pytest.mark.spark
    @pytest.mark.parametrize(
        "how", [("--master", "local[1]"), ("--connect", "local[1]")], ids=["local", "connect"]
    )
    def test_spark_and_duckdb_return_the_same_result(self, synclens, tmp_path, how):
        pytest.importorskip("pyspark", reason="the extra [spark] is not installed")
        if shutil.which("java") is None:
            pytest.skip("Spark needs Java 17, and there is no `java` on the path")
        if "--connect" in how:
            pytest.importorskip("grpc", reason="Spark Connect needs: pip install 'pyspark[connect]'")
        lake, small = tmp_path / "lake", tmp_path / "small.duckdb"
        with ingest.open_store(small, read_only=False) as opened:
            fill(opened, syncs=300, errors=60, devices=20, days=3, seed=1)
        synclens("export", "--lake", lake, "--store", small)
        question = ("metric", "success_rate", "-f", "platform=iPad", "--json", "--store", str(small))
        duckdb_rows = json.loads(synclens(*question)[1])
        # In a new process, because the JVM of another test would interfere.
        command = [sys.executable, "-m", "synclens", *question, "--engine", "spark", "--lake", lake, *how]
        spark_rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert [row.keys() for row in spark_rows] == [row.keys() for row in duckdb_rows]
        for duckdb_row, spark_row in zip(duckdb_rows, spark_rows, strict=True):
            assert spark_row == pytest.approx(duckdb_row)


class TestLocalDays:
    @pytest.fixture
    def late(self, store):
        """Three users sync at 03:30 UTC on 2 November: one in New York, one without and one with an invalid zone."""
        for user, zone in (("ana", "America/New_York"), ("ben", None), ("cy", "Mars/Olympus")):
            store.execute(
                "INSERT INTO sync_user (user_id, as_of, time_zone, source, batch_id) VALUES (?, ?, ?, 't', 't')",
                [user, datetime(2026, 11, 1), zone],  # noqa: DTZ001 - as in the store
            )
            store.execute(
                "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, successful_sync__v,"
                " sync_completed_datetime__v, source, batch_id)"
                " VALUES (?, ?, '2026-11-02 03:30:00', true, '2026-11-02 03:31:00', 't', 't')",
                [f"s-{user}", user],
            )
        return store

    def test_a_sync_counts_on_the_local_day_of_its_user(self, late):
        frame = measure_by_local_day(late, "failures_by_day")
        assert [(str(day)[:10], n) for day, n in zip(frame["day"], frame["syncs"], strict=True)] == [
            ("2026-11-01", 1),
            ("2026-11-02", 2),
        ]

    def test_reports_users_without_a_time_zone(self, late):
        assert "1 of 3" in count_time_zones(late).describe()

    def test_filters_remain_in_utc(self, late):
        assert measure_by_local_day(late, "failures_by_day", since="2026-11-02")["syncs"].sum() == 3
        assert measure_by_local_day(late, "failures_by_day", until="2026-11-02").empty

    @pytest.mark.parametrize("name", list_daily_metrics())
    def test_local_days_count_the_same_rows(self, stormy_store, name):
        utc, local = analysis.measure(stormy_store, name), measure_by_local_day(stormy_store, name)
        assert list(utc.columns) == list(local.columns)
        counted = "events" if "events" in utc.columns else "syncs"
        assert utc[counted].sum() == local[counted].sum() > 0

    def test_a_metric_without_days_is_an_error(self, late):
        with pytest.raises(AnalysisError) as refused:
            measure_by_local_day(late, "success_rate")
        assert "failures_by_day" in refused.value.next_step

    def test_the_command_prints_the_time_zone_coverage(self, synclens):
        code, out, err = synclens("metric", "failures_by_day", "--local-day", "--json")
        assert code == 0
        assert json.loads(out)
        assert "60 users" in err


def test_version_names_the_store_schema(synclens):
    assert f"store schema {max(MIGRATIONS)[:4]}" in synclens("--version")[1]
