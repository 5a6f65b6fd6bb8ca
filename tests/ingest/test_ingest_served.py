"""The pull against the reference Vault over real HTTP, behaving and misbehaving."""

import asyncio
import shutil
import socket
import threading
from datetime import UTC, datetime

import duckdb
import pytest
import stamina

from ingest import Password, VaultClient, fetch_direct_data, load_all, migrate, pull
from sync_engine.http import filling
from sync_engine.http.app import build_app, make_server
from sync_engine.http.mischief import Mischief
from sync_engine.http.served import SERVICE_NAME, Served
from sync_engine.simulator import load_scenario

SECRET = "a password for a test"
EVERYTHING = ["expire=9", "shrink=7", "proxy=11", "drop=13", "exception=17", "warning=3", "odd-session=1"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "vault.sqlite"
    return path, filling.fill(path, load_scenario("demo"), seed=5, devices=4, days=2)


@pytest.fixture
def served(played, tmp_path):
    """Serve copies of the played Vault; call it with misbehaviours to get an address."""
    running = []

    def serve(*ways, **options):
        path = tmp_path / f"vault-{len(running)}.sqlite"
        shutil.copy(played[0], path)
        vault = Served(vault=filling.open_vault(path), salt="salt", mischief=Mischief.parse(ways), **options)
        vault.provide_service_user(SECRET)
        listening = socket.create_server(("127.0.0.1", 0))
        server = make_server(build_app(vault, lambda: played[1]))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        running.append((server, thread, listening, vault))
        return f"http://127.0.0.1:{listening.getsockname()[1]}", vault

    yield serve
    for server, thread, listening, vault in running:
        server.should_exit = True
        thread.join()
        listening.close()
        vault.vault.db.close()


@pytest.fixture(autouse=True)
def without_waiting():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


def pulled(address, at, **more):
    store = duckdb.connect(":memory:")
    store.execute("SET TimeZone = 'UTC'")
    migrate(store)
    with VaultClient(address, Password(SERVICE_NAME, SECRET), sleep=lambda seconds: None) as client:
        reports = pull(store, client, clock=lambda: moment(at), **more)
    return store, reports


def moment(at):
    return datetime.fromtimestamp(at, UTC)


def content(store, table="sync_tracking__v"):
    return store.execute(f"SELECT * EXCLUDE (source, batch_id, extra) FROM {table} ORDER BY ALL").fetchall()


def test_a_pull_from_a_vault_with_every_trouble_ends_as_one_from_a_good_one(served, played):
    good, reports = pulled(served()[0], played[1])
    assert len(content(good)) > 10
    assert not [report for report in reports if report.rows_rejected]
    address, vault = served(*EVERYTHING, links="mixed")
    bad, _ = pulled(address, played[1])
    assert content(bad) == content(good)
    assert sum(vault.mischief.done.values()) > 3
    for table in ("sync_user", "config_change"):
        assert content(bad, table) == content(good, table)


def test_the_same_syncs_come_through_direct_data(served, played, tmp_path):
    address, _ = served(part_bytes=4000)
    good, _ = pulled(address, played[1], objects=["sync_tracking__v"], trails=[])
    store = duckdb.connect(":memory:")
    store.execute("SET TimeZone = 'UTC'")
    migrate(store)
    with VaultClient(address, Password(SERVICE_NAME, SECRET)) as client:
        fetched = fetch_direct_data(client, tmp_path, extract="full_directdata")
        later = fetch_direct_data(client, tmp_path)
    load_all([*fetched.paths, *later.paths], store)
    assert {row[0] for row in content(store)} == {row[0] for row in content(good)}
    assert content(store) == content(good)
