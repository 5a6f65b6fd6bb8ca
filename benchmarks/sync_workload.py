"""Workload W: what a device's syncs cost over real HTTP, beside plain SQLite and a plain download in the same run.

    python -m benchmarks.sync_workload [--rounds 5] [--scale 10000 100000] [--records 100000]

`synclens vault serve` serves a Vault of `--records` records of five objects, about 440 bytes of JSON each, in a
separate process; one in five is the device's. The device is another process with separate SQLite files. Every
round runs a new device through: the first download of its scope, 1,000 changes down (800 updates, 100 creates, 100
deletes) with 500 records of the device up, a sync with nothing to do, a Database Refresh whose snapshot must be built
and one whose snapshot the Vault still has, and a sync after 100 accounts with their dependent records have moved to
another territory. Permissions, VMOCs, tracking and events are on.

References, measured in each round: `executemany` of the same rows in one transaction, and a plain download of the
same bytes from the same kind of server. `--scale` shows what an incremental sync costs for Vaults of other sizes, for
a device that always sees 2,000 records; a million takes minutes to build.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.loopback_servers import serve_bytes, serve_vault
from sync_engine.vault import admin, records
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.state import Vault
from sync_engine.vault_api.seed_data import open_vault

OBJECTS = ("account__v", "address__v", "call2__v", "medical_insight__v", "order__v")
VISIBLE_IN_SCALE = 2_000
AT = 1_772_409_600.0

INITIAL, BOTH_WAYS, NOTHING = "first download", "1,000 down, 500 up", "nothing to do"
COLD, CACHED, MOVED = "refresh, snapshot built", "refresh, snapshot cached", "100 accounts moved away"
REFERENCE_SECONDS = 0.132
"""Seconds of both references together on the machine for which the aims in milliseconds were set."""
INSERTED, CARRIED = "reference: executemany of the rows", "reference: download of the bytes"


# The Vault


def build(path: Path, count: int, visible: int) -> None:
    """A Vault with `count` records of five objects, of which `visible` lie in the device's territory."""
    vault = open_vault(path)
    vault.db.execute("PRAGMA synchronous = OFF")
    with vault.transaction():
        vault.configure("permission_set", "rep__c", permission_set("rep__c"))
        vault.configure("user", "u1", user("u1", ["T1"]))
        vault.publish()
        for n in range(count // 5):
            territory = "T1" if n < visible // 5 else f"T{2 + n % 4}"
            account = records.insert(vault, "account__v", account_doc(n, territory), at=AT, by="load").id
            for name in OBJECTS[1:]:
                records.insert(vault, name, child_doc(name, account, n), at=AT, by="load")
    vault.db.close()
    os.sync()  # or the measured steps would wait until the machine has written the new file


def user(name: str, territories: list[str]) -> dict[str, object]:
    """A user of the benchmark."""
    return {
        "id": name, "name": name, "email": "", "active": True, "locked": False, "password": "p",
        "password_expired": False, "permission_set": "rep__c", "security_profile": "rep__c",
        "application_profile": "rep__c", "territories": territories, "country": "US",
        "time_zone": "UTC", "language": "en",
    }  # fmt: skip


PAD = "lorem ipsum dolor sit amet "


def account_doc(n: int, territory: str) -> dict[str, object]:
    """An account."""
    return {
        "name__v": f"Dr {n} {PAD * 3}", "territory__v": territory, "email__v": f"{n:060d}", "status__v": "active__v",
        "phone__v": f"+{n:011d}", "specialty__v": "oncology__v", "npi__v": f"{n:010d}",
    }  # fmt: skip


def child_doc(name: str, account: str, n: int) -> dict[str, object]:
    """Return the fields of a record that belongs to an account."""
    return {
        "address__v": {"account__v": account, "name__v": f"Street {n} {PAD * 4}", "city__v": PAD},
        "call2__v": {"account__v": account, "call_date__v": "2026-03-01", "next_call_notes__v": PAD * 7},
        "medical_insight__v": {"account__v": account, "summary__v": PAD * 7, "interest_level__v": "high__v"},
        "order__v": {"account__v": account, "order_date__v": "2026-03-01", "net_amount__v": n, "note": PAD * 6},
    }[name]  # fmt: skip


def change_a_thousand(vault: Vault) -> None:
    """800 updates, 100 creates, 100 deletes in the device's territory; a fresh part of it each time."""
    rows = vault.db.execute(
        "SELECT id FROM record WHERE object IN ('call2__v', 'medical_insight__v', 'order__v') "
        "AND territory = 'T1' AND deleted = 0 ORDER BY revision, id LIMIT 900"
    ).fetchall()
    with vault.transaction():
        for n, (one,) in enumerate(rows):
            record = records.find(vault, one)
            assert record is not None
            if n < 800:
                records.update(vault, record, {"status__v": f"changed {record.revision}"}, at=AT, by="x")
            else:
                records.delete(vault, record, at=AT, by="x")
        parent = records.find(vault, rows[0][0])
        assert parent is not None and parent.parent is not None
        for n in range(100):
            records.insert(vault, "call2__v", child_doc("call2__v", parent.parent, n), at=AT, by="x")


def move_a_hundred(vault: Vault, round_number: int) -> list[str]:
    """Move 100 accounts and their dependent records to another territory; return the moved ids."""
    rows = vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' AND territory = 'T1' ORDER BY id DESC LIMIT 100"
    ).fetchall()
    accounts = [row[0] for row in rows]
    marks = ",".join("?" * len(accounts))
    gone = vault.db.execute(
        f"SELECT id FROM record WHERE (id IN ({marks}) OR parent IN ({marks})) AND NOT deleted", accounts * 2
    ).fetchall()
    admin.realign_accounts(vault, accounts, "T2", at=AT + round_number)
    return [row[0] for row in gone]


