"""The device's databases: a full download swaps the tables, and edits wait for the disk."""

from __future__ import annotations

import sqlite3

import pytest

from sync_engine.device import download
from sync_engine.device.client import durable_transaction
from sync_engine.lab import Lab
from sync_engine.protocol import ProcessKilled
from sync_engine.simulator.stress.run import simulate_world


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange tables however few records have come."""
    monkeypatch.setattr(download, "SWAP_THRESHOLD", 0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("seed", range(12))
def test_faulty_worlds_hold_when_tables_are_always_exchanged(seed):
    assert simulate_world(seed=seed).violations == ()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("where", ["apply.middle", "apply.commit"])
def test_a_kill_while_tables_are_exchanged_leaves_the_old_content(monkeypatch, where):
    with Lab("ana") as lab:
        old = lab.add_account("Dr Ruiz")
        lab.sync("ana")
        lab.vault.epoch = "2"  # the Vault was rebuilt: everything is downloaded again
        new = lab.add_account("Dr Wong")

        def point(name: str) -> None:
            if name == where:
                raise ProcessKilled(name)

        with monkeypatch.context() as patched:
            patched.setattr(lab._env("ana"), "fault_point", point)
            lab.sync("ana")
        assert lab.read("ana", old) and lab.read("ana", new) is None
        lab.sync("ana")
        assert lab.read("ana", old) and lab.read("ana", new)
        indexes = lab.devices["ana"].data.execute(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'record' AND sql IS NOT NULL"
        )
        assert indexes.fetchone() == (2,)


def test_what_only_the_device_knows_waits_for_the_disk_and_nothing_else_does(tmp_path):
    """In SQLite's words: 2 is FULL, 1 is NORMAL."""
    store = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = NORMAL")
    store.execute("CREATE TABLE edit (n)")
    with durable_transaction(store):
        store.execute("INSERT INTO edit VALUES (1)")
        assert store.execute("PRAGMA synchronous").fetchone() == (2,)
    with pytest.raises(ProcessKilled), durable_transaction(store):
        store.execute("INSERT INTO edit VALUES (2)")
        raise ProcessKilled("edit.save")
    assert store.execute("PRAGMA synchronous").fetchone() == (1,)
    assert not store.in_transaction
    assert store.execute("SELECT n FROM edit").fetchall() == [(1,)]
    store.close()
