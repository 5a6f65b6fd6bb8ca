"""Fill the store from a Vault: what changed since last time, page by page, each safe before the next.

The describe call comes first: fields, types and picklist values differ from Vault to Vault, so a pull asks
for what exists, keeps what it does not know in `extra`, and says what it missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.config_diff import record_config_changes, touches_config
from ingest.errors import PullIncomplete, UnknownKind, VaultRefused
from ingest.store.batches import BatchReport, Clock, utc_now
from ingest.vault.client import VaultClient
from ingest.vault.deletions import pull_deletions
from ingest.vault.metadata import ObjectDescription, describe_object
from ingest.vault.paging import PageCursor, changed_at, read_pages
from ingest.vault.permissions import pull_permissions
from ingest.vault.pull_state import PullState
from ingest.vault.timestamps import format_timestamp

OBJECTS = ("sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v")
TRAILS = ("object_audit_trail", "system_audit_trail", "login_audit_trail")
OVERLAP = timedelta(minutes=15)
"""How far each pull reaches back behind the last: a row may be committed later than its time says."""
LONGEST_TRAIL = timedelta(days=30)
"""Vault's audit trails and lists of deletions answer for this long."""
PAGE_SIZE = 1000

_GAPS = frozenset({"INSUFFICIENT_ACCESS", "MALFORMED_URL", "OPERATION_NOT_ALLOWED", "INVALID_DATA"})

Progress = Callable[[str, int, int], None]
Step = Callable[[], list[BatchReport]]


def pull(
    store: DuckDBPyConnection | Path | str,
    client: VaultClient,
    *,
    objects: Iterable[str] = OBJECTS,
    trails: Iterable[str] = TRAILS,
    rights: bool = True,
    since: datetime | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Bring the store up to date with a Vault, and report one batch for each page of rows.

    Give the store's path, and it is open only while a page is written, never during a call; others can use
    it meanwhile. The first pull takes everything, or what changed after `since`; later ones what changed
    since the last, and an overlap. A pull that was cut off goes on at its next page. `on_progress` gets the
    target, the rows so far and the rows in all. What the user may not read is noted in a batch without rows,
    and the pull goes on; so it does without the permissions of users when `rights` is false. Raises
    PullIncomplete when Vault hands over fewer rows than it announced.
    """
    puller = _Puller(
        PullState(store, client.host, clock),
        client,
        clock,
        since,
        on_progress or (lambda target, rows, total: None),
    )
    reports: list[BatchReport] = []
    for name in objects:
        reports += puller.guarded(name, partial(puller.pull_object, name))
    if rights:
        reports += puller.guarded("permissions", partial(pull_permissions, client, puller.books, clock))
    for name in trails:
        reports += puller.guarded(name, partial(puller.pull_trail, name))
    if touches_config(reports):
        with puller.books.open_store() as opened:
            reports += record_config_changes(opened, clock=clock)
    return reports


class _Puller:
    def __init__(
        self, books: PullState, client: VaultClient, clock: Clock, since: datetime | None, progress: Progress
    ) -> None:
        self.books, self._client, self._clock = books, client, clock
        self._since, self._progress = since, progress

    def guarded(self, target: str, work: Step) -> list[BatchReport]:
        try:
            return work()
        except UnknownKind as unknown:
            return [self.books.record_empty_batch(target, f"not pulled: {unknown}")]
        except VaultRefused as refused:
            if refused.type not in _GAPS:
                raise
            return [self.books.record_empty_batch(target, f"not pulled: {refused}. {refused.next_step}")]

    def pull_object(self, name: str) -> list[BatchReport]:
        described = describe_object(self._client, name)
        reports = self._keep_description(described)
        reached, pending = self.books.watermark(name)
        notes, rows = described.missing_notes(), 0
        place = PageCursor(self._since if reached is None else reached - OVERLAP)
        for page in read_pages(self._client, described, place, pending, PAGE_SIZE):
            times = [when for row in page.data if (when := changed_at(row))]
            reached = max([*times, *([reached] if reached else [])], default=None)
            following = page.details.get("next_page")
            reports.append(
                self.books.store_page(
                    name,
                    page.data,
                    notes=[*notes, *page.warnings],
                    reached=reached,
                    pending=str(following) if following else None,
                )
            )
            rows, notes = rows + len(page.data), []
            self._progress(name, rows, max(rows, int(page.details.get("total") or 0)))
        return reports + self.guarded(f"{name} deletions", partial(self.pull_deletions, name))

    def pull_deletions(self, name: str) -> list[BatchReport]:
        target, now = f"{name} deletions", self._clock()
        reached, _ = self.books.watermark(target)
        start = now - LONGEST_TRAIL if reached is None else max(reached - OVERLAP, now - LONGEST_TRAIL)
        reports = pull_deletions(self._client, self.books, name, start, now)
        self.books.set_watermark(target, now)
        return reports

    def pull_trail(self, name: str) -> list[BatchReport]:
        now = self._clock()
        reached, _ = self.books.watermark(name)
        start = self._since if reached is None else reached - OVERLAP
        start = max(start or now - LONGEST_TRAIL, now - LONGEST_TRAIL)
        span = f"start_date={format_timestamp(start)}&end_date={format_timestamp(now)}&limit=1000"
        reports, rows, total = [], 0, 0
        for page in self._client.pages(f"/audittrail/{name}?{span}"):
            rows, total = rows + len(page.data), int(page.details.get("total") or 0)
            done = not page.details.get("next_page") and rows >= total
            reports.append(
                self.books.store_page(name, page.data, notes=page.warnings, reached=now if done else reached)
            )
            self._progress(name, rows, total)
        if rows < total:
            raise PullIncomplete(name, rows, total)
        return reports

    def _keep_description(self, described: ObjectDescription) -> list[BatchReport]:
        sources = described.row_sources(
            self.books.source_name(described.name), format_timestamp(self._clock())
        )
        with self.books.open_store() as store:
            news = [described.changed_rows(store, source) for source in sources]
        return [self.books.store_rows(source) for source in news if source]