def move_back(vault: Vault, accounts: list[str], round_number: int) -> None:
    """Return the accounts, so that the next round finds as many as this one did."""
    admin.realign_accounts(
        vault, [one for one in accounts if is_account(vault, one)], "T1", at=AT + round_number + 0.5
    )


def is_account(vault: Vault, record_id: str) -> bool:
    """Return whether the record is an account."""
    record = records.find(vault, record_id)
    return record is not None and record.object == "account__v"


def should_hold(vault: Vault) -> list[list[object]]:
    """Return what belongs on the device by the Vault's own tables: [id, revision]."""
    rows = vault.db.execute(
        "SELECT id, revision FROM record WHERE territory IN ('T1', '*') AND NOT deleted ORDER BY id"
    )
    return [list(row) for row in rows]


# The device


@dataclass
class Remote:
    """A device in a separate process. `peak` is its largest memory so far, in MB."""

    running: subprocess.Popen[str]
    peak: float = 0.0
    bytes: int = 0

    def do(self, command: str) -> float:
        """Run a command and return its seconds; it must succeed."""
        return float(self.ask(command)["seconds"])

    def ask(self, command: str) -> dict[str, Any]:
        """The whole answer to a command."""
        assert self.running.stdin and self.running.stdout
        self.running.stdin.write(command + "\n")
        self.running.stdin.flush()
        line = self.running.stdout.readline()
        assert line, f"the device died of {command!r}"
        reply: dict[str, Any] = json.loads(line)
        assert reply["answer"], f"{command} failed on the device"
        self.peak, self.bytes = reply["peak"], reply["bytes"]
        return reply


@contextmanager
def new_device(folder: Path, address: str) -> Iterator[Remote]:
    """A new device, signed in."""
    command = [sys.executable, "-m", "benchmarks.sync_workload_device", str(folder), address]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        remote = Remote(running)
        remote.do("sign_in")
        yield remote
    finally:
        assert running.stdin
        running.stdin.close()
        running.wait(10)


# References


