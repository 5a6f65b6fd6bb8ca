"""Each rule proven: with its fault the engine does what the rule says, without it all is well; lint sees just it."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ingest
from analysis.config_lint.rules import LINT_RULES, lint
from ingest.vault.pull import OBJECTS
from sync_engine.telemetry import DeviceInfo
from sync_engine.vault import admin
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.app import build_app, make_server
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState
from synclens.cli import app
from synclens.engine_configuration import configuration_rows
from tests.conftest import fresh_store
from tests.support.engine_harness import EngineHarness
from tests.support.lint_scenarios import NOT_PULLED, NOT_TOLD, PROOFS, nothing

SECRET = "a password for a test"
each_rule = pytest.mark.parametrize("rule", PROOFS)
TRAILS = ["object_audit_trail", "system_audit_trail"]


@pytest.fixture
def make_clinic(store):
    """A clinic with the fault of a rule, or without it."""
    opened = []

    def make(rule, *, ill):
        made = EngineHarness(store)
        opened.append(made)
        assert made.person.platform in ("iPad", "iPhone")
        proof = PROOFS[rule]
        proof.prepare(made)
        (proof.plant if ill else proof.well)(made)
        return made

    yield make
    for one in opened:
        one.close()


def rules_found(store):
    return set(lint(store)["rule"])


def told(clinic):
    """What lint finds in what the simulator tells: configuration, its changes, and what devices hold."""
    now = datetime.fromtimestamp(clinic.scheduler.now, UTC)
    (accounts,) = clinic.vault.db.execute(
        "SELECT count(*) FROM record WHERE object = 'account__v'"
    ).fetchone()
    device = DeviceInfo(
        device_id=clinic.person.device_id, as_of=now, user_id=clinic.person.user_id,
        platform=clinic.person.platform, accounts=accounts,
    )  # fmt: skip
    rows = [*configuration_rows(clinic.vault, now), *admin.audit_trail(clinic.vault), device]
    ingest.append(clinic.store, rows, source="engine", started_at=now)
    return rules_found(clinic.store)


@contextmanager
def serving(vault_file: Path, now: float):
    served = ServerState(vault=seed_data.open_vault(vault_file), salt="salt")
    served.provide_service_user(SECRET)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = make_server(build_app(served, lambda: now))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        served.vault.db.close()


def reads_fields(rule):
    return "object_field" in LINT_RULES[rule].needs


def pulled(clinic, folder, *, whole):
    """What lint finds in what was pulled over HTTP, with the fields of `whole` the model."""
    with sqlite3.connect(folder / "vault.sqlite") as kept:
        clinic.vault.db.backup(kept)
    kept.close()
    described = {one["object_name__v"] for one in clinic.vault.live["vmoc"].values()} if whole else ()
    now = clinic.scheduler.now + 60
    with (
        fresh_store() as store,
        serving(folder / "vault.sqlite", now) as address,
        ingest.VaultClient(address, ingest.Password(SERVICE_NAME, SECRET), sleep=lambda _: None) as client,
    ):
        ingest.pull(
            store, client, objects=[*OBJECTS, *sorted(described)], trails=TRAILS,
            clock=lambda: datetime.fromtimestamp(now, UTC),
        )  # fmt: skip
        return rules_found(store)


def test_every_rule_has_its_proof():
    assert set(PROOFS) == set(LINT_RULES)


def test_a_plain_vault_has_no_finding(make_clinic, tmp_path):
    clinic = make_clinic("vmoc-duplicate", ill=False)
    assert told(clinic) == set() == pulled(clinic, tmp_path, whole=True)


@each_rule
def test_with_the_fault_lint_finds_it_alone_and_it_harms(rule, make_clinic, tmp_path):
    clinic = make_clinic(rule, ill=True)
    assert told(clinic) == (set() if rule in NOT_TOLD else {rule})
    assert pulled(clinic, tmp_path, whole=reads_fields(rule)) == (set() if rule in NOT_PULLED else {rule})
    assert PROOFS[rule].harmed(clinic)


@each_rule
def test_without_the_fault_nothing_is_found_and_nothing_harms(rule, make_clinic, tmp_path):
    clinic, proof = make_clinic(rule, ill=False), PROOFS[rule]
    if proof.prepare is not nothing:  # else it is the plain Vault
        assert told(clinic) == proof.beside
        assert pulled(clinic, tmp_path, whole=reads_fields(rule)) == set()
    assert not proof.harmed(clinic)


def test_the_command_finds_it_too(make_clinic, tmp_path):
    clinic, path = make_clinic("vmoc-without-device", ill=True), tmp_path / "clinic.duckdb"
    now = datetime.fromtimestamp(clinic.scheduler.now, UTC)
    with ingest.open_store(path, read_only=False) as store:
        ingest.append(store, [*configuration_rows(clinic.vault, now)], source="engine", started_at=now)
    said = CliRunner().invoke(app, ["lint", "--json", "--store", str(path)])
    assert said.exit_code == 1
    assert [one["rule"] for one in json.loads(said.stdout)["findings"]] == ["vmoc-without-device"]


def table_row(rule):
    one = LINT_RULES[rule]
    where = [road for road, not_in in (("told", NOT_TOLD), ("pulled", NOT_PULLED)) if rule not in not_in]
    return f"| {rule} | {one.title} | {one.proof} | {', '.join(where)} |"


def test_the_table_of_proofs_is_that_of_the_rules():
    page = (Path(__file__).parents[3] / "docs" / "rehearsal.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.split(" ")[1] in LINT_RULES]
    assert rows == [table_row(rule) for rule in LINT_RULES]
