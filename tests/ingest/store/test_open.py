"""Opening the store: waiting, errors, and what a reader may not do."""

import subprocess
import sys
import time
from contextlib import contextmanager

import duckdb
import pytest

import ingest
from ingest.store.open import MIGRATIONS

HOLD = """
import sys, time, ingest
with ingest.open_store(sys.argv[1], read_only=False):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""

HARDLY_PAUSE = """
import sys, time, duckdb
print("held", flush=True)
while True:
    try:
        with duckdb.connect(sys.argv[1]):
            time.sleep(0.5)
    except duckdb.IOException:
        pass
    time.sleep(0.2)
"""


@contextmanager
def another_process(code, *arguments):
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            yield holder
        finally:
            holder.kill()


def another_process_writing(path, seconds):
    return another_process(HOLD, path, seconds)


@pytest.fixture
def path(tmp_path):
    with ingest.open_store(tmp_path / "fleet.duckdb", read_only=False):
        return tmp_path / "fleet.duckdb"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_locked_store_raises_an_error_with_the_process_name(path, read_only):
    with another_process_writing(path, 60) as holder, pytest.raises(ingest.StoreLocked) as refused:  # noqa: SIM117
        with ingest.open_store(path, read_only=read_only, timeout_seconds=0.3):
            raise AssertionError("two processes were let in")
    assert str(holder.pid) in str(refused.value)
    assert str(holder.pid) in refused.value.next_step


def test_a_reader_waits_for_a_short_writer(path):
    with another_process_writing(path, 0.5), ingest.open_store(path, timeout_seconds=30) as store:
        assert store.execute("SELECT count(*) FROM sync").fetchone() == (0,)


def test_readers_get_their_turn_beside_a_writer_that_hardly_pauses(path):
    """Long pauses would miss the short times in which the store is free, and starve the reader."""
    with another_process(HARDLY_PAUSE, path):
        for _ in range(15):
            with ingest.open_store(path, timeout_seconds=2.5) as store:
                assert store.execute("SELECT count(*) FROM sync").fetchone() == (0,)
            time.sleep(0.3)  # the writer opens it again


def test_waiting_is_logged_once(path, caplog):
    caplog.set_level("INFO", logger="synclens.retry")
    with another_process_writing(path, 60), pytest.raises(ingest.StoreLocked):  # noqa: SIM117
        with ingest.open_store(path, timeout_seconds=1):
            raise AssertionError("two processes were let in")
    assert caplog.messages == ["the store is in use; waiting for it"]


def test_a_writer_in_this_process_blocks_a_reader_with_a_clear_error(path):
    with ingest.open_store(path, read_only=False), pytest.raises(ingest.StoreLocked, match="this process"):  # noqa: SIM117
        with ingest.open_store(path, timeout_seconds=0.2):
            raise AssertionError("mixed modes were let in")


def test_readers_read_together(path):
    with ingest.open_store(path) as one, ingest.open_store(path) as other:
        assert one.execute("SELECT 1").fetchone() == other.execute("SELECT 1").fetchone()


@pytest.mark.parametrize(
    "forbidden",
    [
        "DELETE FROM sync_error",
        "CREATE TABLE mine (a INT)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
    ],
)
def test_a_reader_can_neither_write_nor_reach_the_machine(path, forbidden):
    with ingest.open_store(path) as store, pytest.raises(duckdb.Error):
        store.execute(forbidden)


def test_an_older_store_is_migrated_even_for_a_reader(tmp_path):
    path = tmp_path / "old.duckdb"
    first = min(MIGRATIONS)
    with duckdb.connect(path) as old:
        old.execute("CREATE TABLE migration (name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)")
        old.execute(MIGRATIONS[first])
        old.execute("INSERT INTO migration VALUES (?, '2026-01-01')", [first])
        old.execute(
            "INSERT INTO config_change BY NAME "
            "SELECT 'c1' AS change_id, TIMESTAMP '2026-01-01' AS changed_at, 'vmoc' AS kind, 'x' AS target, "
            "'old' AS source, 'b' AS batch_id"
        )
    with ingest.open_store(path) as store:
        applied = {name for (name,) in store.execute("SELECT name FROM migration").fetchall()}
        assert applied == set(MIGRATIONS)
        assert store.execute("SELECT change_id FROM config_change").fetchall() == [("c1",)]


def test_each_migration_has_a_number_of_its_own():
    assert [int(name[:4]) for name in sorted(MIGRATIONS)] == list(range(1, len(MIGRATIONS) + 1))


def test_a_migration_that_fails_leaves_nothing_behind(path, monkeypatch):
    monkeypatch.setitem(MIGRATIONS, "9998_broken.sql", "CREATE TABLE half (a INT); SELECT * FROM nowhere")
    with pytest.raises(duckdb.CatalogException), ingest.open_store(path, read_only=False):
        raise AssertionError("a broken migration passed")
    monkeypatch.delitem(MIGRATIONS, "9998_broken.sql")
    with ingest.open_store(path) as store:
        assert not store.execute("SELECT * FROM duckdb_tables() WHERE table_name = 'half'").fetchall()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_from_a_newer_version_is_refused(path, read_only):
    with ingest.open_store(path, read_only=False) as store:
        store.execute("INSERT INTO migration VALUES ('9999_later.sql', '2030-01-01')")
    with pytest.raises(ingest.StoreTooNew), ingest.open_store(path, read_only=read_only):
        raise AssertionError("a newer store was let in")


def test_a_file_that_is_not_a_store_raises_an_error_with_a_next_step(tmp_path):
    with pytest.raises(ingest.StoreMissing) as missing, ingest.open_store(tmp_path / "nothing.duckdb"):
        raise AssertionError("nothing was opened")
    assert "synclens load" in missing.value.next_step
    (tmp_path / "text.duckdb").write_text("not a database" * 1000)
    duckdb.connect(tmp_path / "other.duckdb").close()
    for name in ("text.duckdb", "other.duckdb"):
        with pytest.raises(ingest.StoreUnusable), ingest.open_store(tmp_path / name):
            raise AssertionError("a stranger was let in")


def test_waiting_is_bounded(path):
    with another_process_writing(path, 60):
        began = time.monotonic()
        with pytest.raises(ingest.StoreLocked), ingest.open_store(path, timeout_seconds=0.5):
            raise AssertionError("two processes were let in")
        assert time.monotonic() - began < 30  # a bound against hanging, not a speed


def test_readers_of_one_process_see_utc_and_are_all_restricted(path, monkeypatch):
    """Readers share one database, whose settings only the first of them can still make."""
    monkeypatch.setenv("TZ", "America/New_York")
    settings = "SELECT current_setting('TimeZone'), current_setting('enable_external_access')"
    with ingest.open_store(path) as one, ingest.open_store(path) as other:
        assert one.execute(settings).fetchone() == other.execute(settings).fetchone() == ("UTC", False)
        with pytest.raises(duckdb.Error):
            other.execute("SELECT * FROM read_csv('/etc/passwd')")
