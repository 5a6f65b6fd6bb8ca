"""Measure the served dashboard: page speed, many users at once, accessibility, and screenshots.

    python benchmarks/dashboard.py                                      speed of every page, 200,000 syncs
    python benchmarks/dashboard.py --syncs 10000000 --errors 1000000    the same at full size
    python benchmarks/dashboard.py --sessions 20 --minutes 2            users at once, during loads
    python benchmarks/dashboard.py --axe                                axe-core findings on every page
    python benchmarks/dashboard.py --pictures docs/pictures [--store demo.duckdb] [--pages issue] [--themes dark]
                                   [--screens tablet] [--whole]

Server time is one run of a page's script without a browser; queries are the part with the store open. `--cpu`
measures CPU time instead of elapsed time, for busy machines. Drawn is the time from following the link until
Chromium has drawn everything.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import streamlit as st
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import analysis
import dashboard
from analysis.fleet.devices import list_devices
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for
from dashboard import data
from dashboard.pages import ENTRIES
from ingest import open_store
from tests.support.synthetic import fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
PAGES = [entry.name for entry in ENTRIES]
HEADINGS = ("cold", "queries", "own", "target", "warm", "drawn", "again")
TIMEOUT_MS = 900_000  # ten million syncs on a busy machine
NOW = "2026-03-30T08:00:00+00:00"


@contextmanager
def serve(
    store: Path, *, folder: Path | None = None, port: int | None = None, **environment: str
) -> Iterator[SimpleNamespace]:
    """Serve the dashboard for a store in a folder on a port (default: a free one); yields `address` and `pid`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", port or 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", *dashboard.streamlit_arguments(port)]
    settings = dashboard.environment(store) | {"SYNCLENS_NOW": NOW} | environment
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=settings, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://localhost:{port}/_stcore/health", server, log)
            yield SimpleNamespace(address=f"http://localhost:{port}", pid=server.pid)
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait(url: str, server: subprocess.Popen[bytes], log) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.5)
        if server.poll() is not None:
            break
    log.seek(0)
    raise RuntimeError(f"the dashboard did not start: {log.read().decode(errors='replace')[-2000:]}")


