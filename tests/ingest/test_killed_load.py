"""A loader may be killed at any time: acknowledged rows are stored, and no batch is stored partially."""

import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from ingest import load, open_store

LOADER = """
import sys
from ingest import load
for number in range(10_000):
    for name in sys.argv[2:]:
        report = load(name, sys.argv[1])[0]
        print(report.batch_id, flush=True)
"""


def export(path, number, rows=60):
    head = "id,sync_start_datetime__v,modified_date__v\n"
    body = "".join(f"V{n},2026-11-02T08:00:00Z,2026-11-02T08:{number:02}:00Z\n" for n in range(rows))
    path.write_text(head + body + "broken,never,never\n")
    return path


def killed(store, names, seconds):
    loader = subprocess.Popen(
        [sys.executable, "-c", LOADER, str(store), *map(str, names)], stdout=subprocess.PIPE, text=True
    )
    assert loader.stdout
    acknowledged = [loader.stdout.readline().strip()]  # the first is in, so it is loading now
    time.sleep(seconds)
    os.kill(loader.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in loader.stdout if line.endswith("\n")]
    loader.wait()
    loader.stdout.close()
    return [batch for batch in acknowledged if batch]


@pytest.mark.soak
@pytest.mark.parametrize("rounds", [int(os.environ.get("SYNCLENS_KILLS", "2"))])
def test_a_killed_loader_loses_no_acknowledged_rows(tmp_path, rounds):
    random = Random(20261122)
    store = tmp_path / "s.duckdb"
    names = [export(tmp_path / f"{number}.csv", number) for number in range(4)]
    acknowledged = []
    for _ in range(rounds):
        acknowledged += killed(store, names, random.uniform(0, 0.4))
        with open_store(store) as reader:
            batches = {each for (each,) in reader.execute("SELECT batch_id FROM ingest_batch").fetchall()}
            rows = reader.execute("SELECT count(*), count(DISTINCT id) FROM sync_tracking__v").fetchone()
        assert set(acknowledged) <= batches
        assert rows == (60, 60)
    (report,) = load(names[-1], store)
    assert report.rows_unchanged + report.rows_updated == 60
