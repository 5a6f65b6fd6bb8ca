"""axe-core finds no serious or critical problem on any page, in both themes."""

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
SEVERE = ("serious", "critical")


@pytest.fixture(scope="module")
def links(served) -> dict[str, str]:
    """URLs of the pages."""
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
def test_no_page_has_severe_findings(page: Page, links: dict[str, str], name: str) -> None:
    findings = bench.axe_findings(page, links[name])
    assert [finding for finding in findings if finding["impact"] in SEVERE] == []


def test_the_check_detects_problems(page: Page, links: dict[str, str]) -> None:
    page.goto(links["issues"])
    bench.wait_until_idle(page)
    page.evaluate("document.querySelector('h1').style = 'color: #888; background: #999'; document.title = ''")
    rules = {finding["rule"] for finding in bench.run_axe(page) if finding["impact"] in SEVERE}
    assert rules == {"color-contrast", "document-title"}