@contextmanager
def chromium() -> Iterator:
    """Start the installed Chromium with Playwright."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def wait_until_idle(page) -> None:
    """Wait until Streamlit has finished the run and drawn the page."""
    page.locator("h1").first.wait_for(timeout=TIMEOUT_MS)
    page.locator(IDLE).wait_for(timeout=TIMEOUT_MS)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')", timeout=TIMEOUT_MS)


def selections(store: Path) -> dict[str, str]:
    """Return the query of the pages with a selection: the worst issue, the first device."""
    with open_store(store) as opened:
        issue_id = analysis.list_issues(opened)["issue_id"].iloc[0]
        device = list_devices(opened)["device"].iloc[0]
    return {"issue": f"issue={issue_id}", "device": f"device={device}"}


def addresses(store: Path, base: str) -> dict[str, str]:
    """Return the URL of each page by name, with its selection."""
    queries = selections(store)
    paths = {name: "" if name == "overview" else name for name in PAGES}
    return {name: f"{base}/{path}?{queries.get(name, '')}" for name, path in paths.items()}


def axe_findings(page, address: str) -> list[dict]:
    """Open a page and run axe-core once it is idle."""
    page.goto(address)
    wait_until_idle(page)
    page.wait_for_timeout(600)  # charts fade in, and half-transparent text has no contrast
    return run_axe(page)


def run_axe(page) -> list[dict]:
    """Return axe-core findings on a page: rule, impact, number of places, the first place."""
    violations = Axe().run(page).response["violations"]
    return [
        {
            "rule": violation["id"], "impact": violation["impact"], "places": len(violation["nodes"]),
            "first": violation["nodes"][0]["html"][:200],
        }
        for violation in violations
    ]  # fmt: skip


def axe_table(store: Path) -> None:
    """Print all axe-core findings on every page in both themes."""
    with serve(store) as server, chromium() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
            for name, address in addresses(store, server.address).items():
                findings = axe_findings(page, address)
                rules = ", ".join(f"{row['rule']} ({row['impact']}, {row['places']})" for row in findings)
                print(f"{scheme:6}{name:10}{rules or 'nothing'}", flush=True)
            page.close()


def server_times(store: Path, clock: Callable[[], float]) -> dict[str, tuple[float, float, float]]:
    """Return seconds per page on a clock: cold run, its queries, warm run."""
    query_seconds = [0.0]
    open_store_unmeasured = data.open_store

    @contextmanager
    def timed(*arguments, **options):
        began = clock()
        try:
            with open_store_unmeasured(*arguments, **options) as opened:
                yield opened
        finally:
            query_seconds[0] += clock() - began

    os.environ["SYNCLENS_STORE"] = str(store)
    data.open_store = timed
    queries_by_page, times = selections(store), {}
    began = clock()
    while data.is_review_running():
        pass
    _log(f"review after a load: {clock() - began:.1f} s")
    for entry in ENTRIES:
        st.cache_data.clear()
        app = AppTest.from_file(dashboard.app_path(), default_timeout=TIMEOUT_MS / 1000)
        app.query_params.update(
            dict([queries_by_page[entry.name].split("=")]) if entry.name in queries_by_page else {}
        )
        if entry.name != "overview":
            app.switch_page(f"views/{entry.name}.py")
        query_seconds[0], began = 0.0, clock()
        app.run()
        cold, queries = clock() - began, query_seconds[0]
        began = clock()
        app.run()
        assert not app.exception, (entry.name, app.exception[0].message)
        times[entry.name] = (cold, queries, clock() - began)
        _log(f"{entry.name}: {cold:.1f} s cold, {queries:.1f} s of it queries")
    return times


def browser_times(store: Path) -> dict[str, tuple[float, float]]:
    """Return seconds until a page is drawn in Chromium: with an empty cache, and again in a new tab."""
    drawn = {}
    with serve(store) as server, chromium() as browser:
        links = addresses(store, server.address)
        for entry in ENTRIES:
            times = []
            for _ in range(2):
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                began = time.perf_counter()
                page.goto(links[entry.name])
                wait_until_idle(page)
                times.append(time.perf_counter() - began)
                page.close()
            drawn[entry.name] = (times[0], times[1])
            _log(f"{entry.name}: drawn after {times[0]:.1f} s")
    return drawn


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure_many_users(store: Path, sessions: int, minutes: float) -> SimpleNamespace:
    """Click through the pages in many sessions while loads write to the store.

    Every page is opened once before memory is measured, so that filling the caches does not count as growth.
    Returns `views`, `errors` and `grown`, the growth of the server in MB per session.
    """
    errors, runs, stop, first = 0, 0, threading.Event(), 0.0
    listed = [entry for entry in ENTRIES if entry.listed]
    loader = threading.Thread(target=_keep_loading, args=(store, stop), daemon=True)
    with serve(store) as server, chromium() as browser:
        pages = [browser.new_context(base_url=server.address).new_page() for _ in range(sessions)]
        for page in pages:
            page.goto("/", timeout=TIMEOUT_MS)
            wait_until_idle(page)
        loader.start()
        ends = None
        while ends is None or time.monotonic() < ends:
            for number, page in enumerate(pages):
                entry = listed[(runs + number) % len(listed)]
                link = page.locator(".st-key-menu").get_by_role("link", name=entry.title, exact=True)
                link.click(timeout=TIMEOUT_MS)
                wait_until_idle(page)
                errors += page.get_by_test_id("stException").count()
            runs += 1
            _log(f"round {runs:3}  {errors} errors  {memory_mb(server.pid):,.0f} MB")
            if runs * min(sessions, len(listed)) >= len(listed) and ends is None:
                first, ends = memory_mb(server.pid), time.monotonic() + 60 * minutes
        stop.set()
        loader.join(30)
        grown = (memory_mb(server.pid) - first) / sessions
    return SimpleNamespace(views=runs * sessions, errors=errors, grown=grown)


def _keep_loading(store: Path, stop: threading.Event) -> None:
    while not stop.wait(3):
        subprocess.run([sys.executable, "-c", _LOCK_SCRIPT, str(store)], check=False)


# Runs in another process, like a load: opens the store for writing and keeps it open for two seconds.
_LOCK_SCRIPT = """
import sys, time
from ingest import open_store
with open_store(sys.argv[1], read_only=False) as store:
    store.execute("UPDATE ingest_batch SET rows_in = rows_in")
    time.sleep(2)
