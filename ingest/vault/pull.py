"""Fill the store from a Vault: what changed since last time, page by page, each safe before the next.

The describe call comes first: fields, types and picklist values differ from Vault to Vault, so a pull asks
for what exists, keeps what it does not know in `extra`, and says what it missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

from duckdb import DuckDBPyConnection

from ingest.batches import Batch, BatchReport, Clock, naive, utc_now
from ingest.contracts import CONTRACTS
from ingest.deletes import bury_source
from ingest.differences import HISTORIES, tell_differences
from ingest.errors import PullIncomplete, UnknownKind, VaultRefused, VaultUnreachable
from ingest.load import settle_source
from ingest.mapping import choose
from ingest.rows import RawRow, RowSource, as_text
from ingest.shapes import reshape
from ingest.transaction import transaction
from ingest.vault.client import VaultClient
from ingest.vault.describe import Described, describe
from ingest.vault.replies import Reply

OBJECTS = ("sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v")
TRAILS = ("object_audit_trail", "system_audit_trail", "login_audit_trail")
OVERLAP = timedelta(minutes=15)
"""How far each pull reaches back behind the last: a row may be committed later than its time says."""
LONGEST_TRAIL = timedelta(days=30)
"""Vault's audit trails answer for this long."""
PAGE_SIZE = 1000

_GAPS = frozenset({"INSUFFICIENT_ACCESS", "MALFORMED_URL", "OPERATION_NOT_ALLOWED", "INVALID_DATA"})

Progress = Callable[[str, int, int], None]


