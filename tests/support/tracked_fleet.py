"""Build a store that has only sync tracking records: a regular fleet, and the syncs that a test makes fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
from duckdb import DuckDBPyConnection

MONDAY = datetime(2026, 5, 4)  # noqa: DTZ001 - the store keeps UTC without a zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One tracked sync; successful by default."""

    user: str
    at: datetime
    version: str = "301.0.4"
    sync_type: str = "incremental__v"
    success: bool | None = True
    canceled: bool = False
    uploaded: bool | None = True
    downloaded: bool | None = True
    refused: int = 0
    retries: int = 0
    vtrans: int = 0

    @property
    def id(self) -> str:
        """Return an id that names the user and the time."""
        return f"{self.user}-{self.at:%m%d%H%M}"

    def failing_in_upload(self) -> Sync:
        """Return the same sync with a failed upload."""
        return replace(self, success=False, uploaded=False, downloaded=False)

    def failing_in_download(self) -> Sync:
        """Return the same sync with a failed download."""
        return replace(self, success=False, downloaded=False)


Change = Callable[[Sync], Sync | None]


def regular_syncs(users: int = 30, days: int = 10) -> list[Sync]:
    """Return two syncs of each user on each day, at 7 to 10 and 13 to 16 o'clock."""
    return [
        Sync(user=f"u{user:02}", at=MONDAY + timedelta(days=day, hours=hour, minutes=user * 6))
        for day in range(days)
        for hour in (7, 13)
        for user in range(users)
    ]


def change(syncs: Iterable[Sync], *changes: Change) -> list[Sync]:
    """Apply each change to each sync; None removes it."""
    changed = []
    for sync in syncs:
        current: Sync | None = sync
        for apply in changes:
            current = None if current is None else apply(current)
        if current is not None:
            changed.append(current)
    return changed


def add_syncs(store: DuckDBPyConnection, syncs: Iterable[Sync]) -> None:
    """Insert the syncs in their order."""
    rows = pd.DataFrame(
        [
            (
                sync.id, sync.user, sync.at, sync.at + timedelta(minutes=3) if sync.success is not None else None,
                sync.success, sync.canceled, sync.uploaded, sync.downloaded, sync.refused, sync.retries,
                sync.vtrans, sync.version, sync.sync_type,
            )
            for sync in syncs
        ],
        columns=[
            "id", "created_by__v", "sync_start_datetime__v", "sync_completed_datetime__v", "successful_sync__v",
            "sync_canceled__v", "upload_processed__v", "download_processed__v", "number_of_upload_errors__v",
            "number_of_retries__v", "number_of_vtrans__v", "version__v", "sync_type__v",
        ],
    )  # fmt: skip
    rows = rows.assign(source="test", batch_id="b")
    store.register("new_sync", rows)
    store.execute("INSERT INTO sync_tracking__v BY NAME SELECT * FROM new_sync")
    store.unregister("new_sync")


def add_error(store: DuckDBPyConnection, sync: Sync, *, with_sync_id: bool = True) -> None:
    """Insert an error event of a sync."""
    store.execute(
        "INSERT INTO sync_error (event_id, sync_id, occurred_at, user_id, message, source, batch_id)"
        " VALUES (?, ?, ?, ?, 'Session is not valid', 'test', 'b')",
        [f"e-{sync.id}", sync.id if with_sync_id else None, sync.at + timedelta(minutes=1), sync.user],
    )
