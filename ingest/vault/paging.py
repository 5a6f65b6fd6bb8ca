"""Read an object's changes page by page, and continue from the last row if a page address expires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from ingest.errors import PullIncomplete, VaultRefused, VaultUnreachable
from ingest.vault.client import VaultClient
from ingest.vault.metadata import ObjectDescription
from ingest.vault.responses import Reply
from ingest.vault.timestamps import format_timestamp, parse_timestamp

_NOWHERE = object()


@dataclass(slots=True)
class PageCursor:
    """The position in an object's changes after `since`: `passed` rows with the time `latest` were read."""

    since: datetime | None
    latest: datetime | None = None
    passed: int = 0
    _restarted_at: object = _NOWHERE

    def advance(self, page: Reply) -> None:
        """Advance past the rows of a page, which are ordered by change, oldest first."""
        for row in page.data:
            when = changed_at(row)
            if when is not None and when != self.latest:
                self.latest, self.passed = when, 0
            self.passed += 1

    def restart(self) -> None:
        """Prepare to query again from this position.

        The first query repeats the rows with the time `latest`: a row that changed meanwhile would shift the
        others, and counting past them would skip one. Only if the same position is reached again without
        progress, the rows are counted past.
        """
        if self._restarted_at != self.latest:
            self._restarted_at, self.passed = self.latest, 0

    def vql(self, description: ObjectDescription, page_size: int) -> str:
        """Return the query for all rows after this position."""
        if self.latest is not None:
            return description.vql(f">= '{format_timestamp(self.latest)}'", page_size, self.passed)
        after = f"> '{format_timestamp(self.since)}'" if self.since else None
        return description.vql(after, page_size, self.passed)


def read_pages(
    client: VaultClient,
    description: ObjectDescription,
    cursor: PageCursor,
    pending: str | None,
    page_size: int,
) -> Iterator[Reply]:
    """Yield the pages of an object from `pending`, a page address of an earlier run, or else from `cursor`.

    If Vault rejects a page address, the query is sent again from the last row that was read. Raises
    PullIncomplete if Vault returns fewer rows than it announced, and VaultRefused if it rejects the query.
    """
    pages = _resumed(client, pending) if pending else None
    while True:
        row_count = 0
        try:
            for page in pages or client.query(cursor.vql(description, page_size)):
                cursor.advance(page)
                row_count += len(page.data)
                yield page
                _check(description.name, page)
        except VaultRefused:
            if not row_count:
                raise
            pages = None
            cursor.restart()
        else:
            return


def _resumed(client: VaultClient, pending: str) -> Iterator[Reply] | None:
    pages = client.query("", first=pending)
    try:
        first = next(pages)
    except (VaultRefused, VaultUnreachable):
        return None  # page addresses expire; the watermark does not
    return chain([first], pages)


def _check(name: str, page: Reply) -> None:
    read_count = int(page.details.get("pageoffset") or 0) + len(page.data) + page.unreadable_rows
    total = int(page.details.get("total") or 0)
    ends_early = not page.details.get("next_page") and read_count < total
    # A page without rows that leads to another one could be repeated forever.
    if ends_early or (page.details.get("next_page") and not page.data):
        raise PullIncomplete(name, read_count, max(total, read_count))


def changed_at(row: Mapping[str, object]) -> datetime | None:
    """Return when a row was last changed; None if the row does not show it in a readable form.

    The contract rejects such a row with its reason; the watermark stays where it is.
    """
    return parse_timestamp(row.get("modified_date__v"))
