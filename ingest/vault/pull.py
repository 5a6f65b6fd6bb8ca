"""Pull changes from a Vault into the store, page by page; each page is committed before the next.

Fields, types and picklist values differ between Vaults, so a pull first reads the description of each object,
queries the fields that exist, keeps unknown fields in `extra`, and notes missing ones.
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
"""Overlap between pulls: a row may be committed later than its modification time."""
LONGEST_TRAIL = timedelta(days=30)
"""How far back Vault's audit trails and lists of deletions reach."""
PAGE_SIZE = 1000

_SKIPPED_ERRORS = frozenset({"INSUFFICIENT_ACCESS", "MALFORMED_URL", "OPERATION_NOT_ALLOWED", "INVALID_DATA"})

Progress = Callable[[str, int, int], None]
Step = Callable[[], list[BatchReport]]


def pull(
    store: DuckDBPyConnection | Path | str,
    client: VaultClient,
    *,
    objects: Iterable[str] = OBJECTS,
    trails: Iterable[str] = TRAILS,
    permissions: bool = True,
    since: datetime | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Update the store from a Vault, and return one report for each page of rows.

    If `store` is a path, the store is open only while a page is written, never during a call. The first pull
    reads all rows, or those changed after `since`; later pulls read changes since the last one, with an
    overlap. An interrupted pull continues at its next page. `on_progress` is called with the target, the
    number of rows read and the total. Targets that the user cannot read are noted in a batch without rows;
    `permissions` chooses whether to read the permissions of users. Raises PullIncomplete if Vault returns
    fewer rows than it announced.
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
    if permissions:
        reports += puller.guarded("permissions", partial(pull_permissions, client, puller.pull_state, clock))
    for name in trails:
        reports += puller.guarded(name, partial(puller.pull_trail, name))
    if touches_config(reports):
        with puller.pull_state.open_store() as opened:
            reports += record_config_changes(opened, clock=clock)
    return reports


class _Puller:
    def __init__(
        self,
        pull_state: PullState,
        client: VaultClient,
        clock: Clock,
        since: datetime | None,
        progress: Progress,
    ) -> None:
        self.pull_state, self._client, self._clock = pull_state, client, clock
        self._since, self._progress = since, progress

    def guarded(self, target: str, work: Step) -> list[BatchReport]:
        try:
            return work()
        except UnknownKind as error:
            return [self.pull_state.record_empty_batch(target, f"not pulled: {error}")]
        except VaultRefused as refused:
            if refused.type not in _SKIPPED_ERRORS:
                raise
            return [self.pull_state.record_empty_batch(target, f"not pulled: {refused}. {refused.next_step}")]

    def pull_object(self, name: str) -> list[BatchReport]:
        description = describe_object(self._client, name)
        reports = self._keep_description(description)
        reached, pending = self.pull_state.watermark(name)
        notes, rows = description.missing_notes(), 0
        cursor = PageCursor(self._since if reached is None else reached - OVERLAP)
        for page in read_pages(self._client, description, cursor, pending, PAGE_SIZE):
            times = [when for row in page.data if (when := changed_at(row))]
            reached = max([*times, *([reached] if reached else [])], default=None)
            following = page.details.get("next_page")
            reports.append(
                self.pull_state.store_page(
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
        reached, _ = self.pull_state.watermark(target)
        start = now - LONGEST_TRAIL if reached is None else max(reached - OVERLAP, now - LONGEST_TRAIL)
        reports = pull_deletions(self._client, self.pull_state, name, start, now)
        self.pull_state.set_watermark(target, now)
        return reports

    def pull_trail(self, name: str) -> list[BatchReport]:
        now = self._clock()
        reached, _ = self.pull_state.watermark(name)
        start = self._since if reached is None else reached - OVERLAP
        start = max(start or now - LONGEST_TRAIL, now - LONGEST_TRAIL)
        span = f"start_date={format_timestamp(start)}&end_date={format_timestamp(now)}&limit=1000"
        reports, rows, total = [], 0, 0
        for page in self._client.pages(f"/audittrail/{name}?{span}"):
            rows, total = rows + len(page.data), int(page.details.get("total") or 0)
            done = not page.details.get("next_page") and rows >= total
            reports.append(
                self.pull_state.store_page(
                    name, page.data, notes=page.warnings, reached=now if done else reached
                )
            )
            self._progress(name, rows, total)
        if rows < total:
            raise PullIncomplete(name, rows, total)
        return reports

    def _keep_description(self, description: ObjectDescription) -> list[BatchReport]:
        sources = description.row_sources(
            self.pull_state.source_name(description.name), format_timestamp(self._clock())
        )
        with self.pull_state.open_store() as store:
            changed = [description.changed_rows(store, source) for source in sources]
        return [self.pull_state.store_rows(source) for source in changed if source]
