"""Checks of the repository as a whole: packages, modules, docstrings, decision records and the wheel."""

import ast
import builtins
import importlib
import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest

import analysis
import ingest
from sync_engine import telemetry

ROOT = Path(__file__).parents[1]
PACKAGES = ["sync_engine", "ingest", "analysis", "rehearsal", "dashboard", "synclens"]
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TABLE_OF = {
    telemetry.SyncTracking: "sync_tracking__v",
    telemetry.SyncError: "sync_error",
    telemetry.SyncDetail: "sync_detail",
    telemetry.ConfigChange: "config_change",
    telemetry.SyncUser: "sync_user",
    telemetry.DeviceInfo: "device",
    telemetry.PendingRecord: "pending_record",
    telemetry.Truth: "engine_truth.event_cause",
}


@pytest.mark.parametrize("record", TABLE_OF, ids=lambda record: record.__name__)
def test_a_record_and_its_table_have_the_same_fields(record, tmp_path):
    with ingest.open_store(tmp_path / "empty.duckdb", read_only=False) as store:
        columns = {row[0] for row in store.execute(f"DESCRIBE {TABLE_OF[record]}").fetchall()}
    assert columns - {"extra", "source", "batch_id"} == {field.name for field in fields(record)}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_the_one_in_this_repository(package):
    folder = Path(importlib.import_module(package).__file__ or "").parent
    assert folder == ROOT / package


@pytest.mark.parametrize("package", ["ingest", "analysis"])
def test_all_is_what_is_there(package):
    module = importlib.import_module(package)
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert not missing
    assert module.__all__ == sorted(
        module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


def test_no_module_exceeds_400_lines():
    sizes = {_shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_every_public_name_has_a_docstring():
    undocumented = [name for path in MODULES for name in _undocumented(path)]
    assert undocumented == []


def _undocumented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree):
        yield _shown(path)
    for node in tree.body:
        is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if is_definition and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{_shown(path)}: {node.name}"


def _shown(path):
    return path.relative_to(ROOT).as_posix()


def test_every_exception_that_a_docstring_names_exists():
    trees = {_shown(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    classes = {
        node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }
    defined = classes | set(vars(builtins)) | {"BadParameter"}  # typer's
    documented = [
        (name, exception)
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
        for sentence in re.findall(r"\bRaises ([^.]*)", ast.get_docstring(node) or "")
        for exception in re.findall(r"\b[A-Z][a-z]+[A-Z]\w+\b", sentence)
    ]
    assert documented
    assert [(name, exception) for name, exception in documented if exception not in defined] == []


def test_no_package_init_has_logic():
    """An `__init__` may import and list names, and load them lazily; it defines nothing else."""
    lazy = {"__getattr__", "__dir__"}
    logic = [
        f"{_shown(path)}:{node.lineno}"
        for path in MODULES
        if path.name == "__init__.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.Assign | ast.AnnAssign | ast.If)
        and getattr(node, "name", None) not in lazy
    ]
    assert logic == []


def test_the_engine_needs_only_the_standard_library():
    """A static graph cannot see a deferred import; a fresh interpreter can."""
    script = (
        "import sys, pkgutil, importlib, sync_engine\n"
        "for m in pkgutil.walk_packages(sync_engine.__path__, 'sync_engine.'):\n"
        "    if m.name != 'sync_engine.vault_api.app' and not m.name.endswith('__main__'):\n"
        "        importlib.import_module(m.name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert set(loaded) <= {"sync_engine", "__main__"}


def test_every_decision_is_numbered_and_complete():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name


def test_no_file_names_a_path_of_one_machine():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = [
        ROOT / name
        for name in tracked
        if name and not name.endswith((".png", ".lock", ".xlsx", ".zip", ".gz"))
    ]
    naming = [
        str(path.relative_to(ROOT))
        for path in texts
        if path.exists()
        and re.search(r"/(?:wo[r]k|ro[o]t)/|/ho[m]e/\w", path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not naming


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the Python of an empty environment with the built wheel and access to our dependencies."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", with_pip=True)
    python = place / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
        capture_output=True,
    )
    site = next((place / "env").glob("lib/python*/site-packages"))
    dependencies = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    # Only third-party packages are shared: ours must come from the wheel.
    (site / "dependencies.pth").write_text(f"import sys; sys.path.append({str(dependencies)!r})\n")
    return python


def run_installed(python, *command):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [python, *command], capture_output=True, text=True, check=True, cwd=python.parent, env=environment
    ).stdout


@pytest.mark.wheel
def test_the_wheel_carries_its_data(installed):
    script = (
        "import json, analysis, ingest.store.open\n"
        "print(json.dumps([analysis.__file__, len(analysis.CAUSES), len(analysis.METRICS),"
        " len(ingest.store.open.MIGRATIONS), [analysis.load_playbook(c).short_fix for c in analysis.CAUSES]]))"
    )
    path, causes, metrics, migrations, fixes = json.loads(run_installed(installed, "-c", script))
    assert Path(path).is_relative_to(installed.parents[1])
    assert causes == len(analysis.CAUSES) > 30
    assert metrics == len(analysis.METRICS) > 4
    assert migrations == len(list(files("ingest.store").joinpath("migrations").iterdir()))
    assert all(fixes)


@pytest.mark.wheel
def test_the_wheel_has_the_command(installed):
    shown = run_installed(installed, installed.parent / "synclens", "--help")
    for command in ("load", "simulate", "classify", "issues", "explain-error", "metric", "dashboard"):
        assert command in shown
