"""A device and a Vault in two processes: nothing is lost and nothing happens twice, wherever the device is killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from sync_engine.device import edits, errors_tab
from sync_engine.protocol import DeviceError
from synclens.commands.device import device_app
from tests.sync_engine.vault_api.device_process import open_device, run
from tests.sync_engine.vault_api.http_caller import TOKEN, V

ROOT = Path(__file__).parents[3]
NOW = "2026-03-03T08:00:00"
"""The Vault's time, which is not the time of this machine."""
SCRIPT = Path(__file__).with_name("device_process.py")
COMMANDS = "from synclens.commands.{0} import {0}_app; {0}_app()"
POINTS = (
    "call.send", "call.answered", "upload.send", "incremental.connect", "incremental.upload", "incremental.download",
    "incremental.apply", "apply.middle", "download.page",
)  # fmt: skip


def command(name: str, *args: object) -> list[str]:
    """A command line of `synclens NAME` that starts fast."""
    return [sys.executable, "-c", COMMANDS.format(name), *map(str, args)]


@dataclass
class Running:
    """A Vault in a separate process."""

    base: str
    users: list[dict[str, Any]]

    def query(self, text: str) -> list[dict[str, Any]]:
        heads = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=self.base, headers=heads) as client:
            reply = client.post(f"{V}/query", data={"q": text}).json()
            assert reply["responseStatus"] == "SUCCESS", reply
            rows = list(reply["data"])
            while link := reply["responseDetails"].get("next_page"):
                reply = client.get(link).json()
                rows += reply["data"]
        return rows

    def calls_named(self, notes: list[str]) -> list[str]:
        rows = self.query("SELECT next_call_notes__v FROM call2__v WHERE next_call_notes__v != null")
        return sorted(row["next_call_notes__v"] for row in rows if row["next_call_notes__v"] in notes)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    db = tmp_path_factory.mktemp("vault") / "vault.sqlite"
    args = ("serve", "--db", db, "--port", 0, "--scenario", "calm", "--seed", 5, "--devices", 4, "--days", 1)
    options = ("--token", TOKEN, "--password", "pw", "--delay", 0.01, "--now", NOW)
    log = db.with_suffix(".log")
    with log.open("w") as err:
        process = subprocess.Popen(command("vault", *args, *options), cwd=ROOT, stderr=err, text=True)
    try:
        for _ in range(600):
            if match := re.search(r"Serving on (http://127\.0\.0\.1:\d+)", log.read_text()):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        with closing(sqlite3.connect(db)) as seen:
            rows = seen.execute("SELECT live FROM config WHERE kind = 'user' ORDER BY name").fetchall()
        users = [json.loads(row[0]) for row in rows]
        yield Running(match[1], [one for one in users if one["territories"]])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def process_args(vault: Running, folder: Path, kind: str, *more: str) -> list[str]:
    user = vault.users[0]
    return [sys.executable, str(SCRIPT), str(folder), vault.base, user["id"], user["password"], kind, *more]


def sync(vault: Running, folder: Path, kind: str = "incremental") -> None:
    """Run a sync that must succeed, in this process, which is faster than a separate one."""
    user = vault.users[0]
    device = open_device(folder, vault.base, user["id"], user["password"])
    assert asyncio.run(run(device, kind))
    device.env.close()


def sync_and_die(vault: Running, folder: Path, point: str, kind: str = "incremental") -> None:
    """A sync in a process that is killed at a point."""
    args = process_args(vault, folder, kind, point)
    process = subprocess.run(args, cwd=ROOT, check=False, capture_output=True, timeout=60)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()


def save_calls(vault: Running, folder: Path, notes: list[str]) -> None:
    device = open_device(folder, vault.base, vault.users[0]["id"])
    account = edits.list_record_ids(device, "account__v")[0]
    for note in notes:
        fields = {"account__v": account, "call_date__v": "2026-03-02", "next_call_notes__v": note}
        edit = edits.Edit(
            operation="create", object="call2__v", record_id=edits.new_mobile_id(device), fields=fields
        )
        edits.save(device, [edit])
    device.env.close()


