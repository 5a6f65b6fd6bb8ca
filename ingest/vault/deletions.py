"""Read the deletions of an object from a Vault, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ingest.errors import PullIncomplete
from ingest.store.batches import BatchReport
from ingest.store.deletions import deletion_contract
from ingest.vault.client import VaultClient
from ingest.vault.pull_state import PullState
from ingest.vault.timestamps import format_timestamp

_PAGE = 1000


def pull_deletions(
    client: VaultClient, pull_state: PullState, name: str, start: datetime, end: datetime
) -> list[BatchReport]:
    """Load the deletions of an object between two times, one batch for each page with rows.

    Raises PullIncomplete if Vault returns fewer deletions than it announced.
    """
    contract = deletion_contract(name)
    if contract is None:
        return []
    target = f"{name} deletions"
    return [
        pull_state.store_deletions(target, contract.table, rows) for rows in _pages(client, name, start, end)
    ]


def _pages(client: VaultClient, name: str, start: datetime, end: datetime) -> Iterator[list[dict[str, Any]]]:
    span = f"start_date={format_timestamp(start)}&end_date={format_timestamp(end)}&limit={_PAGE}"
    offset = 0
    while True:
        page = client.call("GET", f"/objects/deletions/vobjects/{name}?{span}&offset={offset}")
        if page.data:
            yield page.data
        offset += len(page.data)
        total = page.details.get("total")
        if total is not None and offset >= int(total):
            return
        if not page.data and total is not None:
            raise PullIncomplete(f"{name} deletions", offset, int(total))
        if total is None and len(page.data) < _PAGE:
            return
