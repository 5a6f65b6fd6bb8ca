"""The dashboard served for real: how fast its pages are, how it bears many readers, and pictures of it.

    python benchmarks/dashboard.py                                      speed of every page, 200,000 syncs
    python benchmarks/dashboard.py --syncs 10000000 --errors 1000000    the same at full size
    python benchmarks/dashboard.py --sessions 20 --minutes 2            readers at once and a load beside them
    python benchmarks/dashboard.py --axe                                what axe-core finds on every page
    python benchmarks/dashboard.py --pictures docs/pictures [--store demo.duckdb] [--pages issue] [--themes dark]
                                   [--screens tablet] [--whole]

Server time is one run of a page's script as Streamlit runs it, without a browser; the questions are the part
of it during which the store is open. On a machine that is busy otherwise `--cpu` counts what the page used
and not how long it waited for its turn. Settled is when Chromium has drawn everything, from following the link.
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
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
PAGES = [entry.name for entry in ENTRIES]
HEADINGS = ("cold", "questions", "own", "aim", "warm", "settled", "again")
PATIENCE_MS = 900_000  # ten million syncs on a busy machine
NOW = "2026-03-30T08:00:00+00:00"


@contextmanager
def serve(
    store: Path, *, folder: Path | None = None, port: int | None = None, **environment: str
) -> Iterator[SimpleNamespace]:
    """Serve the dashboard over a store, from a folder, on a port (a free one); yields `address` and `pid`."""
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
    raise RuntimeError(f"the dashboard did not come up: {log.read().decode(errors='replace')[-2000:]}")


@contextmanager
def chromium() -> Iterator:
    """A Chromium of this machine, driven by Playwright."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def settle(page) -> None:
    """Wait until Streamlit has finished the run and drawn what it sent."""
    page.locator("h1").first.wait_for(timeout=PATIENCE_MS)
    page.locator(SETTLED).wait_for(timeout=PATIENCE_MS)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')", timeout=PATIENCE_MS)


def selections(store: Path) -> dict[str, str]:
    """The query of each page that shows one thing: its worst issue, its first device."""
    with open_store(store) as opened:
        issue_id = analysis.list_issues(opened)["issue_id"].iloc[0]
        device = list_devices(opened)["device"].iloc[0]
    return {"issue": f"issue={issue_id}", "device": f"device={device}"}


def addresses(store: Path, base: str) -> dict[str, str]:
    """The address of each page by name, with what it needs to be told."""
    chosen = selections(store)
    paths = {name: "" if name == "overview" else name for name in PAGES}
    return {name: f"{base}/{path}?{chosen.get(name, '')}" for name, path in paths.items()}


def axe_findings(page, address: str) -> list[dict]:
    """Open a page and let axe-core look at it once it stands still."""
    page.goto(address)
    settle(page)
    page.wait_for_timeout(600)  # charts fade in, and what is half transparent has no contrast
    return look_with_axe(page)


def look_with_axe(page) -> list[dict]:
    """What axe-core finds on a page: rule, impact, how many places, the first of them."""
    found = Axe().run(page).response["violations"]
    return [
        {
            "rule": one["id"], "impact": one["impact"], "places": len(one["nodes"]),
            "first": one["nodes"][0]["html"][:200],
        }
        for one in found
    ]  # fmt: skip


def axe_table(store: Path) -> None:
    """Print what axe-core finds on every page in both themes, grave or not."""
    with serve(store) as server, chromium() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
            for name, address in addresses(store, server.address).items():
                found = axe_findings(page, address)
                told = ", ".join(f"{one['rule']} ({one['impact']}, {one['places']})" for one in found)
                print(f"{scheme:6}{name:10}{told or 'nothing'}", flush=True)
            page.close()


def server_times(store: Path, clock: Callable[[], float]) -> dict[str, tuple[float, float, float]]:
    """Seconds per page by a clock: cold run, its questions, warm run."""
    asked = [0.0]
    real = data.open_store

    @contextmanager
    def timed(*arguments, **options):
        began = clock()
        try:
            with real(*arguments, **options) as opened:
                yield opened
        finally:
            asked[0] += clock() - began

    os.environ["SYNCLENS_STORE"] = str(store)
    data.open_store = timed
    chosen, found = selections(store), {}
    began = clock()
    while data.is_review_running():
        pass
    _tell(f"the review after a load, beside the pages: {clock() - began:.1f} s")
    for entry in ENTRIES:
        st.cache_data.clear()
        app = AppTest.from_file(dashboard.app_path(), default_timeout=PATIENCE_MS / 1000)
        app.query_params.update(dict([chosen[entry.name].split("=")]) if entry.name in chosen else {})
        if entry.name != "overview":
            app.switch_page(f"views/{entry.name}.py")
        asked[0], began = 0.0, clock()
        app.run()
        cold, questions = clock() - began, asked[0]
        began = clock()
        app.run()
        assert not app.exception, (entry.name, app.exception[0].message)
        found[entry.name] = (cold, questions, clock() - began)
        _tell(f"{entry.name}: {cold:.1f} s cold, {questions:.1f} s of it questions")
    return found