def records_of(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    with closing(sqlite3.connect(folder / "data.sqlite")) as data:
        rows = data.execute("SELECT id, doc FROM record WHERE object = ?", (name,)).fetchall()
    return {record_id: json.loads(doc) for record_id, doc in rows}


def assert_whole(vault: Running, folder: Path, notes: list[str]) -> None:
    """Every saved call is in Vault once and on the device once; the device has its scope and nothing else."""
    assert vault.calls_named(notes) == sorted(notes)
    calls_on_device = records_of(folder, "call2__v")
    assert sorted(
        n for doc in calls_on_device.values() if (n := doc.get("next_call_notes__v")) in notes
    ) == sorted(notes)
    territory = vault.users[0]["territories"][0]
    scope = vault.query(f"SELECT id FROM account__v WHERE id != '{territory}'")
    assert set(records_of(folder, "account__v")) <= {row["id"] for row in scope}
    device = open_device(folder, vault.base, vault.users[0]["id"])
    assert (edits.count_pending_edits(device), errors_tab.entries(device)) == (0, [])
    device.env.close()


@pytest.mark.parametrize("point", POINTS)
def test_a_device_killed_at_a_point_of_an_incremental_sync_loses_nothing(
    vault: Running, tmp_path: Path, point: str
) -> None:
    sync(vault, tmp_path)
    notes = [f"{point} {n}" for n in range(3)]
    save_calls(vault, tmp_path, notes)
    sync_and_die(vault, tmp_path, point)
    sync(vault, tmp_path)
    assert_whole(vault, tmp_path, notes)


@pytest.mark.parametrize("point", ["refresh.downloaded", "refresh.swap", "store.swap"])
def test_a_device_killed_in_a_refresh_keeps_a_whole_database(
    vault: Running, tmp_path: Path, point: str
) -> None:
    sync(vault, tmp_path)
    before = records_of(tmp_path, "account__v")
    notes = [f"{point} {n}" for n in range(2)]
    save_calls(vault, tmp_path, notes)
    sync_and_die(vault, tmp_path, point, "database_refresh")
    assert records_of(tmp_path, "account__v") == before != {}
    sync(vault, tmp_path, "database_refresh")
    sync(vault, tmp_path)
    assert_whole(vault, tmp_path, notes)


def test_a_device_killed_at_random_moments_loses_nothing(vault: Running, tmp_path: Path) -> None:
    sync(vault, tmp_path)
    rng, notes, killed = Random(7), [], 0
    for n in range(8):
        fresh = [f"random {n}.{k}" for k in range(3)]
        save_calls(vault, tmp_path, fresh)
        notes += fresh
        args = process_args(vault, tmp_path, rng.choice(["incremental", "database_refresh"]))
        process = subprocess.Popen(args, cwd=ROOT)
        for _ in range(400):  # the process locks the store when it has started; kill it after that
            if process.poll() is not None or (tmp_path / "journal.sqlite-wal").exists():
                break
            time.sleep(0.005)
        time.sleep(
            rng.uniform(0, 0.35) if n % 2 else rng.uniform(0, 0.03)
        )  # a quick machine needs the short ones
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed > 0
    sync(vault, tmp_path)
    assert_whole(vault, tmp_path, notes)


def test_an_interrupted_sync_leaves_a_row_without_a_completion(vault: Running, tmp_path: Path) -> None:
    sync_and_die(vault, tmp_path, "incremental.download")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        (mobile_id,) = journal.execute("SELECT mobile_id FROM tracking").fetchone()
    sync(vault, tmp_path)
    text = f"SELECT sync_completed_datetime__v FROM sync_tracking__v WHERE mobile_id__v = '{mobile_id}'"
    assert vault.query(text) == [{"sync_completed_datetime__v": None}]


def test_a_second_process_is_refused_while_one_is_at_work(vault: Running, tmp_path: Path) -> None:
    device = open_device(tmp_path, vault.base, "1")
    with pytest.raises(DeviceError, match="in use by another process"):
        open_device(tmp_path, vault.base, "1")
    device.env.close()
    open_device(tmp_path, vault.base, "1").env.close()


def test_a_vault_that_is_not_there_is_an_error_row_and_not_a_crash(tmp_path: Path) -> None:
    device = open_device(tmp_path, "http://127.0.0.1:9", "1")
    assert not asyncio.run(run(device, "incremental"))
    device.env.close()
    row = json.loads((tmp_path / "sync_error.jsonl").read_text().splitlines()[-1])
    assert (row["error_type"], row["phase"], row["operation"]) == ("NETWORK_ERROR", "connect", "sign_in")


def test_a_day_with_the_commands(vault: Running, tmp_path: Path) -> None:
    """Sign in, sync, save offline, be refused, amend, sync again: with the commands."""
    user, home = vault.users[0], ("--home", tmp_path)

    def device(*args: object, code: int = 0) -> str:
        env = {"SYNCLENS_DEVICE_PASSWORD": user["password"]}
        done = CliRunner().invoke(device_app, [str(arg) for arg in (*args, *home)], env=env)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    assert "Sign in first" in device("status", code=2)
    device("sign-in", "--user", user["id"], "--address", vault.base)
    assert user["password"] not in "".join(p.read_text(errors="replace") for p in tmp_path.iterdir())
    offset = float(json.loads((tmp_path / "device.json").read_text())["clock_offset"])
    vault_time = datetime.now(UTC) + timedelta(seconds=offset + 60)
    assert timedelta(0) <= vault_time - datetime.fromisoformat(f"{NOW}Z") < timedelta(minutes=10)
    device("sync")
    syncs = vault.query("SELECT sync_start_datetime__v FROM sync_tracking__v")
    assert any(NOW < row["sync_start_datetime__v"] < vault_time.isoformat() for row in syncs)
    account = json.loads(device("list", "account__v"))[0]["id"]
    record_id = json.loads(device("create", "call2__v", f"account__v={account}", "status__v=planned__v"))[
        "id"
    ]
    device("sync", "auto")
    (entry,) = json.loads(device("errors", "--json"))
    assert (entry["type"], entry["record_id"]) == ("PARAMETER_REQUIRED", record_id)
    assert json.loads(device("widget"))["sync"]["color"] == "red"
    device("amend", entry["key"], record_id, "call_date__v=2026-03-02")
    device("sync")
    status = json.loads(device("status"))
    assert (status["errors"], status["pending_uploads"], status["signed_in"]) == (0, 0, True)
    assert json.loads(device("errors", "--json")) == []
