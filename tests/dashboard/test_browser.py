"""The way from a red number to its fix, walked in a real Chromium; pictures are left in `artefacts/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import dashboard as bench

ARTEFACTS = Path("artefacts")
MAIN_LINK = "[data-testid=stMain] [data-testid=stPageLink] a"
expect.set_options(timeout=120_000)  # a busy machine is slow, not broken
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]


@pytest.fixture(scope="module")
def address(stores) -> Iterator[str]:
    with bench.serve(stores["normal"]) as server:
        yield server.address


@pytest.fixture(scope="module")
def hostile_address(stores) -> Iterator[str]:
    with bench.serve(stores["hostile"]) as server:
        yield server.address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with bench.chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    yield from opened_at(address, chromium)


@pytest.fixture
def hostile_page(chromium: Browser, hostile_address: str) -> Iterator[Page]:
    yield from opened_at(hostile_address, chromium)


def opened_at(address: str, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 1000}, locale="en-GB")
    outside: list[str] = []
    ours = (address, address.replace("http", "ws"), "data:", "blob:")
    context.on("request", lambda asked: None if asked.url.startswith(ours) else outside.append(asked.url))
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    yield opened
    context.close()
    assert outside == [], "a page asked a server other than its own"


def picture(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def test_from_the_overview_to_the_fix_in_one_click(page: Page) -> None:
    page.goto("/?platform=iPad")
    expect(page.get_by_role("heading", name="What needs attention")).to_be_visible()
    bench.settle(page)
    picture(page, "overview")

    page.locator(MAIN_LINK).first.click()
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    bench.settle(page)
    assert "platform=iPad" in page.url, "the filter was lost on the way"
    assert "issue=" in page.url
    picture(page, "issue")

    page.go_back()
    expect(page.get_by_role("heading", name="What needs attention")).to_be_visible()
    assert "platform=iPad" in page.url


def test_a_link_opens_the_same_view_for_a_colleague(page: Page) -> None:
    page.goto("/issues?period=7+days&q=cause%3Anetwork")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    bench.settle(page)
    expect(page.get_by_role("searchbox")).to_have_value("cause:network")
    expect(page.get_by_text("7 days ·")).to_be_visible()


def test_a_row_of_the_list_opens_its_issue(page: Page) -> None:
    page.goto("/issues?period=all+time")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    bench.settle(page)
    picture(page, "issues")
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 48)
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    assert "period=all+time" in page.url


def test_a_decision_is_seen_by_the_next_reader(page: Page) -> None:
    page.goto("/issues?period=all+time&q=cause%3Arecord-locked")
    bench.settle(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 48)
    page.get_by_label("Assigned to").fill("ana")
    page.get_by_role("button", name="Save").click()
    bench.settle(page)
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()

    colleague = page.context.new_page()
    colleague.goto(page.url)
    expect(colleague.get_by_role("button", name="Reopen")).to_be_visible()
    expect(colleague.get_by_label("Assigned to")).to_have_value("ana")


def test_what_is_shown_can_be_saved_with_its_filters(page: Page) -> None:
    page.goto("/issues?period=all+time&country=DE")
    bench.settle(page)
    page.get_by_test_id("stDataFrame").first.hover()
    expect(page.get_by_role("button", name="Download as CSV")).to_be_hidden()  # it would keep formulas
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert text.startswith("# Issues\n")
    assert "Country: DE" in text.splitlines()[1]


def test_hostile_text_is_shown_and_not_run(hostile_page: Page) -> None:
    hostile_page.goto("/?period=all+time")
    bench.settle(hostile_page)
    hostile_page.locator(MAIN_LINK).first.click()
    expect(hostile_page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    bench.settle(hostile_page)
    assert hostile_page.title() != "owned"
    assert hostile_page.locator("[data-testid=stMain] script, [data-testid=stMain] img[src=x]").count() == 0
    assert hostile_page.locator("a[href*='evil.example']").count() == 0
    expect(hostile_page.get_by_text("<script>document.title", exact=False).first).to_be_visible()
    picture(hostile_page, "issue-hostile")
