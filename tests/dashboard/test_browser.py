"""From the overview to the fix in a real Chromium. Screenshots are stored in `artefacts/`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks import dashboard as bench

ARTEFACTS = Path("artefacts")
MAIN_LINK = "[data-testid=stMain] [data-testid=stPageLink] a"
expect.set_options(timeout=120_000)  # busy machines are slow
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]


@pytest.fixture
def page(chromium: Browser, served) -> Iterator[Page]:
    yield from open_context(served("normal").address, chromium)


@pytest.fixture
def hostile_page(chromium: Browser, served) -> Iterator[Page]:
    yield from open_context(served("hostile").address, chromium)


def open_context(address: str, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(base_url=address, viewport={"width": 1440, "height": 1000}, locale="en-GB")
    foreign: list[str] = []
    allowed = (address, address.replace("http", "ws"), "data:", "blob:")
    context.on(
        "request", lambda request: None if request.url.startswith(allowed) else foreign.append(request.url)
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    yield page
    context.close()
    assert foreign == [], "a page sent a request to another server"


def save_screenshot(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def test_from_the_overview_to_the_fix_in_one_click(page: Page) -> None:
    page.goto("/?platform=iPad")
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    bench.wait_until_idle(page)
    save_screenshot(page, "overview")

    page.locator(MAIN_LINK).first.click()
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    bench.wait_until_idle(page)
    assert "platform=iPad" in page.url, "the link dropped the filter"
    assert "issue=" in page.url
    save_screenshot(page, "issue")

    page.go_back()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    assert "platform=iPad" in page.url


class Clicks:
    """Counts clicks, and waits after each until the page is idle."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def click(self, target: Locator) -> None:
        target.click()
        self._wait()

    def click_at(self, table: Locator, x: float, y: float) -> None:
        box = table.bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + y)
        self._wait()

    def _wait(self) -> None:
        self.count += 1
        self.page.wait_for_timeout(300)
        bench.wait_until_idle(self.page)


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_from_the_overview_to_the_failing_record_and_back_in_four_clicks(page: Page) -> None:
    page.goto("/?platform=iPad&period=all+time")
    bench.wait_until_idle(page)
    clicks = Clicks(page)
    clicks.click(page.get_by_role("link", name=re.compile(r"All \d+ issues")))
    expect(page.get_by_role("heading", name="Issues", exact=True)).to_be_visible()
    clicks.click_at(page.get_by_test_id("stDataFrame").first, 60, 48)
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    bench.wait_until_idle(page)  # the table moves until the page is idle
    events = page.locator(".st-key-issue-events").get_by_test_id("stDataFrame")
    events.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    clicks.click_at(events, 18, 84)
    assert clicks.count <= 4
    page.wait_for_url("**event=**")
    selected = parameters(page)
    expect(page.get_by_text(f"Event {selected['event'][0]}: message from the device")).to_be_visible()
    assert selected["platform"] == ["iPad"]
    assert selected["period"] == ["all time"]
    (event,) = selected["event"]
    save_screenshot(page, "record")

    colleague = page.context.new_page()
    colleague.goto(page.url)
    expect(colleague.get_by_text(f"Event {event}: message")).to_be_visible()
    colleague.close()

    # Streamlit adds a history entry for each step in which it restores filters in the URL.
    for _ in range(8):
        page.go_back()
        page.wait_for_timeout(300)
        bench.wait_until_idle(page)
        if page.get_by_role("heading", name="Needs attention").count():
            break
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    assert parameters(page)["platform"] == ["iPad"]


def test_a_saved_view_opens_unchanged_for_all_users(page: Page) -> None:
    page.goto("/issues?period=30+days&q=is%3Anew&country=DE")
    bench.wait_until_idle(page)
    page.locator(".st-key-saved-views summary").click()
    page.get_by_label("Save this view as").fill("New in Germany")
    page.get_by_label("Save this view as").press("Enter")
    page.get_by_role("button", name="Save view").click()
    link = page.locator(".st-key-saved-views").get_by_role("link", name="New in Germany")
    expect(link).to_be_visible()

    colleague = page.context.new_page()
    colleague.goto("/devices?period=all+time&platform=iPad")
    bench.wait_until_idle(colleague)
    colleague.locator(".st-key-saved-views summary").click()
    with page.context.expect_page() as opened:
        colleague.locator(".st-key-saved-views").get_by_role("link", name="New in Germany").click()
    colleague = opened.value
    expect(colleague.get_by_role("heading", name="Issues", exact=True)).to_be_visible()
    bench.wait_until_idle(colleague)
    expect(colleague.get_by_role("searchbox")).to_have_value("is:new")
    expect(colleague.get_by_text("30 days ·")).to_be_visible()
    assert parameters(colleague) == {"period": ["30 days"], "q": ["is:new"], "country": ["DE"]}