"""


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


SCREENS = {"laptop": (1440, 1000), "tablet": (1024, 1366)}


def save_screenshots(
    store: Path, folder: Path, names: list[str], schemes: list[str], screens: list[str], *, whole: bool
) -> None:
    """Save a screenshot of each page in each theme and screen size; light laptop ones have no suffix.

    `whole` captures the full height of a page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with serve(store, SYNCLENS_NOW=_morning_after(store)) as server, chromium() as browser:
        links = addresses(store, server.address)
        for scheme, screen in product(schemes, screens):
            width, height = SCREENS[screen]
            suffix = "".join(f"-{part}" for part in (scheme, screen) if part not in ("light", "laptop"))
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name in names:
                page.set_viewport_size({"width": width, "height": height})
                page.goto(links[name], timeout=TIMEOUT_MS)
                wait_until_idle(page)
                if whole:
                    length = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                    page.set_viewport_size({"width": width, "height": max(length, height)})
                page.wait_for_timeout(1_500)  # charts fade in
                page.screenshot(path=folder / f"{name}{suffix}.png")
            page.close()


def _morning_after(store: Path) -> str:
    """Return a time soon after the newest data, so that screenshots do not show old data."""
    with open_store(store) as opened:
        newest = reference_time_for(opened, Filters())
    return NOW if newest is None else (newest + timedelta(hours=15)).replace(tzinfo=UTC).isoformat()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="existing store (default: generated)")
    parser.add_argument("--syncs", type=int, default=200_000)
    parser.add_argument("--errors", type=int, default=20_000)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--pages", nargs="+", default=["overview", "issue"], choices=PAGES, metavar="PAGE")
    parser.add_argument("--themes", nargs="+", default=["light"], choices=["light", "dark"])
    parser.add_argument("--screens", nargs="+", default=["laptop"], choices=SCREENS)
    parser.add_argument("--whole", action="store_true", help="screenshots of the full height of a page")
    parser.add_argument("--cpu", action="store_true", help="server times in CPU time on all cores")
    parser.add_argument("--no-browser", action="store_true", help="skip the times in Chromium")
    parser.add_argument("--axe", action="store_true")
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder, "bench.duckdb")
        if not store.exists():
            with open_store(store, read_only=False) as opened:
                fill(opened, syncs=options.syncs, errors=options.errors, devices=options.devices, days=56)
        if options.pictures:
            save_screenshots(
                store, options.pictures, options.pages, options.themes, options.screens, whole=options.whole
            )
        elif options.axe:
            axe_table(store)
        elif options.sessions:
            result = measure_many_users(store, options.sessions, options.minutes)
            summary = f"{result.views} page views, {result.errors} errors, {result.grown:+.1f} MB per session"
            print(f"{options.sessions} sessions, {summary}")
        else:
            speed_table(store, cpu=options.cpu, browser=not options.no_browser)


def speed_table(store: Path, *, cpu: bool, browser: bool) -> None:
    """Print the times of every page in milliseconds."""
    server = server_times(store, time.process_time if cpu else time.perf_counter)
    drawn = browser_times(store) if CHROMIUM and browser else {}
    print(f"{'ms':10}" + "".join(f"{name:>10}" for name in HEADINGS))
    for name, (cold, queries, warm) in server.items():
        own, target = cold - queries, queries / 2 + 0.15
        first, again = drawn.get(name, (float("nan"), float("nan")))
        row = [1000 * seconds for seconds in (cold, queries, own, target, warm, first, again)]
        print(f"{name:10}" + "".join(f"{value:10.0f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
