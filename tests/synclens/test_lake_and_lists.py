"""`synclens export`, `metric --engine spark`, `--local-day`, `fleet` and `slo`, as their users meet them."""

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
    """The command line on the fleet above; gives (exit code, stdout, stderr)."""
    monkeypatch.setenv("SYNCLENS_STORE", str(filled))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: astuple(synclens(*words))


class TestFleet:
    def test_lists_those_in_trouble_and_no_others(self, synclens, filled):
        code, out, _ = synclens("fleet", "--format", "json")
        rows = json.loads(out)
        assert code == 0
        assert rows
        assert all(row["status"] in STATUSES for row in rows)
        _, everyone, _ = synclens("fleet", "--all", "--format", "json")
        assert len(json.loads(everyone)) == 60

    def test_narrows_to_a_problem_and_to_a_person(self, synclens):
        stuck = json.loads(synclens("fleet", "--status", "stuck", "--format", "json")[1])
        assert stuck
        assert all("stuck" in row["problems"] for row in stuck)
        person = stuck[0]["user_id"]
        theirs = json.loads(synclens("fleet", "--user", person, "--format", "json")[1])
        assert {row["user_id"] for row in theirs} == {person}

    def test_writes_a_table_that_a_spreadsheet_may_open(self, synclens):
        rows = list(csv.DictReader(io.StringIO(synclens("fleet", "--all", "--format", "csv")[1])))
        assert len(rows) == 60
        assert all(not row["model"].startswith("=") for row in rows)

    def test_names_the_problems_it_knows(self, synclens):
        code, _, err = synclens("fleet", "--status", "tired")
        assert code == 2
        assert "stuck" in err


class TestSlo:
    def test_tells_budget_and_burn_of_every_objective(self, synclens):
        _, out, _ = synclens("slo", "--json")
        rows = json.loads(out)
        assert {row["slo"] for row in rows} == {one.name for one in analysis.load_objectives()}
        assert all(row["budget_used"] is not None and row["reason"] for row in rows)

    @pytest.mark.parametrize(("promise", "code"), [(0.0001, 0), (0.9999, 1)])
    def test_exits_1_when_a_promise_is_broken(self, synclens, tmp_path, promise, code):
        mine = tmp_path / "mine.toml"
        window = '[[slo.window]]\nseverity = "page"\nsyncs = 0\nhours = 672\nburn = 1.0\n'
        mine.write_text(
            f'[[slo]]\nname = "mine"\ntitle = "Mine"\nkind = "success"\nobjective = {promise}\n'
            f"window_days = 28\nmin_devices = 1\n{window}"
        )
        found, out, _ = synclens("slo", "--objectives", mine)
        assert found == code
        assert ("burning" in out) == bool(code)


class TestLake:
    def test_is_written_and_said(self, synclens, tmp_path):
        code, _, err = synclens("export", "--lake", tmp_path / "lake")
        assert code == 0
        assert "sync_tracking__v" in err
        assert (tmp_path / "lake" / "device" / "data_0.parquet").exists()

    def test_takes_days_that_did_not_change_over_as_they_lie(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        first = export_lake(own_stormy_store, lake)
        before = {path: path.stat().st_ino for path in lake.rglob("*.parquet")}
        own_stormy_store.execute(
            "UPDATE sync_error SET message = 'other' WHERE occurred_at::DATE = DATE '2026-03-05'"
        )
        assert export_lake(own_stormy_store, lake) == first
        touched = {path.parent.name for path, node in before.items() if path.stat().st_ino != node}
        assert touched == {"day=2026-03-05"}

    def test_forgets_days_that_are_gone(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        export_lake(own_stormy_store, lake)
        own_stormy_store.execute("DELETE FROM sync_error WHERE occurred_at::DATE = DATE '2026-03-05'")
        export_lake(own_stormy_store, lake)
        files = f"{lake}/sync_error/*/*.parquet"
        count = own_stormy_store.execute("SELECT count(*) FROM read_parquet(?)", [files]).fetchone()
        assert count == own_stormy_store.execute("SELECT count(*) FROM sync_error").fetchone()
        assert not (lake / "sync_error" / "day=2026-03-05").exists()

    def test_stays_whole_when_an_export_fails(self, own_stormy_store, tmp_path):
        lake = tmp_path / "lake"
        export_lake(own_stormy_store, lake)
        before = sorted((path, path.stat().st_ino) for path in lake.rglob("*"))
        own_stormy_store.execute("DROP TABLE veeva_setting")
        with pytest.raises(Exception, match="veeva_setting"):
            export_lake(own_stormy_store, lake)
        assert sorted((path, path.stat().st_ino) for path in lake.rglob("*")) == before
        assert [path.name for path in tmp_path.iterdir()] == ["lake"]

    def test_needs_to_be_named_for_spark(self, synclens):
        code, _, err = synclens("metric", "success_rate", "--engine", "spark")
        assert code == 2
        assert "--lake" in err
        assert synclens("metric", "success_rate", "--lake", "somewhere")[0] == 2

    @pytest.mark.spark
    @pytest.mark.parametrize(
        "how", [("--master", "local[1]"), ("--connect", "local[1]")], ids=["local", "connect"]
    )
    def test_answers_on_spark_as_the_store_does(self, synclens, tmp_path, how):
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
        here = json.loads(synclens(*question)[1])
        # A process of its own: the JVM of another test would be in the way.
        command = [sys.executable, "-m", "synclens", *question, "--engine", "spark", "--lake", lake, *how]
        there = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert [row.keys() for row in there] == [row.keys() for row in here]
        for mine, other in zip(here, there, strict=True):
            assert other == pytest.approx(mine)


class TestLocalDays:
    @pytest.fixture
    def late(self, store):
        """Ana in New York and Ben, of whom no zone is known, sync at half past three on 2 November, UTC."""
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

    def test_a_late_sync_belongs_to_the_evening_of_its_person(self, late):
        frame = measure_by_local_day(late, "failures_by_day")
        assert [(str(day)[:10], n) for day, n in zip(frame["day"], frame["syncs"], strict=True)] == [
            ("2026-11-01", 1),
            ("2026-11-02", 2),
        ]

    def test_it_says_of_whom_no_clock_is_known(self, late):
        assert "1 of 3" in count_time_zones(late).describe()

    def test_filters_stay_moments_in_utc(self, late):
        assert measure_by_local_day(late, "failures_by_day", since="2026-11-02")["syncs"].sum() == 3
        assert measure_by_local_day(late, "failures_by_day", until="2026-11-02").empty

    @pytest.mark.parametrize("name", list_daily_metrics())
    def test_counts_the_same_syncs_and_errors_in_all(self, stormy_store, name):
        utc, local = analysis.measure(stormy_store, name), measure_by_local_day(stormy_store, name)
        assert list(utc.columns) == list(local.columns)
        counted = "events" if "events" in utc.columns else "syncs"
        assert utc[counted].sum() == local[counted].sum() > 0

    def test_a_metric_without_days_is_refused(self, late):
        with pytest.raises(AnalysisError) as refused:
            measure_by_local_day(late, "success_rate")
        assert "failures_by_day" in refused.value.next_step

    def test_the_command_says_whose_days_are_local(self, synclens):
        code, out, err = synclens("metric", "failures_by_day", "--local-day", "--json")
        assert code == 0
        assert json.loads(out)
        assert "60 users" in err


def test_version_names_the_schema_of_the_store(synclens):
    assert f"store schema {max(MIGRATIONS)[:4]}" in synclens("--version")[1]
