"""The command line without optional packages: it works, and names the command that installs a missing one."""

import os
import subprocess
import sys

import openpyxl
import pytest

from synclens.extras import MissingExtra, import_extra, require_extra

WITHOUT_DASHBOARD = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("dashboard", "streamlit"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
from synclens.cli import main

for command in sys.stdin.read().splitlines():
    sys.argv = ["synclens", *command.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (command, end.code)
    else:
        raise AssertionError(command)
"""
ERRORS = (
    '{"event_id": "e1", "occurred_at": "2026-03-04T08:00:00Z", "user_id": "u1", "message": "No network"}\n'
)


@pytest.fixture
def missing(monkeypatch):
    """Make modules look as if they were not installed."""

    def remove(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return remove


def test_commands_work_without_the_dashboard_package(tmp_path):
    (tmp_path / "errors.jsonl").write_text(ERRORS)
    environment = os.environ | {"SYNCLENS_STORE": str(tmp_path / "test.duckdb")}
    commands = (
        "--help", "load errors.jsonl", "triage", "issues", "issues --json", "history u1", "explain-error e1",
        "fleet --all --format csv", "metric errors_by_cause", "doctor", "rules corrections", "slo --json",
        "backup b.zip", "watch --once",
    )  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_DASHBOARD],
        input="\n".join(commands), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("modules", "command", "extra"),
    [
        (["streamlit"], ("dashboard",), "dashboard"),
        (["starlette"], ("vault", "serve", "--days", "0"), "vault-server"),
        (["uvicorn"], ("vault", "serve", "--days", "0"), "vault-server"),
        (["trustme"], ("vault", "serve", "--days", "0", "--tls"), "vault-server"),
        (["pyspark", "pyspark.sql"], ("metric", "success_rate", "--engine", "spark", "--lake", "."), "spark"),
        (["openpyxl"], ("load", "errors.xlsx"), "excel"),
        (["keyring"], ("pull", "--dns", "crm.example.com"), "keyring"),
    ],
    ids=["streamlit", "starlette", "uvicorn", "trustme", "pyspark", "openpyxl", "keyring"],
)
def test_a_missing_package_is_answered_with_its_install_command(
    synclens, missing, monkeypatch, tmp_path, modules, command, extra
):
    monkeypatch.chdir(tmp_path)
    for variable in ("VAULT_TOKEN", "VAULT_OAUTH_URL", "VAULT_USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    openpyxl.Workbook().save(tmp_path / "errors.xlsx")
    missing(*modules)
    result = synclens(*command)
    assert result.code == 2
    assert f"pip install 'synclens[{extra}]'" in result.err


def test_a_damaged_workbook_is_called_damaged_even_if_its_package_is_missing(synclens, missing, tmp_path):
    path = tmp_path / "errors.xlsx"
    openpyxl.Workbook().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    missing("openpyxl")
    result = synclens("load", str(path))
    assert result.code == 2
    assert "damaged or incomplete" in result.err
    assert "pip install" not in result.err


def test_an_installed_package_is_imported():
    require_extra("A test", "test", "json", "email.message")
    assert import_extra("A test", "test", "json").loads("1") == 1


def test_the_error_names_the_feature_and_the_package():
    with pytest.raises(MissingExtra, match="The dashboard needs the package no_such_package") as caught:
        require_extra("The dashboard", "dashboard", "json", "no_such_package.part")
    assert caught.value.next_step == "Install it with: pip install 'synclens[dashboard]'"
    with pytest.raises(MissingExtra):
        import_extra("The dashboard", "dashboard", "no_such_package")
