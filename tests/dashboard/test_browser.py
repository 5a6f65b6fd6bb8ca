"""The way from a red number to its fix, walked in a real Chromium; pictures are left in `artefacts/`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import dashboard

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARTEFACTS = Path("artefacts")
expect.set_options(timeout=30_000)  # a busy machine is slow, not broken
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]


@pytest.fixture(scope="module")
def address(stores) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", *dashboard.streamlit_arguments(port)]
    environment = dashboard.environment(stores["normal"]) | {"SYNCLENS_NOW": "2026-03-30T08:00:00+00:00"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until_up(f"http://localhost:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=20)


def wait_until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        assert server.poll() is None, server.communicate()[0].decode()
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            pass
        try:
            server.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the dashboard did not come up within a minute")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--headless", "--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 1000}, locale="en-GB")
    outside: list[str] = []
    ours = (address, address.replace("http", "ws"), "data:", "blob:")
    context.on("request", lambda asked: None if asked.url.startswith(ours) else outside.append(asked.url))
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    yield opened
    context.close()
    assert outside == [], "a page asked a server other than its own"


def settled(page: Page) -> None:
    """Wait until Streamlit has finished the run and drawn what it sent."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    expect(page.locator("[data-testid=stSkeleton]:visible")).to_have_count(0)


def picture(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")
    if folder := os.environ.get("SYNCLENS_PICTURES"):  # `make docs` keeps some for the documentation
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_from_the_overview_to_the_fix_in_one_click(page: Page) -> None:
    page.goto("/?platform=iPad")
    expect(page.get_by_role("heading", name="What needs attention")).to_be_visible()
    settled(page)
    picture(page, "overview")

    page.locator("[data-testid=stPageLink] a").first.click()
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    settled(page)
    assert "platform=iPad" in page.url, "the filter was lost on the way"
    assert "issue=" in page.url
    picture(page, "issue")

    page.go_back()
    expect(page.get_by_role("heading", name="What needs attention")).to_be_visible()
    assert "platform=iPad" in page.url


def test_a_link_opens_the_same_view_for_a_colleague(page: Page) -> None:
    page.goto("/issues?period=7+days&q=cause%3Anetwork")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    settled(page)
    expect(page.get_by_role("searchbox")).to_have_value("cause:network")
    expect(page.get_by_text("7 days ·")).to_be_visible()


def test_a_row_of_the_list_opens_its_issue(page: Page) -> None:
    page.goto("/issues?period=all+time")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    settled(page)
    picture(page, "issues")
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 48)
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    assert "period=all+time" in page.url
