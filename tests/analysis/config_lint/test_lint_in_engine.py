"""Test each lint rule in the engine: the fault causes the failure that the rule states, and lint finds only it."""

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
from tests.support.lint_scenarios import NOT_IN_CONFIGURATION, NOT_PULLED, SCENARIOS, do_nothing

pytestmark = pytest.mark.slow

SECRET = "a password for a test"
each_rule = pytest.mark.parametrize("rule", SCENARIOS)
TRAILS = ["object_audit_trail", "system_audit_trail"]


@pytest.fixture
def make_harness(store):
    """Make a harness with the fault of a rule, or without it."""
    harnesses = []

    def make(rule, *, faulty):
        harness = EngineHarness(store)
        harnesses.append(harness)
        assert harness.person.platform in ("iPad", "iPhone")
        scenario = SCENARIOS[rule]
        scenario.prepare(harness)
        (scenario.inject_fault if faulty else scenario.configure)(harness)
        return harness

    yield make
    for harness in harnesses:
        harness.close()


def lint_rules(store):
    return set(lint(store)["rule"])


def lint_configuration(harness):
    """Return the rules that lint reports for the simulator's configuration, changes and device."""
    now = datetime.fromtimestamp(harness.scheduler.now, UTC)
    (accounts,) = harness.vault.db.execute(
        "SELECT count(*) FROM record WHERE object = 'account__v'"
    ).fetchone()
    device = DeviceInfo(
        device_id=harness.person.device_id, as_of=now, user_id=harness.person.user_id,
        platform=harness.person.platform, accounts=accounts,
    )  # fmt: skip
    rows = [*configuration_rows(harness.vault, now), *admin.audit_trail(harness.vault), device]
    ingest.append(harness.store, rows, source="engine", started_at=now)
    return lint_rules(harness.store)


@contextmanager
def serving(vault_file: Path, now: float):
    served = ServerState(vault=seed_data.open_vault(vault_file), salt="salt")
    served.add_service_user(SECRET)
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


def lint_pulled(harness, folder, *, whole):
    """Return the rules that lint reports after a pull over HTTP; `whole` pulls the metadata of all VMOC objects."""
    with sqlite3.connect(folder / "vault.sqlite") as copy:
        harness.vault.db.backup(copy)
    copy.close()
    described = {row["object_name__v"] for row in harness.vault.live["vmoc"].values()} if whole else ()
    now = harness.scheduler.now + 60
    with (
        fresh_store() as store,
        serving(folder / "vault.sqlite", now) as address,
        ingest.VaultClient(address, ingest.Password(SERVICE_NAME, SECRET), sleep=lambda _: None) as client,
    ):
        ingest.pull(
            store, client, objects=[*OBJECTS, *sorted(described)], trails=TRAILS,
            clock=lambda: datetime.fromtimestamp(now, UTC),
        )  # fmt: skip
        return lint_rules(store)


def test_every_rule_has_a_scenario():
    assert set(SCENARIOS) == set(LINT_RULES)


def test_a_plain_vault_has_no_finding(make_harness, tmp_path):
    harness = make_harness("vmoc-duplicate", faulty=False)
    assert lint_configuration(harness) == set() == lint_pulled(harness, tmp_path, whole=True)


@each_rule
def test_lint_finds_only_the_fault_and_the_failure_occurs(rule, make_harness, tmp_path):
    harness = make_harness(rule, faulty=True)
    assert lint_configuration(harness) == (set() if rule in NOT_IN_CONFIGURATION else {rule})
    assert lint_pulled(harness, tmp_path, whole=reads_fields(rule)) == (
        set() if rule in NOT_PULLED else {rule}
    )
    assert SCENARIOS[rule].fails(harness)


@each_rule
def test_without_the_fault_there_is_no_finding_and_no_failure(rule, make_harness, tmp_path):
    harness, scenario = make_harness(rule, faulty=False), SCENARIOS[rule]
    if scenario.prepare is not do_nothing:  # otherwise it is the plain Vault, tested above
        assert lint_configuration(harness) == scenario.other_findings
        assert lint_pulled(harness, tmp_path, whole=reads_fields(rule)) == set()
    assert not scenario.fails(harness)


def test_the_command_prints_the_finding(make_harness, tmp_path):
    harness, path = make_harness("vmoc-without-device", faulty=True), tmp_path / "store.duckdb"
    now = datetime.fromtimestamp(harness.scheduler.now, UTC)
    with ingest.open_store(path, read_only=False) as store:
        ingest.append(store, [*configuration_rows(harness.vault, now)], source="engine", started_at=now)
    result = CliRunner().invoke(app, ["lint", "--json", "--store", str(path)])
    assert result.exit_code == 1
    assert [finding["rule"] for finding in json.loads(result.stdout)["findings"]] == ["vmoc-without-device"]


def table_row(rule):
    sources = (("simulated", NOT_IN_CONFIGURATION), ("pulled", NOT_PULLED))
    found_in = ", ".join(source for source, exceptions in sources if rule not in exceptions)
    return f"| {rule} | {LINT_RULES[rule].title} | {LINT_RULES[rule].proof} | {found_in} |"


def test_the_documented_table_matches_the_rules():
    page = (Path(__file__).parents[3] / "docs" / "rehearsal.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.split(" ")[1] in LINT_RULES]
    assert rows == [table_row(rule) for rule in LINT_RULES]
