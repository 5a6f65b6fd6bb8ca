"""Readers who click while a load writes: no error, and no memory that grows with use.

Short here. By hand, half an hour of twenty readers:
`SYNCLENS_READERS=20 SYNCLENS_READING_MINUTES=30 python -m pytest tests/dashboard/test_many_readers.py`
"""

from __future__ import annotations

import os

import pytest

from benchmarks import dashboard as bench

READERS = int(os.environ.get("SYNCLENS_READERS", "4"))
MINUTES = float(os.environ.get("SYNCLENS_READING_MINUTES", "0"))
# A session that is alive holds its page; what it may add by use is far less than one page.
MOST_MB_PER_SESSION = 12.0
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]


def test_readers_and_a_load_bear_each_other(stores, tmp_path) -> None:
    store = tmp_path / "read.duckdb"
    store.write_bytes(stores["normal"].read_bytes())
    found = bench.many_readers(store, READERS, MINUTES)
    assert found.errors == 0
    assert found.views >= READERS
    assert found.grown <= MOST_MB_PER_SESSION
