"""A simulated Vault in a file, served over real HTTP with injected faults."""

import asyncio
import shutil
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import duckdb
import pytest
import stamina

from ingest import Password, VaultClient, migrate, pull
from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.app import build_app, make_server
from sync_engine.vault_api.fault_injection import FAULTS, FaultInjection
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState

SECRET = "a password for a test"
ALL_FAULTS = [
    *("expire=29", "shrink=7", "forget-pages=2", "burst=20", "burst-delay=1", "fail-part=2", "no-md5=1"),
    *("not-found=31", "proxy=11", "portal=37", "drop=13", "unknown-type=41", "exception=17"),
    *("configuration-mode=43", "warning=3", "drift=1", "version-trap=1", "odd-session=1"),
    *("error:RACE_CONDITION=47", "error:API_LIMIT_EXCEEDED=53", "error:OPERATION_IN_PROGRESS=59"),
]
COVERED_FAULTS = set(FAULTS) - {"other-vault", "unpublished"}
"""Faults that other tests cover: a different Vault is rejected, and unpublished files cannot be loaded."""
assert {each.partition("=")[0] for each in ALL_FAULTS if ":" not in each} == COVERED_FAULTS


@pytest.fixture(scope="session")
def simulated_vault(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "vault.sqlite"
    at = seed_data.create_seeded_vault(path, load_scenario("demo"), seed=5, devices=4, days=2)
    return SimpleNamespace(path=path, at=at, now=datetime.fromtimestamp(at, UTC))


@pytest.fixture
def served(simulated_vault, tmp_path):
    """Serve copies of the simulated Vault; call it with faults to get an address and the Vault."""
    running = []

    def serve(*faults, now=None, **options):
        path = tmp_path / f"vault-{len(running)}.sqlite"
        shutil.copy(simulated_vault.path, path)
        vault = ServerState(
            vault=seed_data.open_vault(path), salt="salt", faults=FaultInjection.parse(faults), **options
        )
        vault.add_service_user(SECRET)
        listening = socket.create_server(("127.0.0.1", 0))
        server = make_server(build_app(vault, now or (lambda: simulated_vault.at)))
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


@pytest.fixture
def all_faults():
    """Return every fault that a pull survives, to inject them together."""
    return ALL_FAULTS


@pytest.fixture
def signed_in():
    """Return a context manager that yields a signed-in client of an address."""

    @contextmanager
    def client(address):
        with VaultClient(address, Password(SERVICE_NAME, SECRET), sleep=lambda seconds: None) as signed:
            yield signed

    return client


@pytest.fixture
def make_empty_store():
    """Return a function that makes an empty store in memory."""

    def make():
        store = duckdb.connect(":memory:")
        store.execute("SET TimeZone = 'UTC'")
        migrate(store)
        return store

    return make


@pytest.fixture
def pulled(simulated_vault, signed_in, make_empty_store):
    """Return a function that pulls all tables from an address (default: into a new store)."""

    def pull_from(address, *, at=None, into=None, **more):
        store = into or make_empty_store()
        with signed_in(address) as client:
            report = pull(store, client, clock=lambda: at or simulated_vault.now, **more)
        return store, report

    return pull_from


@pytest.fixture
def content():
    """Return a function that reads the rows of a table, without their source."""

    def read(store, table="sync_tracking__v"):
        return store.execute(
            f"SELECT * EXCLUDE (source, batch_id, extra) FROM {table} ORDER BY ALL"
        ).fetchall()

    return read
