"""Fixtures that run the command line in this process, on a temporary store."""

import shutil
import sys
from dataclasses import dataclass

import pytest

from synclens import cli, console


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str


@pytest.fixture
def synclens(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command line; the default store is a temporary file."""
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "test.duckdb"))
    monkeypatch.setenv("COLUMNS", "120")
    # A console keeps the width of its first import; the workers of pytest-xdist inherit COLUMNS=80 from readline.
    for stream in (console._out, console._err):
        monkeypatch.setattr(stream, "_width", None)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["synclens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        result = capsys.readouterr()
        return CommandResult(ended.value.code or 0, result.out, result.err)

    return run


@pytest.fixture(scope="session")
def simulated_store(tmp_path_factory):
    """The store of a small fleet, simulated once and copied for each test that uses `simulated`."""
    path = tmp_path_factory.mktemp("simulated") / "fleet.duckdb"
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as ended:
        arguments = ["simulate", "--store", str(path), "--seed", "3", "--devices", "8", "--days", "4"]
        patched.setattr(sys, "argv", ["synclens", *arguments])
        cli.main()
    assert not ended.value.code
    return path


@pytest.fixture
def simulated(synclens, simulated_store, tmp_path):
    shutil.copy(simulated_store, tmp_path / "test.duckdb")
    return synclens
