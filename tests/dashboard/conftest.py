from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser
from streamlit.testing.v1 import AppTest

import dashboard
from benchmarks import dashboard as bench
from dashboard import data
from ingest import open_store
from tests.support.synthetic import fill

HOSTILE = (
    '<script>document.title="owned"</script><img src=x onerror=alert(1)> '
    "**bold** [link](https://evil.example) :red[red] $x^2$ `code` # heading"
)
FORMULA = '=HYPERLINK("https://evil.example","click")'


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stores by name: empty, one_row, normal, hostile."""
    folder = tmp_path_factory.mktemp("stores")
    paths = {name: folder / f"{name}.duckdb" for name in ("empty", "one_row", "normal", "hostile")}
    with open_store(paths["empty"], read_only=False):
        pass
    with open_store(paths["one_row"], read_only=False) as store:
        fill(store, syncs=1, errors=1, devices=1, days=1, seed=3)
        store.execute("DELETE FROM config_change")
    with open_store(paths["normal"], read_only=False) as store:
        fill(store, syncs=3_000, errors=600, devices=60, days=28, seed=5)
    with open_store(paths["hostile"], read_only=False) as store:
        fill(store, syncs=400, errors=80, devices=12, days=7, seed=7)
        store.execute("UPDATE sync_error SET message = ?, payload = ?", [HOSTILE, HOSTILE])
        store.execute("UPDATE sync_error SET object = ?, field = ?", [HOSTILE, FORMULA])
        store.execute(
            "UPDATE sync_user SET name = ?, territory = ?, country = ?", [HOSTILE, FORMULA, HOSTILE]
        )
        store.execute("UPDATE device SET model = ?, app_version = ?", [HOSTILE, FORMULA])
        store.execute(
            "UPDATE config_change SET target = ?, before = ?, after = ?", [HOSTILE, FORMULA, HOSTILE]
        )
    return paths


@pytest.fixture(autouse=True)
def wait_for_review(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the review finish before a page is drawn, so that results do not depend on speed."""
    monkeypatch.setattr(data, "REVIEW_WAIT_SECONDS", 120.0)


@pytest.fixture(autouse=True)
def restore_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore `__main__`, which AppTest replaces; a process started later would run the page instead."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def served(
    stores: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], SimpleNamespace]]:
    """Serve a store by its name: `address`, `pid`, `store`. Tests share the server and its triage file."""
    with ExitStack() as running:
        servers: dict[str, SimpleNamespace] = {}

        def serve(name: str) -> SimpleNamespace:
            if name not in servers:
                copy = tmp_path_factory.mktemp("served") / f"{name}.duckdb"
                copy.write_bytes(stores[name].read_bytes())
                servers[name] = running.enter_context(bench.serve(copy))
                servers[name].store = copy
            return servers[name]

        yield serve


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file; each test opens new contexts.

    Not for the whole session: its driver keeps an event loop in this thread, so no other one can run.
    """
    with bench.chromium() as browser:
        yield browser


@pytest.fixture
def visit(stores: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    """Open a page on one of the stores, like a link with these parameters."""

    def open_page(name: str, store: str = "normal", **parameters: str | list[str]) -> AppTest:
        monkeypatch.setenv("SYNCLENS_STORE", str(stores[store]))
        app = AppTest.from_file(dashboard.app_path(), default_timeout=60)
        app.query_params.update(parameters)
        if name != "overview":  # the file of a page has the name of its URL
            app.switch_page(f"views/{name}.py")
        return app.run()

    return open_page
