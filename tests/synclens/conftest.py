"""The command line run in this process, on a store of the test's own."""

import shutil
import sys
from dataclasses import dataclass

import pytest

from synclens import cli


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def synclens(monkeypatch, capsys, tmp_path):
    """Run the command line; the default store is a file of the test's own."""
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "test.duckdb"))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["synclens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Said(ended.value.code or 0, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def simulated_store(tmp_path_factory):
    """A small fleet, played once; copied for each test that asks for `simulated`."""
    path = tmp_path_factory.mktemp("simulated") / "fleet.duckdb"
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as ended:
        words = ["simulate", "--store", str(path), "--seed", "3", "--devices", "8", "--days", "4"]
        patched.setattr(sys, "argv", ["synclens", *words])
        cli.main()
    assert not ended.value.code
    return path


@pytest.fixture
def simulated(synclens, simulated_store, tmp_path):
    shutil.copy(simulated_store, tmp_path / "test.duckdb")
    return synclens
