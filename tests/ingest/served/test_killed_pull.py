"""A pull may be killed at any time: no data is stored partially, and the next run completes the store."""

import os
import subprocess
import sys
import threading
from random import Random

import duckdb
import pytest

from ingest import open_store
from sync_engine.vault_api.server_state import SERVICE_NAME

pytestmark = pytest.mark.soak
SECRET = "a password for a test"
TABLES = ("sync_tracking__v", "sync_user", "vmoc", "veeva_setting")
KEYS = {"sync_tracking__v": "id", "sync_user": "user_id", "vmoc": "vmoc_id", "veeva_setting": "setting_id"}
PULLER = """
import sys
from datetime import datetime
from pathlib import Path
import ingest

address, store, way, name, secret, now, folder = sys.argv[1:]
clock = lambda: datetime.fromisoformat(now)
with ingest.VaultClient(address, ingest.Password(name, secret), sleep=lambda seconds: None) as client:
    if way == "pages":
        ingest.pull(store, client, clock=clock)
    else:
        for extract in ("full_directdata", "incremental_directdata"):
            with ingest.open_store(store, read_only=False) as opened:
                since = ingest.direct_data_watermark(opened, client.host, extract)
            fetched = ingest.fetch_direct_data(client, Path(folder), extract=extract, since=since)
            with ingest.open_store(store, read_only=False) as opened:
                ingest.load_all(fetched.paths, opened, clock=clock)
                if fetched.reached_at:
                    ingest.set_direct_data_watermark(opened, client.host, extract, fetched.reached_at)
"""


class ProcessKiller:
    """Kills a process some time after the Vault has received a number of calls."""

    def __init__(self, now):
        self.at, self.left, self.delay, self.process, self.timer = now, 0, 0.0, None, None

    def __call__(self):
        self.left -= 1
        if self.left == 0 and self.process:
            self.timer = threading.Timer(self.delay, self.process.kill)
            self.timer.start()
        return self.at

    def run(self, command, *, calls, delay):
        self.left, self.delay = calls, delay
        self.at += 400  # each sign-in counts for five minutes
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.wait()
        if self.timer:
            self.timer.join()
        return self.process.returncode


@pytest.mark.parametrize(("way", "most_calls"), [("pages", 45), ("files", 8)])
def test_a_killed_pull_stores_no_partial_data_and_the_next_run_completes(
    served, simulated_vault, pulled, content, tmp_path, way, most_calls
):
    good, _ = pulled(served()[0])
    killer = ProcessKiller(simulated_vault.at)
    address, _ = served("shrink=7", now=killer, part_bytes=3000)
    store, random = tmp_path / "s.duckdb", Random(20261123)
    arguments = [
        address,
        store,
        way,
        SERVICE_NAME,
        SECRET,
        simulated_vault.now.isoformat(),
        tmp_path / "files",
    ]
    command = [sys.executable, "-c", PULLER, *map(str, arguments)]
    exit_codes = []
    for _ in range(int(os.environ.get("SYNCLENS_KILLS", "2"))):
        calls, delay = random.randint(2, most_calls), random.choice([0.0, random.uniform(0, 0.08)])
        exit_codes.append(killer.run(command, calls=calls, delay=delay))
        if store.exists():
            check(store, good)
    assert exit_codes.count(-9) >= len(exit_codes) // 2
    assert killer.run(command, calls=0, delay=0) == 0
    with open_store(store) as reader:
        tables = TABLES if way == "files" else (*TABLES, "permission_grant", "config_change")
        assert {each: without_as_of(each, content(reader, each)) for each in tables} == {
            each: without_as_of(each, content(good, each)) for each in tables
        }


def without_as_of(table, rows):
    """Return the rows without the time at which a pull read permissions: each run has a later Vault time."""
    return [row[:3] + row[4:] for row in rows] if table == "permission_grant" else rows


def check(path, good):
    with duckdb.connect(path, read_only=True) as reader:
        if not reader.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'watermark'").fetchall():
            return  # the process was killed while it created the tables
        for table, key in KEYS.items():
            expected_keys = {each for (each,) in good.execute(f"SELECT {key} FROM {table}").fetchall()}
            stored_keys = [each for (each,) in reader.execute(f"SELECT {key} FROM {table}").fetchall()]
            assert len(stored_keys) == len(set(stored_keys))
            assert set(stored_keys) <= expected_keys
            reported = reader.execute(
                "SELECT coalesce(sum(rows_new), 0) FROM ingest_batch WHERE kind = $table", {"table": table}
            ).fetchone()
            assert reported == (len(stored_keys),)