def insert_plainly(folder: Path, vault: Vault) -> float:
    """Seconds of `executemany` of the device's rows into a plain table in one transaction."""
    rows = vault.db.execute(
        "SELECT object, id, revision, mobile_id, tag, doc FROM record WHERE territory IN ('T1', '*') AND NOT deleted"
    ).fetchall()
    with closing(sqlite3.connect(folder / "plain.sqlite", isolation_level=None)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute(
            "CREATE TABLE record (object, id PRIMARY KEY, revision, mobile_id, tag, doc) WITHOUT ROWID"
        )
        began = time.perf_counter()
        store.execute("BEGIN")
        store.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
        store.execute("COMMIT")
        return time.perf_counter() - began


def download_plainly(address: str) -> float:
    """Return the seconds of one GET of as many bytes as the first download has."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    began = time.perf_counter()
    connection.request("GET", "/")
    connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


# The workload


@dataclass
class Table:
    """Measured seconds of each step, one per round, and the peak memory, leaked and missed records."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    peak: float = 0.0
    leaked: int = 0
    missed: int = 0

    def add(self, step: str, seconds: float) -> None:
        """Note one measurement."""
        self.steps.setdefault(step, []).append(seconds)


def play(vault: Vault, address: str, folder: Path, number: int, table: Table) -> None:
    """One round of the workload with a new device."""
    folder.mkdir()
    with new_device(folder, address) as device:
        table.add(INITIAL, device.do("incremental"))
        table.add(INSERTED, insert_plainly(folder, vault))
        with serve_bytes(device.bytes) as static:
            download_plainly(static)
            table.add(CARRIED, download_plainly(static))
        change_a_thousand(vault)
        device.do("save 500")
        table.add(BOTH_WAYS, device.do("incremental"))
        for _ in range(5):
            table.add(NOTHING, device.do("incremental"))
        table.add(COLD, device.do("refresh"))
        table.add(CACHED, device.do("refresh"))
        gone = move_a_hundred(vault, number)
        table.add(MOVED, device.do("incremental"))
        holds = device.ask("held")["answer"]
        table.leaked += len({row[0] for row in holds} & set(gone))
        table.missed += len({tuple(row) for row in should_hold(vault)} - {tuple(row) for row in holds})
        table.peak = max(table.peak, device.peak)
    move_back(vault, gone, number)


def aims(table: Table) -> list[tuple[str, Callable[[float, float], bool], str]]:
    """What each step should cost, given its seconds and those of the references together."""
    return [
        (INITIAL, lambda seconds, base: seconds <= 4 * base, "<= 4 x references"),
        (BOTH_WAYS, lambda seconds, base: seconds <= 0.12, "<= 120 ms"),
        (NOTHING, lambda seconds, base: seconds <= 0.008, "<= 8 ms"),
        (COLD, lambda seconds, base: seconds <= 0.20, "<= 200 ms"),
        (CACHED, lambda seconds, base: seconds <= 0.05, "<= 50 ms"),
        (MOVED, lambda seconds, base: table.leaked == table.missed == 0, "0 leaked, 0 missed"),
    ]


def show(table: Table) -> None:
    """Print the table."""
    middle = {step: statistics.median(times) for step, times in table.steps.items()}
    base = middle[INSERTED] + middle[CARRIED]
    judged = {step: (holds, words) for step, holds, words in aims(table)}
    print(f"{'step':<36}{'median':>11}{'best':>11}{'x references':>14}{'scaled':>11}  aim")
    for step, seconds in middle.items():
        scaled = seconds * 1000 * REFERENCE_SECONDS / base
        line = f"{step:<36}{seconds * 1000:>8.1f} ms{min(table.steps[step]) * 1000:>8.1f} ms"
        line += f"{seconds / base:>14.2f}{scaled:>8.1f} ms"
        if step in judged:
            holds, words = judged[step]
            line += f"  {words}: {'met' if holds(seconds, base) else 'missed'}"
        print(line)
    verdict = "met" if table.peak <= 60 else "missed"
    print(f"{'largest memory of the device':<36}{table.peak:>8.1f} MB{'':>36}  <= 60 MB: {verdict}")
    print(
        f"scaled: as if both references had taken {REFERENCE_SECONDS * 1000:.0f} ms, as when the aims were set"
    )
    print(f"100 accounts moved: {table.leaked} records leaked, {table.missed} missed")


def workload(count: int, rounds: int, folder: Path) -> None:
    """Build, serve, play and print workload W."""
    path = folder / "vault.sqlite"
    build(path, count, count // 5)
    table = Table()
    with serve_vault(path) as address, closing(open_vault(path).db) as db:
        vault = Vault(db)
        print(f"Vault of {count:,} records, {average(vault):.0f} bytes each; the device sees {count // 5:,}")
        for number in range(rounds):
            play(vault, address, folder / f"device-{number}", number, table)
    show(table)


def average(vault: Vault) -> float:
    """Mean size of a record's JSON in bytes."""
    return float(vault.db.execute("SELECT avg(length(doc)) FROM record").fetchone()[0])


def scale(counts: list[int], rounds: int, folder: Path) -> None:
    """Print what an incremental sync costs for Vaults of several sizes, for a device that sees as much of each."""
    print(f"\nThe device sees {VISIBLE_IN_SCALE:,} records")
    print(f"{'records in the Vault':>20}{BOTH_WAYS:>22}{NOTHING:>18}   (medians)")
    for count in counts:
        path = folder / f"vault-{count}.sqlite"
        build(path, count, VISIBLE_IN_SCALE)
        table = Table()
        with serve_vault(path) as address, closing(open_vault(path).db) as db:
            vault = Vault(db)
            for number in range(rounds):
                with new_device(folder / f"device-{count}-{number}", address) as device:
                    device.do("incremental")
                    change_a_thousand(vault)
                    device.do("save 500")
                    table.add(BOTH_WAYS, device.do("incremental"))
                    for _ in range(5):
                        table.add(NOTHING, device.do("incremental"))
        both, nothing = (statistics.median(table.steps[step]) * 1000 for step in (BOTH_WAYS, NOTHING))
        print(f"{count:>20,}{both:>19.1f} ms{nothing:>15.1f} ms")
        path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="records in the Vault")
    parser.add_argument("--rounds", type=int, default=5, help="new devices that go through it all")
    parser.add_argument(
        "--scale", type=int, nargs="*", default=[10_000, 100_000], help="other sizes of the Vault"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workload(options.records, options.rounds, Path(name))
        if options.scale:
            scale(options.scale, options.rounds, Path(name))


if __name__ == "__main__":
    main()