def browser_times(store: Path) -> dict[str, tuple[float, float]]:
    """Seconds until a page stands still in Chromium: with an empty cache, and again in a new tab."""
    found = {}
    with serve(store) as server, chromium() as browser:
        links = addresses(store, server.address)
        for entry in ENTRIES:
            times = []
            for _ in range(2):
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                began = time.perf_counter()
                page.goto(links[entry.name])
                settle(page)
                times.append(time.perf_counter() - began)
                page.close()
            found[entry.name] = (times[0], times[1])
            _tell(f"{entry.name}: settled after {times[0]:.1f} s")
    return found


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def many_readers(store: Path, sessions: int, minutes: float) -> SimpleNamespace:
    """Readers who click through the pages while a load writes to the store, again and again.

    Every page is seen once before memory is measured, so that filling the caches is not taken for growth.
    Returns `views`, `errors` and `grown`, the MB by which the server grew for each reader.
    """
    errors, runs, stop, first = 0, 0, threading.Event(), 0.0
    listed = [entry for entry in ENTRIES if entry.listed]
    loader = threading.Thread(target=_keep_loading, args=(store, stop), daemon=True)
    with serve(store) as server, chromium() as browser:
        pages = [browser.new_context(base_url=server.address).new_page() for _ in range(sessions)]
        for page in pages:
            page.goto("/", timeout=PATIENCE_MS)
            settle(page)
        loader.start()
        ends = None
        while ends is None or time.monotonic() < ends:
            for number, page in enumerate(pages):
                entry = listed[(runs + number) % len(listed)]
                link = page.locator(".st-key-menu").get_by_role("link", name=entry.title, exact=True)
                link.click(timeout=PATIENCE_MS)
                settle(page)
                errors += page.get_by_test_id("stException").count()
            runs += 1
            _tell(f"round {runs:3}  {errors} errors  {memory_mb(server.pid):,.0f} MB")
            if runs * min(sessions, len(listed)) >= len(listed) and ends is None:
                first, ends = memory_mb(server.pid), time.monotonic() + 60 * minutes
        stop.set()
        loader.join(30)
        grown = (memory_mb(server.pid) - first) / sessions
    return SimpleNamespace(views=runs * sessions, errors=errors, grown=grown)


def _keep_loading(store: Path, stop: threading.Event) -> None:
    while not stop.wait(3):
        subprocess.run([sys.executable, "-c", _HOLD, str(store)], check=False)


# In a process of its own, as an ingest is: opens the store for writing, and holds it for two seconds.
_HOLD = """
import sys, time
from ingest import open_store
with open_store(sys.argv[1], read_only=False) as store:
    store.execute("UPDATE ingest_batch SET rows_in = rows_in")
    time.sleep(2)
"""


def memory_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


SCREENS = {"laptop": (1440, 1000), "tablet": (1024, 1366)}


def take_pictures(
    store: Path, folder: Path, names: list[str], schemes: list[str], screens: list[str], *, whole: bool
) -> None:
    """A picture of each page in each theme on each screen; those of a light laptop carry no suffix.

    `whole` shows all of a page, however far it scrolls.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with serve(store, SYNCLENS_NOW=_morning_after(store)) as server, chromium() as browser:
        links = addresses(store, server.address)
        for scheme, screen in product(schemes, screens):
            width, height = SCREENS[screen]
            suffix = "".join(f"-{one}" for one in (scheme, screen) if one not in ("light", "laptop"))
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name in names:
                page.set_viewport_size({"width": width, "height": height})
                page.goto(links[name], timeout=PATIENCE_MS)
                settle(page)
                if whole:
                    length = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                    page.set_viewport_size({"width": width, "height": max(length, height)})
                page.wait_for_timeout(1_500)  # charts fade in
                page.screenshot(path=folder / f"{name}{suffix}.png")
            page.close()


def _morning_after(store: Path) -> str:
    """A moment soon after the newest data, so that a picture does not grow old."""
    with open_store(store) as opened:
        newest = reference_time_for(opened, Filters())
    return NOW if newest is None else (newest + timedelta(hours=15)).replace(tzinfo=UTC).isoformat()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="an existing store; without it one is made up")
    parser.add_argument("--syncs", type=int, default=200_000)
    parser.add_argument("--errors", type=int, default=20_000)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--pages", nargs="+", default=["overview", "issue"], choices=PAGES, metavar="PAGE")
    parser.add_argument("--themes", nargs="+", default=["light"], choices=["light", "dark"])
    parser.add_argument("--screens", nargs="+", default=["laptop"], choices=SCREENS)
    parser.add_argument("--whole", action="store_true", help="pictures of all of a page, however long")
    parser.add_argument("--cpu", action="store_true", help="server times in CPU time, on all cores together")
    parser.add_argument("--no-browser", action="store_true", help="leave out the times in Chromium")
    parser.add_argument("--axe", action="store_true")
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--minutes", type=float, default=1.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder, "bench.duckdb")
        if not store.exists():
            with open_store(store, read_only=False) as opened:
                fill(opened, syncs=chosen.syncs, errors=chosen.errors, devices=chosen.devices, days=56)
        if chosen.pictures:
            take_pictures(
                store, chosen.pictures, chosen.pages, chosen.themes, chosen.screens, whole=chosen.whole
            )
        elif chosen.axe:
            axe_table(store)
        elif chosen.sessions:
            found = many_readers(store, chosen.sessions, chosen.minutes)
            told = f"{found.views} page views, {found.errors} errors, {found.grown:+.1f} MB per session"
            print(f"{chosen.sessions} sessions, {told}")
        else:
            speed_table(store, cpu=chosen.cpu, browser=not chosen.no_browser)


def speed_table(store: Path, *, cpu: bool, browser: bool) -> None:
    """Print the times of every page, in milliseconds."""
    server = server_times(store, time.process_time if cpu else time.perf_counter)
    seen = browser_times(store) if CHROMIUM and browser else {}
    print(f"{'ms':10}" + "".join(f"{name:>10}" for name in HEADINGS))
    for name, (cold, questions, warm) in server.items():
        own, aim = cold - questions, questions / 2 + 0.15
        first, again = seen.get(name, (float("nan"), float("nan")))
        row = [1000 * one for one in (cold, questions, own, aim, warm, first, again)]
        print(f"{name:10}" + "".join(f"{one:10.0f}" for one in row), flush=True)


if __name__ == "__main__":
    main()
