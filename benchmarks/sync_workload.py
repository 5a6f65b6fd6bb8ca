"""Workload W: what one device's syncs cost against a Vault of a given size, beside plain SQLite in the same
run.

A Vault holds `--records` records of five objects, about 440 bytes each; one territory in five is the
device's. The device downloads its scope into its own SQLite file, takes 1,000 changes (800 updates, 100
creates, 100
deletes), sends 500 records, syncs with nothing to do, and refreshes its database from a snapshot, cold and
cached. Exchanges are calls in one process, so the figures are the engine's and not the network's.

    python benchmarks/sync_workload.py --records 100000
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from random import Random

from sync_engine.device import syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, new_id, save
from sync_engine.vault import admin, records
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.server import Vault, handle

AT = 1_772_409_600.0
OBJECTS = ("account__v", "address__v", "call2__v", "medical_insight__v", "order__v")


class FileEnv:
    """A device with files in a folder, whose requests are handed to a Vault of this process."""

    def __init__(self, folder: Path, vault: Vault, rng: Random) -> None:
        self.folder, self.vault, self.rng = folder, vault, rng
        self.bytes_down = 0
        self.rows = []
        self.opened = {}

    def now(self):
        return AT

    async def sleep(self, seconds):
        return None

    async def call(self, request):
        reply = handle(request, self.vault, AT)
        self.bytes_down += len(reply)
        return reply

    def rand(self, stream):
        return self.rng

    def online(self):
        return True

    def network(self):
        return "wifi"

    def open_store(self, name):
        where = ":memory:" if name == "fresh" else self.folder / f"{name}.sqlite"
        store = sqlite3.connect(where, isolation_level=None)
        if name != "fresh":
            store.execute("PRAGMA journal_mode = WAL")
            store.execute("PRAGMA synchronous = NORMAL")
        self.opened[name] = store
        return store

    def keep_store(self, name, store):
        self.opened[name].close()  # or its write-ahead log would be read over the new file
        coming = self.folder / f"{name}.coming"
        coming.write_bytes(store.serialize())
        store.close()
        coming.replace(self.folder / f"{name}.sqlite")

    def point(self, name):
        return None

    def emit(self, row, about=None):
        self.rows.append(row)


def build(path: Path, count: int) -> Vault:
    """A Vault with `count` records, spread evenly over five territories and five objects."""
    vault = Vault(sqlite3.connect(path))
    vault.db.execute("PRAGMA journal_mode = WAL")
    vault.db.execute("PRAGMA synchronous = NORMAL")
    with vault.transaction():
        vault.configure("permission_set", "rep__c", permission_set("rep__c"))
        vault.configure("user", "u1", user("u1", ["T1"]))
        vault.publish()
        accounts = []
        for n in range(count // 5):
            doc = {
                "name__v": f"Dr {n}",
                "territory__v": f"T{1 + n % 5}",
                "email__v": "x" * 60,
                "status__v": "active__v",
            }
            accounts.append(records.insert(vault, "account__v", doc | filler(n), at=AT, by="load").id)
        for name in OBJECTS[1:]:
            for n, account in enumerate(accounts):
                records.insert(vault, name, body(name, account, n), at=AT, by="load")
    return vault


def filler(n: int) -> dict[str, str]:
    """Text that brings a record to about 440 bytes."""
    return {"phone__v": f"+{n:011d}", "specialty__v": "oncology__v", "npi__v": f"{n:010d}"}


def body(name: str, account: str, n: int) -> dict[str, object]:
    """A record of an object that hangs on an account."""
    pad = "lorem ipsum dolor " * 6
    return {
        "address__v": {"account__v": account, "name__v": f"Street {n} {pad}", "city__v": "Springfield"},
        "call2__v": {"account__v": account, "call_date__v": "2026-03-01", "next_call_notes__v": pad},
        "medical_insight__v": {"account__v": account, "summary__v": pad},
        "order__v": {"account__v": account, "order_date__v": "2026-03-01", "net_amount__v": n % 1000},
    }[name]


def user(name: str, territories: list[str]) -> dict[str, object]:
    """A user of the benchmark."""
    return {
        "id": name, "name": name, "email": "", "active": True, "locked": False, "password": "p",
        "password_expired": False, "permission_set": "rep__c", "security_profile": "rep__c",
        "application_profile": "rep__c", "territories": territories, "country": "US",
        "time_zone": "UTC", "language": "en",
    }  # fmt: skip


def run(coroutine) -> object:
    """Drive a coroutine that never really waits."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        return done.value


