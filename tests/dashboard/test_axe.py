"""axe-core looks at every page in both themes: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import dashboard as bench

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
expect.set_options(timeout=120_000)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def links(served) -> dict[str, str]:
    """Where each page is served."""
    server = served("normal")
    return bench.addresses(server.store, server.address)


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1440, "height": 1000}, color_scheme=request.param, bypass_csp=True
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", bench.PAGES)
def test_no_page_keeps_people_out(page: Page, links: dict[str, str], name: str) -> None:
    found = bench.axe_findings(page, links[name])
    assert [one for one in found if one["impact"] in GRAVE] == []


def test_the_look_would_find_what_is_wrong(page: Page, links: dict[str, str]) -> None:
    page.goto(links["issues"])
    bench.settle(page)
    page.evaluate("document.querySelector('h1').style = 'color: #888; background: #999'; document.title = ''")
    found = {one["rule"] for one in bench.look_with_axe(page) if one["impact"] in GRAVE}
    assert found == {"color-contrast", "document-title"}
