"""Many users click while loads write: no errors, and no growing memory.

Short here. For half an hour with twenty users, run:
`SYNCLENS_READERS=20 SYNCLENS_READING_MINUTES=30 python -m pytest tests/dashboard/test_many_readers.py`
"""

from __future__ import annotations

import os

import pytest

from benchmarks import dashboard as bench

READERS = int(os.environ.get("SYNCLENS_READERS", "4"))
MINUTES = float(os.environ.get("SYNCLENS_READING_MINUTES", "0"))
# A session keeps its page in memory; use may add far less than one page.
MAX_MB_PER_SESSION = 12.0
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]


def test_many_users_and_loads_run_without_errors(stores, tmp_path) -> None:
    store = tmp_path / "read.duckdb"
    store.write_bytes(stores["normal"].read_bytes())
    result = bench.measure_many_users(store, READERS, MINUTES)
    assert result.errors == 0
    assert result.views >= READERS
    assert result.grown <= MAX_MB_PER_SESSION