def timed(work) -> float:
    """Seconds of wall time of one call, which must say that it went well."""
    began = time.perf_counter()
    assert work(), "a step of the workload failed"
    return time.perf_counter() - began


def change_a_thousand(vault: Vault) -> None:
    """800 updates, 100 creates, 100 deletes in the device's territory."""
    rows = vault.db.execute(
        "SELECT id FROM record WHERE object = 'call2__v' AND territory = 'T1' ORDER BY id LIMIT 900"
    ).fetchall()
    with vault.transaction():
        for n, (one,) in enumerate(rows):
            found = records.find(vault, one)
            if n < 800:
                records.update(vault, found, {"next_call_notes__v": f"changed {n}"}, at=AT, by="x")
            else:
                records.delete(vault, found, at=AT, by="x")
        parent = records.find(vault, rows[0][0]).parent
        for n in range(100):
            records.insert(vault, "call2__v", body("call2__v", parent, n), at=AT, by="x")


def save_five_hundred(device: Device) -> None:
    """500 records made on the device."""
    (account,) = device.data.execute("SELECT id FROM record WHERE object = 'account__v' LIMIT 1").fetchone()
    for n in range(500):
        fields = {"account__v": account, "summary__v": f"insight {n}"}
        save(
            device,
            [Edit(operation="create", object="medical_insight__v", record_id=new_id(device), fields=fields)],
        )


def plain(folder: Path, device: Device) -> tuple[float, float, int]:
    """References: the same rows by executemany in one transaction, and the same bytes read as one JSON
    reply.
    """
    rows = device.data.execute("SELECT object, id, revision, mobile_id, tag, doc FROM record").fetchall()
    store = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = NORMAL")
    store.execute("CREATE TABLE record (object, id PRIMARY KEY, revision, mobile_id, tag, doc) WITHOUT ROWID")
    began = time.perf_counter()
    store.execute("BEGIN")
    store.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
    store.execute("COMMIT")
    inserted = time.perf_counter() - began
    store.close()
    began = time.perf_counter()
    size = len(json.loads(json.dumps(rows)))
    return inserted, time.perf_counter() - began, size


def measure(count: int, folder: Path) -> list[tuple[str, float]]:
    """Every step of the workload with its seconds."""
    vault = build(folder / "vault.sqlite", count)
    env = FileEnv(folder, vault, Random(1))
    device = Device(device_id="d1", user_id="u1", password="p", platform="iPad", version="1", env=env)
    assert run(syncs.sign_in(device))
    found = [("initial by rows", timed(lambda: run(syncs.incremental(device))))]
    inserted, carried, rows = plain(folder, device)
    found += [
        (f"reference: executemany of {rows} rows", inserted),
        ("reference: the same rows as JSON", carried),
    ]
    change_a_thousand(vault)
    found.append(("incremental, 1,000 changes down", timed(lambda: run(syncs.incremental(device)))))
    save_five_hundred(device)
    found.append(("incremental, 500 records up", timed(lambda: run(syncs.incremental(device)))))
    found.append(("no-op", min(timed(lambda: run(syncs.incremental(device))) for _ in range(5))))
    found.append(("refresh by snapshot, cold", timed(lambda: run(syncs.database_refresh(device)))))
    found.append(("refresh by snapshot, cached", timed(lambda: run(syncs.database_refresh(device)))))
    moved = [
        row[0]
        for row in vault.db.execute(
            "SELECT id FROM record WHERE object = 'account__v' AND territory = 'T1' LIMIT 100"
        )
    ]
    admin.realign(vault, moved, "T2", at=AT)
    found.append(("incremental, 100 accounts moved away", timed(lambda: run(syncs.incremental(device)))))
    left = device.data.execute(
        f"SELECT count(*) FROM record WHERE id IN ({','.join('?' * 100)})", moved
    ).fetchone()
    assert left == (0,), f"{left[0]} moved accounts leaked"
    vault.db.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[100_000], help="sizes of the Vault")
    for count in parser.parse_args().records:
        with tempfile.TemporaryDirectory() as folder:
            print(f"Vault of {count} records")
            found = measure(count, Path(folder))
            base = found[1][1] + found[2][1]
            for name, seconds in found:
                print(f"  {name:<42} {seconds * 1000:9.1f} ms  {seconds / base:6.2f} x references")


if __name__ == "__main__":
    main()