def test_a_chart_image_contains_its_header(page: Page) -> None:
    page.goto("/?period=all+time&country=DE")
    bench.wait_until_idle(page)
    page.locator(".st-key-data-failures button").click()
    shown = page.locator(".st-key-picture-failures")
    expect(shown.get_by_text("Failure rate of tracked syncs by day")).to_be_visible()
    expect(shown.get_by_text("Country: DE")).to_be_visible()
    with page.expect_download() as download:
        shown.locator(".modebar-btn").first.click()
    ARTEFACTS.mkdir(exist_ok=True)
    download.value.save_as(ARTEFACTS / "failures.png")
    assert (ARTEFACTS / "failures.png").read_bytes().startswith(b"\x89PNG")
    assert download.value.suggested_filename == "synclens-failures.png"


def test_a_box_on_the_chart_moves_the_baseline_days(page: Page) -> None:
    page.goto("/explain?period=all+time&baseline=selected+days")
    bench.wait_until_idle(page)
    before = parameters(page)
    chart = page.locator(".st-key-chart-explain-days .nsewdrag").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.10, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.35, box["y"] + box["height"] - 8, steps=6)
    page.mouse.up()
    page.wait_for_url("**against=**")
    bench.wait_until_idle(page)
    assert parameters(page).get("days") == before.get("days")
    expect(page.get_by_role("heading", name="Explanations")).to_be_visible()
    save_screenshot(page, "explain")


@pytest.mark.parametrize("width", [1440, 1024])
def test_no_page_scrolls_sideways(chromium: Browser, served, width: int) -> None:
    server = served("normal")
    page = chromium.new_page(viewport={"width": width, "height": 1000})
    for name, address in bench.addresses(server.store, server.address).items():
        page.goto(address)
        bench.wait_until_idle(page)
        wide = page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]');"
            " return main.scrollWidth - main.clientWidth; }"
        )
        assert wide <= 0, name
    page.close()


def test_a_link_opens_the_same_view_for_a_colleague(page: Page) -> None:
    page.goto("/issues?period=7+days&q=cause%3Anetwork")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    bench.wait_until_idle(page)
    expect(page.get_by_role("searchbox")).to_have_value("cause:network")
    expect(page.get_by_text("7 days ·")).to_be_visible()


def test_a_row_of_the_list_opens_its_issue(page: Page) -> None:
    page.goto("/issues?period=all+time")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    bench.wait_until_idle(page)
    save_screenshot(page, "issues")
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 48)
    expect(page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    assert "period=all+time" in page.url


def test_a_decision_is_visible_to_other_users(page: Page) -> None:
    page.goto("/issues?period=all+time&q=cause%3Arecord-locked")
    bench.wait_until_idle(page)
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 48)
    page.get_by_label("Assigned to").fill("ana")
    page.get_by_role("button", name="Save").click()
    bench.wait_until_idle(page)
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()

    colleague = page.context.new_page()
    colleague.goto(page.url)
    expect(colleague.get_by_role("button", name="Reopen")).to_be_visible()
    expect(colleague.get_by_label("Assigned to")).to_have_value("ana")


def test_an_export_contains_the_filters(page: Page) -> None:
    page.goto("/issues?period=all+time&country=DE")
    bench.wait_until_idle(page)
    page.get_by_test_id("stDataFrame").first.hover()
    expect(page.get_by_role("button", name="Download as CSV")).to_be_hidden()  # it does not escape formulas
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert text.startswith("# Issues\n")
    assert "Country: DE" in text.splitlines()[1]


def test_hostile_text_is_shown_and_not_run(hostile_page: Page) -> None:
    hostile_page.goto("/?period=all+time")
    bench.wait_until_idle(hostile_page)
    hostile_page.locator(f"{MAIN_LINK}[href*='issue=']").first.click()
    expect(hostile_page.get_by_role("heading", name="Fix", exact=True)).to_be_visible()
    bench.wait_until_idle(hostile_page)
    assert hostile_page.title() != "owned"
    assert hostile_page.locator("[data-testid=stMain] script, [data-testid=stMain] img[src=x]").count() == 0
    assert hostile_page.locator("a[href*='evil.example']").count() == 0
    expect(hostile_page.get_by_text("<script>document.title", exact=False).first).to_be_visible()
    save_screenshot(hostile_page, "issue-hostile")
