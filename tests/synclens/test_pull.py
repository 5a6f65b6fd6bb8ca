"""`synclens pull` prints one line for each target, what is missing and what to grant, and exits accordingly."""

import json
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import stamina

from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.server_state import ServerState
from tests.sync_engine.vault_api.http_caller import TOKEN, on_loopback

NOW = datetime(2026, 5, 4, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def vault_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pulled") / "vault.sqlite"
    seed_data.create_seeded_vault(path, load_scenario("calm"), seed=4, devices=2, days=2, now=NOW)
    return path


@pytest.fixture(autouse=True)
def without_waiting():
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def serving(vault_file, tmp_path, monkeypatch):
    """Return a context manager that serves the Vault, for a user with an API access token."""

    @contextmanager
    def serve(*refused):
        path = shutil.copy(vault_file, tmp_path / "vault.sqlite")
        vault = ServerState(vault=seed_data.open_vault(path), salt="salt", refused=frozenset(refused))
        vault.add_service_user("pw")
        vault.add_token(TOKEN)
        with on_loopback(vault, NOW.timestamp()) as address:
            monkeypatch.setenv("VAULT_DNS", address)
            monkeypatch.setenv("VAULT_TOKEN", TOKEN)
            yield address
        vault.vault.db.close()

    return serve


def outcomes(result):
    """Return the outcome of each target from the JSON output."""
    return {each["target"]: each["outcome"] for each in json.loads(result.out)["targets"]}


def test_a_complete_pull_exits_with_zero(synclens, serving):
    with serving():
        result = synclens("pull")
        again = synclens("pull", "--json")
    assert (result.code, again.code) == (0, 0), result.err
    assert "sync_tracking__v" in result.out
    assert "not pulled" not in result.out + result.err
    assert "behind" in result.err or "ahead of" in result.err  # this machine's clock is not the Vault's
    assert set(outcomes(again).values()) == {"complete"}


def test_a_pull_that_misses_something_exits_with_one_and_names_the_grants(synclens, serving):
    refused = (
        "login_audit_trail",
        "user__sys.country__v",
        "veeva_settings__v",
        "/objects/picklists/language__sys",
    )
    with serving(*refused):
        printed = synclens("pull")
        result = synclens("pull", "--json")
    assert (printed.code, result.code) == (1, 1)
    lines = [line.strip() for line in printed.err.splitlines()]
    assert any(line.startswith("user__sys: field country__v not pulled: ") for line in lines)
    assert any("Read on user__sys.country__v" in line for line in lines if line.startswith("Next:"))
    assert any("Admin: Logs: Login Audit" in line for line in lines if line.startswith("Next:"))
    assert any(line.startswith("user__sys: labels of language__sys not pulled: ") for line in lines)
    by_target = outcomes(result)
    assert [by_target[name] for name in ("sync_tracking__v", "user__sys", "veeva_settings__v")] == [
        "complete",
        "incomplete",
        "not pulled",
    ]
    assert by_target["login_audit_trail"] == "not pulled"
    assert by_target["object_audit_trail"] == "complete"


def test_a_pull_that_gets_nothing_exits_with_two(synclens, serving):
    with serving("/metadata", "/query", "/objects", "/audittrail"):
        result = synclens("pull", "--json")
    assert result.code == 2
    by_target = outcomes(result)
    assert {by_target.pop("permissions"), *by_target.values()} == {
        "complete",
        "not pulled",
    }  # no user is known
    assert set(by_target.values()) == {"not pulled"}
    assert "nothing was pulled" in result.err
    assert "Grant the service user" in result.err


@pytest.mark.parametrize("kind", ["full", "incremental", "log"])
def test_refused_direct_data_exits_with_two(synclens, serving, kind):
    with serving("/services/directdata"):
        result = synclens("pull", "--direct-data", kind)
    assert result.code == 2
    assert "API Direct Data" in result.err


def test_direct_data_without_a_full_file_exits_with_one(synclens, serving):
    with serving():
        partial = synclens("pull", "--direct-data", "incremental", "--json")
        full = synclens("pull", "--direct-data", "full", "--json")
        incremental = synclens("pull", "--direct-data", "incremental", "--json")
    assert (partial.code, full.code, incremental.code) == (1, 0, 0), full.err
    assert "pull --direct-data full" in partial.out
    assert any(name.endswith("-F.tar.gz.001") for name in outcomes(full))


def test_an_unknown_type_of_direct_data_is_refused(synclens, serving):
    with serving():
        result = synclens("pull", "--direct-data", "everything")
    assert (result.code, "full, incremental, log" in result.err) == (2, True)
