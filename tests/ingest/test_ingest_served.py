"""The pull against the reference Vault over real HTTP, behaving and misbehaving."""

import asyncio
import csv
import shutil
import socket
import threading
from datetime import UTC, datetime

import duckdb
import pytest
import stamina

from analysis import lint
from ingest import Password, VaultClient, fetch_direct_data, load, load_all, migrate, pull
from ingest.rows import as_text
from ingest.vault.describe import describe
from sync_engine.http import filling
from sync_engine.http.app import build_app, make_server
from sync_engine.http.mischief import WAYS, Mischief
from sync_engine.http.served import SERVICE_NAME, Served
from sync_engine.simulator import load_scenario

SECRET = "a password for a test"
EVERYTHING = [
    *("expire=29", "shrink=7", "forget-pages=2", "burst=20", "burst-delay=1", "fail-part=2", "no-md5=1"),
    *("not-found=31", "proxy=11", "portal=37", "drop=13", "unknown-type=41", "exception=17"),
    *("configuration-mode=43", "warning=3", "drift=1", "version-trap=1", "odd-session=1"),
    *("error:RACE_CONDITION=47", "error:API_LIMIT_EXCEEDED=53", "error:OPERATION_IN_PROGRESS=59"),
]
ALMOST_ALL = set(WAYS) - {"other-vault", "unpublished"}
"""Another Vault is refused, and what is not published cannot come: each has a test of its own."""
TABLES = ("sync_tracking__v", "sync_user", "vmoc", "veeva_setting", "permission_grant", "config_change")


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
    assert {each.partition("=")[0] for each in EVERYTHING if ":" not in each} == ALMOST_ALL
    good, reports = pulled(served()[0], played[1])
    assert [table for table in TABLES if not content(good, table)] == ["config_change"]
    assert not [report for report in reports if report.rows_rejected]
    address, vault = served(*EVERYTHING, links="mixed")
    bad, _ = pulled(address, played[1])
    assert vault.mischief.done["proxy"] > 3
    assert {table: content(bad, table) for table in TABLES} == {
        table: content(good, table) for table in TABLES
    }
    truth = vault.vault.db.execute("SELECT id FROM tracking ORDER BY id").fetchall()
    assert bad.execute("SELECT id FROM sync_tracking__v ORDER BY id").fetchall() == truth


def test_direct_data_comes_through_every_trouble(served, played, tmp_path):
    address, vault = served(*EVERYTHING, part_bytes=4000)
    with VaultClient(address, Password(SERVICE_NAME, SECRET), sleep=lambda seconds: None) as client:
        fetched = fetch_direct_data(client, tmp_path, extract="full_directdata")
    assert vault.mischief.done["fail-part"] == 2
    store = duckdb.connect(":memory:")
    migrate(store)
    load_all(fetched.paths, store)
    good, _ = pulled(served()[0], played[1], trails=[])
    assert len(content(store)) > 10
    assert set(content(store)) <= set(content(good))


def test_lint_finds_in_a_pulled_store_what_was_planted_in_the_vault(served, played):
    address, vault = served()
    before = found(pulled(address, played[1])[0])
    users = vault.vault.live["user"].values()
    for name in {each["permission_set"] for each in users if each["email"] != SERVICE_NAME}:
        each = vault.vault.live["permission_set"][name]
        each["metadata_api"] = True
        each["fields"] = {"call2__v": {"modified_date__v": {"read": False, "edit": False}}}
    store, _ = pulled(address, played[1])
    assert found(store) - before >= {"metadata-api-for-end-users", "modified-date-not-readable"}


def found(store):
    return set(lint(store)["rule"])


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


def test_the_same_syncs_come_through_csv(served, played, tmp_path):
    address, _ = served()
    good, _ = pulled(address, played[1], objects=["sync_tracking__v"], trails=[])
    with VaultClient(address, Password(SERVICE_NAME, SECRET)) as client:
        names = describe(client, "sync_tracking__v").names
        pages = client.query(f"SELECT {', '.join(names)} FROM sync_tracking__v")
        rows = [{name: as_text(cell) for name, cell in row.items()} for page in pages for row in page.data]
    with (tmp_path / "sync_tracking__v.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    store = duckdb.connect(":memory:")
    store.execute("SET TimeZone = 'UTC'")
    migrate(store)
    load(tmp_path / "sync_tracking__v.csv", store)
    assert content(store) == content(good)