def pull(
    store: DuckDBPyConnection,
    client: VaultClient,
    *,
    objects: Iterable[str] = OBJECTS,
    trails: Iterable[str] = TRAILS,
    since: datetime | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> list[BatchReport]:
    """Bring the store up to date with a Vault, and report one batch for each page of rows.

    The first pull takes everything, or what changed after `since`; later ones what changed since the last,
    and an overlap. A pull that was cut off goes on at its next page. `on_progress` gets the target, the rows
    so far and the rows in all. What the user may not read is noted in a batch without rows, and the pull
    goes on. Raises PullIncomplete when Vault hands over fewer rows than it announced.
    """
    puller = _Puller(store, client, clock, on_progress)
    reports: list[BatchReport] = []
    for name in objects:
        reports += puller.guarded(name, lambda name=name: puller.pull_object(name, since))  # type: ignore[misc]
        if name == "sync_tracking__v":
            reports += puller.guarded(f"{name} deletions", lambda name=name: puller.pull_deletions(name))  # type: ignore[misc]
    for name in trails:
        reports += puller.guarded(name, lambda name=name: puller.pull_trail(name, since))  # type: ignore[misc]
    if any(report.kind in HISTORIES and report.rows_new for report in reports):
        reports += tell_differences(store, clock=clock)
    return reports


class _Puller:
    def __init__(
        self, store: DuckDBPyConnection, client: VaultClient, clock: Clock, on_progress: Progress | None
    ) -> None:
        self._store, self._client, self._clock = store, client, clock
        self._progress = on_progress or (lambda target, rows, total: None)

    def guarded(self, target: str, work: Callable[[], list[BatchReport]]) -> list[BatchReport]:
        try:
            return work()
        except UnknownKind as unknown:
            return [self._nothing(target, f"not pulled: {unknown}")]
        except VaultRefused as refused:
            if refused.type not in _GAPS:
                raise
            return [self._nothing(target, f"not pulled: {refused}. {refused.next_step}")]

    def pull_object(self, name: str, since: datetime | None) -> list[BatchReport]:
        described = describe(self._client, name)
        reports = self._keep_description(described)
        reached, pending = self._watermark(name)
        notes = described.missing_notes()
        rows, total, latest = 0, 0, reached
        for page, resumed in self._object_pages(described, since, reached, pending):
            latest = max(filter(None, (latest, _latest(page.data))), default=None)
            rows, total = rows + len(page.data), int(page.details.get("total") or 0)
            following = page.details.get("next_page")
            total = rows if resumed else total
            reports.append(self._settle_page(name, page, notes, latest, following))
            self._progress(name, rows, total)
            notes = []
        if rows < total:
            raise PullIncomplete(name, rows, total)
        return reports

    def pull_deletions(self, name: str) -> list[BatchReport]:
        target, now = f"{name} deletions", self._clock()
        reached, _ = self._watermark(target)
        start = now - LONGEST_TRAIL if reached is None else max(reached - OVERLAP, now - LONGEST_TRAIL)
        span = f"start_date={_vault_time(start)}&end_date={_vault_time(now)}&limit=1000"
        reports = []
        for page in self._client.pages(f"/objects/deletions/vobjects/{name}?{span}"):
            rows = [
                RawRow(number, {column: as_text(each) for column, each in row.items()})
                for number, row in enumerate(page.data, start=1)
            ]
            if rows:
                source = RowSource(self._source(target), list(rows[0].cells), iter(rows))
                batch = self._batch(source.name, name)
                reports.append(bury_source(self._store, source, CONTRACTS[name], batch, self._clock))
        with transaction(self._store):
            self._move_watermark(target, now, None)
        return reports

    def pull_trail(self, name: str, since: datetime | None) -> list[BatchReport]:
        now = self._clock()
        reached, _ = self._watermark(name)
        start = max(filter(None, (since if reached is None else reached - OVERLAP, now - LONGEST_TRAIL)))
        span = f"start_date={_vault_time(start)}&end_date={_vault_time(now)}&limit=1000"
        reports, rows, total = [], 0, 0
        for page in self._client.pages(f"/audittrail/{name}?{span}"):
            rows, total = rows + len(page.data), int(page.details.get("total") or 0)
            done = not page.details.get("next_page")
            reports.append(self._settle_page(name, page, [], now if done else None, None))
            self._progress(name, rows, total)
        if rows < total:
            raise PullIncomplete(name, rows, total)
        return reports

    def _object_pages(
        self, described: Described, since: datetime | None, reached: datetime | None, pending: str | None
    ) -> Iterator[tuple[Reply, bool]]:
        if pending:
            pages = self._client.query("", first=pending)
            try:
                first = next(pages)
            except (VaultRefused, VaultUnreachable):
                pass  # page addresses do not live for ever; the watermark does
            else:
                yield from ((page, True) for page in chain([first], pages))
                return
        start = since if reached is None else reached - OVERLAP
        yield from (
            (page, False) for page in self._client.query(described.vql(_vault_time, start, PAGE_SIZE))
        )

    def _settle_page(
        self, target: str, page: Reply, notes: list[str], reached: datetime | None, pending: object
    ) -> BatchReport:
        rows = [
            RawRow(number, {name: as_text(each) for name, each in row.items()})
            for number, row in enumerate(page.data, start=1)
        ]
        header = dict.fromkeys(name for row in rows for name in row.cells)
        source = RowSource(self._source(target), list(header), iter(rows), notes=[*notes, *page.warnings])

        def move() -> None:
            self._move_watermark(target, reached, str(pending) if pending else None)

        if not rows:
            with transaction(self._store):
                move()
            return self._nothing(target, *source.notes)
        return self._settle(reshape(source), move)

    def _settle(self, source: RowSource, also: Callable[[], None] | None = None) -> BatchReport:
        mapping = choose(source.header, source.name)
        batch = self._batch(source.name, mapping.contract.table)
        return settle_source(self._store, source, mapping, batch, clock=self._clock, also=also)

    def _keep_description(self, described: Described) -> list[BatchReport]:
        known = described.as_sources(self._source(described.name), _vault_time(self._clock()))
        return [self._settle(source) for source in known if described.changed(self._store, source)]

    def _nothing(self, target: str, *notes: str) -> BatchReport:
        kind = target if target in CONTRACTS else "nothing"
        batch = self._batch(self._source(target), kind)
        with transaction(self._store):
            return batch.close(
                self._store, rows_in=0, counts=(0, 0, 0, 0), finished_at=self._clock(), notes=notes
            )

    def _batch(self, source: str, kind: str) -> Batch:
        return Batch.open(self._store, source=source, kind=kind, content_hash=None, started_at=self._clock())

    def _source(self, target: str) -> str:
        return f"{self._client.host}/{target}"

    def _watermark(self, target: str) -> tuple[datetime | None, str | None]:
        row = self._store.execute(
            "SELECT reached_at, pending FROM watermark WHERE source = ? AND target = ?",
            [self._client.host, target],
        ).fetchone()
        return (row[0].replace(tzinfo=UTC), row[1]) if row else (None, None)

    def _move_watermark(self, target: str, reached: datetime | None, pending: str | None) -> None:
        if reached is None:
            return
        place = [self._client.host, target]
        self._store.execute("DELETE FROM watermark WHERE source = ? AND target = ?", place)
        self._store.execute("INSERT INTO watermark VALUES (?, ?, ?, ?)", [*place, naive(reached), pending])


def _latest(rows: list[dict[str, object]]) -> datetime | None:
    texts = [str(row["modified_date__v"]) for row in rows if row.get("modified_date__v")]
    try:
        return datetime.fromisoformat(max(texts)) if texts else None
    except ValueError:
        return None  # the contract will refuse that row with its reason; the watermark just stays


def _vault_time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
