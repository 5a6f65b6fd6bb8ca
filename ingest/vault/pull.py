"""Pull changes from a Vault into the store, page by page; each page is committed before the next.

Fields, types and picklist values differ between Vaults, so a pull first reads the description of each object,
queries the fields that exist, keeps unknown fields in `extra`, and notes missing ones. What Vault refuses costs
only itself: one field, one object or one trail. The report lists it with the way to get it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.config_diff import record_config_changes, touches_config
from ingest.errors import (
    FieldsMissing,
    IngestError,
    MissingColumns,
    PullIncomplete,
    SignInRefused,
    UnknownKind,
    VaultRefused,
    VaultUnreachable,
    WrongVault,
)
from ingest.protection.pseudonyms import Pseudonymizer
from ingest.store.batches import BatchReport, Clock, utc_now
from ingest.vault import permissions as user_permissions
from ingest.vault.client import VaultClient
from ingest.vault.deletions import pull_deletions
from ingest.vault.metadata import ObjectDescription, describe_object, plain_names
from ingest.vault.paging import PageCursor, changed_at, read_pages
from ingest.vault.pull_report import Finding, Omission, PullReport, TargetOutcome, TargetReport
from ingest.vault.pull_state import PullState
from ingest.vault.refused_fields import drop_refused_fields
from ingest.vault.responses import Reply, ends_pull
from ingest.vault.timestamps import format_timestamp
from ingest.vault.trails import OVERLAP, Progress, pull_trail, window_since
from ingest.vault.vault_clock import VaultClock

OBJECTS = ("sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v")
TRAILS = ("object_audit_trail", "system_audit_trail", "login_audit_trail")
PAGE_SIZE = 1000

GRANTS = {
    "object_audit_trail": "Admin: Logs: Object Record Audit",
    "system_audit_trail": "Admin: Logs: System Audit",
    "login_audit_trail": "Admin: Logs: Login Audit",
    user_permissions.TARGET: "Read on users and on their permissions",
}
"""What a target needs that is not Read on an object."""
_OF_ACCESS = frozenset({"INSUFFICIENT_ACCESS", "MALFORMED_URL", "OPERATION_NOT_ALLOWED", "INVALID_DATA"})
"""Error types of data that the user may not read; Vault also reports it as missing."""

_OF_VAULT = (
    *(FieldsMissing, MissingColumns, PullIncomplete, SignInRefused),
    *(UnknownKind, VaultRefused, VaultUnreachable, WrongVault),
)
"""Errors of a Vault and its data. Others, such as a full disk, end the pull with an exception."""


def pull(
    store: DuckDBPyConnection | Path | str,
    client: VaultClient,
    *,
    objects: Iterable[str] = OBJECTS,
    trails: Iterable[str] = TRAILS,
    permissions: bool = True,
    since: datetime | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> PullReport:
    """Update the store from a Vault, and return what each target returned and what is missing.

    If `store` is a path, the store is open only while a page is written, never during a call. The first pull
    reads all rows, or those changed after `since`; later pulls read changes since the last one, with an
    overlap, or changes after `since` if that is earlier. An interrupted pull continues at its next page.
    Periods of time are those of the Vault's clock; `clock` is the one of this machine. `on_progress` is called
    with the target, the number of rows read and the total. `permissions` chooses whether to read the permissions
    of users. A `pseudonymizer` replaces names before anything is stored.

    A refused target, or a field that cannot be queried, is an omission in the report, and so is a target of which
    Vault returns fewer rows than it announced. If Vault cannot be reached any more, the remaining targets are
    omissions too.
    """
    vault_clock = VaultClock(client, clock)
    progress = on_progress or (lambda target, rows, total: None)
    puller = _Puller(
        PullState(store, client.host, clock, pseudonymizer), client, vault_clock, since, progress
    )
    notes = puller.compare_clocks()
    for name in objects:
        if puller.run(name, puller.read_object(name)) is not TargetOutcome.FAILED:
            puller.run(f"{name} deletions", pull_deletions(client, puller.pull_state, name, vault_clock))
    if permissions:
        steps = user_permissions.pull_permissions(client, puller.pull_state, vault_clock)
        puller.run(user_permissions.TARGET, steps)
    for name in trails:
        puller.run(name, puller.read_trail(name))
    if touches_config(puller.batches()):
        with puller.pull_state.open_store() as opened:
            changes = record_config_changes(opened, clock=clock)
        if any(each.rows_in for each in changes):
            puller.targets.append(TargetReport("configuration changes", tuple(changes)))
    return PullReport(tuple(puller.targets), tuple(notes))


@dataclass(slots=True)
class _Puller:
    pull_state: PullState
    client: VaultClient
    clock: VaultClock
    since: datetime | None
    progress: Progress
    targets: list[TargetReport] = field(default_factory=list)
    over: IngestError | None = None

    def batches(self) -> list[BatchReport]:
        return [batch for each in self.targets for batch in each.batches]

    def compare_clocks(self) -> list[str]:
        try:
            self.client.call("GET", "/objects/users/me")
        except VaultRefused:
            pass  # the reply has the Vault's time, and each target shows what the user may read
        except (SignInRefused, VaultUnreachable, WrongVault) as error:
            self.over = error
        return self.clock.notes()

    def run(self, target: str, steps: Iterator[Finding]) -> TargetOutcome:
        """Collect what the steps yield until they end or fail, and return the outcome."""
        findings: list[Finding] = []
        if self.over is not None:
            reason = f"not tried after an error: {self.over}"
            findings.append(Omission(target, "", reason, self.over.next_step))
        else:
            try:
                findings.extend(steps)
            except _OF_VAULT as error:
                findings.append(_omission(target, error, findings))
                self.over = error if ends_pull(error) else None
        description = [each for each in findings if _is_description(each)]
        if description:
            self.targets.append(TargetReport.from_findings(f"{target} fields", description))
        rows = [each for each in findings if not _is_description(each)]
        self.targets.append(TargetReport.from_findings(target, rows))
        return self.targets[-1].outcome

    def read_object(self, name: str) -> Iterator[Finding]:
        description = describe_object(self.client, name)
        yield from description.omissions
        yield from description.missing_notes()
        yield from self._store_description(description)
        reached, pending = self.pull_state.watermark(name)
        cursor = PageCursor(self._changed_after(reached))
        try:
            yield from self._read_pages(description, cursor, None if self.since else pending, reached)
        except VaultRefused as refused:
            queryable = drop_refused_fields(self.client, description, refused)
            yield from queryable.omissions
            yield from queryable.notes
            yield from self._read_pages(queryable.description, cursor, None, reached)

    def read_trail(self, name: str) -> Iterator[Finding]:
        reached, _ = self.pull_state.watermark(name)
        window = window_since(name, reached, self.since, self.clock)
        yield from pull_trail(self.client, self.pull_state, name, window, self.progress)

    def _changed_after(self, reached: datetime | None) -> datetime | None:
        if reached is None:
            return self.since
        return min(reached - OVERLAP, self.since or reached)

    def _read_pages(
        self,
        description: ObjectDescription,
        cursor: PageCursor,
        pending: str | None,
        reached: datetime | None,
    ) -> Iterator[Finding]:
        name, hidden, rows = description.name, Counter[str](), 0
        for page in read_pages(self.client, description, cursor, pending, PAGE_SIZE):
            hidden += page.hidden_fields
            yield from page.findings(name)
            reached = max([*_change_times(page), *([reached] if reached else [])], default=None)
            following = page.details.get("next_page")
            plain = [plain_names(row) for row in page.data]
            pending = str(following) if following else None
            yield self.pull_state.store_page(name, plain, reached=reached, pending=pending)
            rows += len(plain)
            self.progress(name, rows, max(rows, int(page.details.get("total") or 0)))
        for each, count in sorted(hidden.items()):
            reason = f"the field is hidden from the service user in {count:,} rows"
            yield Omission(name, f"field {each}", reason, f"Grant the service user Read on {name}.{each}.")

    def _store_description(self, description: ObjectDescription) -> Iterator[BatchReport]:
        sources = description.row_sources(
            self.pull_state.source_name(description.name), format_timestamp(self.clock.now())
        )
        with self.pull_state.open_store() as store:
            changed = [description.changed_rows(store, source) for source in sources]
        yield from (self.pull_state.store_rows(source) for source in changed if source)


def _is_description(finding: Finding) -> bool:
    return isinstance(finding, BatchReport) and finding.kind in ("object_field", "picklist_value")


def _change_times(page: Reply) -> list[datetime]:
    return [when for row in page.data if (when := changed_at(row))]


def _omission(target: str, error: IngestError, findings: list[Finding]) -> Omission:
    refused = [
        each.what for each in findings if isinstance(each, Omission) and each.what.startswith("field ")
    ]
    if refused and isinstance(error, MissingColumns | UnknownKind):
        reason = f"its rows cannot be stored without {', '.join(refused)}"
        return Omission(target, "", reason, f"Grant the service user Read on all fields of {target}.")
    if not isinstance(error, VaultRefused) or error.type not in _OF_ACCESS:
        return Omission.from_error(target, error)
    grant = GRANTS.get(target.removesuffix(" deletions"), f"API access, and Read on {target} and its fields")
    return Omission(
        target, "", str(error), f"Grant the service user: {grant}. Then run the same command again."
    )
