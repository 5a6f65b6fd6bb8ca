"""The walk through an object's changes: page after page, and on from the same row when a page address dies."""

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


@dataclass(slots=True)
class PageCursor:
    """Where a walk is: it began after `since`; `passed` rows of the newest time, `latest`, are behind it."""

    since: datetime | None
    latest: datetime | None = None
    passed: int = 0

    def advance(self, page: Reply) -> None:
        """Go past the rows of a page, which come oldest change first."""
        for row in page.data:
            when = changed_at(row)
            if when is not None and when != self.latest:
                self.latest, self.passed = when, 0
            self.passed += 1

    def vql(self, described: ObjectDescription, page_size: int) -> str:
        """Word the query for everything from here on."""
        if self.latest is not None:
            return described.vql(f">= '{format_timestamp(self.latest)}'", page_size, self.passed)
        after = f"> '{format_timestamp(self.since)}'" if self.since else None
        return described.vql(after, page_size, self.passed)


def read_pages(
    client: VaultClient, described: ObjectDescription, place: PageCursor, pending: str | None, page_size: int
) -> Iterator[Reply]:
    """Give the pages of an object from `pending`, an address of an earlier run, or else from `place`.

    An address that is refused on the way costs nothing: the query is asked again from the last row that
    came. Raises PullIncomplete when Vault ends before it handed over what it announced, and VaultRefused
    when it refuses the query itself.
    """
    pages = _resumed(client, pending) if pending else None
    while True:
        came = 0
        try:
            for page in pages or client.query(place.vql(described, page_size)):
                place.advance(page)
                came += len(page.data)
                yield page
                _check(described.name, page)
        except VaultRefused:
            if not came:
                raise
            pages = None
        else:
            return


def _resumed(client: VaultClient, pending: str) -> Iterator[Reply] | None:
    pages = client.query("", first=pending)
    try:
        first = next(pages)
    except (VaultRefused, VaultUnreachable):
        return None  # page addresses do not live for ever; the watermark does
    return chain([first], pages)


def _check(name: str, page: Reply) -> None:
    behind = int(page.details.get("pageoffset") or 0) + len(page.data)
    total = int(page.details.get("total") or 0)
    if not page.details.get("next_page") and behind < total:
        raise PullIncomplete(name, behind, total)


def changed_at(row: Mapping[str, object]) -> datetime | None:
    """Return when a row was last changed; None if the row does not show it in a readable form.

    The contract rejects such a row with its reason; the watermark stays where it is.
    """
    return parse_timestamp(row.get("modified_date__v"))
