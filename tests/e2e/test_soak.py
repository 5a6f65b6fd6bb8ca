"""Stress a store: killed writers beside readers, full disks, damage, clocks set back, concurrent loaders.

`SYNCLENS_KILLS` sets the number of rounds; `make soak` runs a hundred. No acknowledged row may be lost, and every
refusal must state the next step.
"""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from streamlit.testing.v1 import AppTest

import analysis
import dashboard
import ingest
from dashboard import data

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("SYNCLENS_KILLS", "3"))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

LOADER = """
import itertools, sys
import ingest
for number in itertools.count():
    (report,) = ingest.load(sys.argv[2], sys.argv[1])
    print(report.batch_id, flush=True)
"""
ONE_LOAD = """
import sys
import ingest
reports = ingest.load(sys.argv[2], sys.argv[1])
print(sum(report.rows_new for report in reports))
"""
FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["synclens", "load", sys.argv[2], "--store", sys.argv[1]]
from synclens import cli
cli.main()
"""


def export(path, first, rows):
    lines = (f"V{first + n:07},2026-11-02T08:00:00Z,2026-11-02T09:00:00Z,{n % 7}\n" for n in range(rows))
    path.write_text("id,sync_start_datetime__v,modified_date__v,number_of_uploads__v\n" + "".join(lines))
    return path


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store.duckdb"
    ingest.load(export(tmp_path / "first.csv", 0, 200), path)
    return path


def python(code, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


def count(path):
    with ingest.open_store(path) as opened:
        return opened.execute("SELECT count(*) FROM sync_tracking__v").fetchone()[0]


def test_a_writer_is_killed_beside_readers(store, tmp_path):
    """Readers see complete batches only, and never fail when the writer is killed."""
    random = Random(7)
    second = export(tmp_path / "second.csv", 1_000, 300)
    acknowledged = set()
    for _ in range(ROUNDS):
        loader = python(LOADER, store, second)
        acknowledged.add(loader.stdout.readline().strip())
        for _ in range(random.randint(1, 4)):
            assert count(store) == 500
            with ingest.open_store(store) as opened:
                analysis.health(opened)
        os.kill(loader.pid, signal.SIGKILL)
        rest, _ = loader.communicate()
        acknowledged |= {line for line in rest.split("\n")[:-1] if line}
    with ingest.open_store(store) as opened:
        kept = {row[0] for row in opened.execute("SELECT batch_id FROM ingest_batch").fetchall()}
    assert acknowledged <= kept


def test_the_dashboard_is_open_while_a_writer_is_killed(store, tmp_path, monkeypatch):
    """The page is drawn, or shows that the store is in use; it never fails, and works again afterwards."""
    monkeypatch.setenv("SYNCLENS_STORE", str(store))
    monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 120.0)
    second = export(tmp_path / "second.csv", 1_000, 300)
    page = AppTest.from_file(dashboard.app_path(), default_timeout=120)
    for _ in range(min(ROUNDS, 10)):
        loader = python(LOADER, store, second)
        assert loader.stdout.readline()
        page.run()
        assert not page.exception
        assert page.metric or "in use" in " ".join(warning.value for warning in page.warning)
        os.kill(loader.pid, signal.SIGKILL)
        loader.communicate()
    page.run()
    assert not page.exception
    assert page.metric
    assert not page.warning


def test_two_loaders_at_once_both_get_through(store, tmp_path):
    files = [export(tmp_path / f"{n}.csv", 10_000 * (n + 1), 400) for n in range(2)]
    loaders = [python(ONE_LOAD, store, file) for file in files]
    outputs = [loader.communicate(timeout=120) for loader in loaders]
    assert [loader.returncode for loader in loaders] == [0, 0], outputs
    assert [out.strip() for out, _ in outputs] == ["400", "400"]
    assert count(store) == 1_000


def test_a_full_disk_refuses_the_load_and_keeps_the_store(store, tmp_path):
    big = export(tmp_path / "big.csv", 100_000, 200_000)
    loader = python(FULL_DISK, store, big, store.stat().st_size + 200_000)
    _, errors = loader.communicate(timeout=120)
    assert loader.returncode == 2, errors
    assert "Traceback" not in errors
    assert "Next:" in errors
    assert count(store) == 200
    (report,) = ingest.load(big, store)  # there is room again
    assert report.rows_new == 200_000


@pytest.mark.parametrize("keep", [0, 100, 5_000, 0.5])
def test_a_damaged_store_raises_an_error_with_a_next_step(store, keep):
    whole = store.read_bytes()
    store.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    if not keep:
        store.write_bytes(b"not a store at all")
    with pytest.raises(ingest.IngestError) as refused, ingest.open_store(store) as opened:
        opened.execute("SELECT count(*) FROM sync_tracking__v").fetchall()
    assert refused.value.next_step


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to files that nobody may write to")
def test_a_read_only_file_can_be_read_and_a_load_is_rejected_with_a_reason(store, tmp_path):
    store.chmod(0o444)
    assert count(store) == 200
    with pytest.raises(ingest.IngestError) as refused:
        ingest.load(export(tmp_path / "more.csv", 900, 5), store)
    assert refused.value.next_step


def test_a_clock_set_back_loses_no_rows(store, tmp_path):
    later = export(tmp_path / "later.csv", 1_000, 50)
    ingest.load(later, store, clock=lambda: NOON)
    again = export(tmp_path / "again.csv", 2_000, 50)
    ingest.load(again, store, clock=lambda: NOON - timedelta(days=400))
    assert count(store) == 300
    (report,) = ingest.load(later, store, clock=lambda: NOON - timedelta(days=800))
    assert (report.rows_new, report.rows_updated) == (0, 0)
