"""Read the deletions of an object from a Vault, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.errors import PullIncomplete
from ingest.store.deletions import deletion_contract
from ingest.vault.client import VaultClient
from ingest.vault.pull_report import Finding
from ingest.vault.pull_state import PullState
from ingest.vault.responses import Reply
from ingest.vault.timestamps import format_second
from ingest.vault.trails import Window, window_since
from ingest.vault.vault_clock import VaultClock

_PAGE = 1000


def pull_deletions(
    client: VaultClient, pull_state: PullState, name: str, clock: VaultClock
) -> Iterator[Finding]:
    """Load the deletions of an object since the last pull, one batch for each page with rows.

    The watermark moves after the last page. Raises PullIncomplete if Vault returns fewer deletions than it announced.
    """
    contract = deletion_contract(name)
    if contract is None:
        return
    target = f"{name} deletions"
    reached, _ = pull_state.watermark(target)
    window = window_since(target, reached, None, clock)
    yield from window.findings
    for page in _pages(client, name, window):
        yield from page.findings(target)
        if page.data:
            yield pull_state.store_deletions(target, contract.table, page.data)
    pull_state.set_watermark(target, window.end)


def _pages(client: VaultClient, name: str, window: Window) -> Iterator[Reply]:
    span = f"start_date={format_second(window.start)}&end_date={format_second(window.end)}&limit={_PAGE}"
    offset = 0
    while True:
        page = client.call("GET", f"/objects/deletions/vobjects/{name}?{span}&offset={offset}")
        yield page
        offset += len(page.data) + page.unreadable_rows
        total = page.details.get("total")
        if total is not None and offset >= int(total):
            return
        if not page.data and total is not None:
            raise PullIncomplete(f"{name} deletions", offset, int(total))
        if total is None and not page.data:
            return
