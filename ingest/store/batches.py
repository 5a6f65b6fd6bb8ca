"""Record loads: one batch for each source and table, with its row counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from duckdb import DuckDBPyConnection

from ingest.errors import KeyUnusable
from ingest.protection.protection import Protection
from ingest.protection.pseudonyms import Pseudonymizer

Clock = Callable[[], datetime]

Outcome = Literal["loaded", "rejected", "empty", "skipped", "refused"]
"""What became of a part of a file.

loaded     rows are in the store, or the part has none and announced so
rejected   rows were read, and none is valid
empty      the part is a table without rows
skipped    the part never has rows to load, such as the index of an archive
refused    the part cannot be read, or its columns match no table
"""


def utc_now() -> datetime:
    """Return the current time of this machine: the default clock of a load."""
    return datetime.now(UTC)  # noqa: TID251 - records when this machine ran a load


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """The outcome of loading one part of a file: `rows_in` is the sum of the other four counts.

    `path` is the file or folder that was loaded, and `source` the part of it. A part that is refused, or skipped,
    is in no batch: it has no `batch_id` and no rows, but a `reason` and, if it is refused, a `next_step`.

    Rows are unchanged if they are already in the store, older than the stored version, or of a deleted record.
    `reasons` counts the rejected rows by reason, without values, most frequent first. `first_rejected` has the
    numbers of the first rejected rows, where 1 is the first row of data.
    """

    batch_id: str | None
    source: str
    kind: str
    rows_in: int
    rows_new: int
    rows_updated: int
    rows_unchanged: int
    rows_rejected: int
    started_at: datetime
    finished_at: datetime
    reasons: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    first_rejected: tuple[int, ...] = ()
    path: str | None = None
    outcome: Outcome = "loaded"
    reason: str | None = None
    next_step: str | None = None

    @classmethod
    def without_rows(
        cls, source: str, at: datetime, *, outcome: Outcome, reason: str, next_step: str | None = None
    ) -> BatchReport:
        """Return the report of a part that is in no batch."""
        return cls(
            batch_id=None,
            source=source,
            kind="",
            rows_in=0,
            rows_new=0,
            rows_updated=0,
            rows_unchanged=0,
            rows_rejected=0,
            started_at=at,
            finished_at=at,
            outcome=outcome,
            reason=reason,
            next_step=next_step,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON, with times as ISO text."""
        plain = asdict(self)
        return plain | {
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "notes": list(self.notes),
            "first_rejected": list(self.first_rejected),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A load in progress. Its `protection` keeps secrets and names out of the rows, the notes and its source."""

    batch_id: str
    source: str
    kind: str
    content_hash: str | None
    started_at: datetime
    protection: Protection

    @classmethod
    def open(
        cls,
        store: DuckDBPyConnection,
        *,
        source: str,
        kind: str,
        content_hash: str | None,
        started_at: datetime,
        pseudonymizer: Pseudonymizer | None = None,
    ) -> Batch:
        """Start a load. Its id sorts by time; the same loads in the same order have the same ids.

        With a `pseudonymizer`, the hash of the content is made with its key: names cannot be tried out with it.
        """
        protection = Protection(store, pseudonymizer, on_key_error=KeyUnusable)
        if pseudonymizer and content_hash:
            content_hash = protection.keyed_digest(content_hash)
        (count,) = store.execute("SELECT count(*) FROM ingest_batch").fetchone() or (0,)
        seed = f"{count}|{source}|{kind}|{content_hash}|{started_at.isoformat()}"
        digest = hashlib.blake2b(seed.encode(), digest_size=4).hexdigest()
        return cls(
            batch_id=f"{count + 1:08d}-{digest}",
            source=source,
            kind=kind,
            content_hash=content_hash,
            started_at=started_at,
            protection=protection,
        )

    def close(
        self,
        store: DuckDBPyConnection,
        *,
        rows_in: int,
        counts: tuple[int, int, int, int],
        finished_at: datetime,
        reasons: Counter[str] | None = None,
        first_rejected: tuple[int, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> BatchReport:
        """Record the counts (new, updated, unchanged, rejected); a check constraint verifies their sum."""
        report = BatchReport(
            batch_id=self.batch_id,
            source=self.protection.text(self.source),
            kind=self.kind,
            rows_in=rows_in,
            rows_new=counts[0],
            rows_updated=counts[1],
            rows_unchanged=counts[2],
            rows_rejected=counts[3],
            started_at=self.started_at,
            finished_at=finished_at,
            reasons=dict((reasons or Counter()).most_common(20)),
            notes=tuple(map(self.protection.note, notes)),
            first_rejected=first_rejected,
            outcome="rejected" if rows_in and rows_in == counts[3] else "loaded",
        )
        store.execute(
            "INSERT INTO ingest_batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self.batch_id,
                report.source,
                self.kind,
                self.content_hash,
                rows_in,
                *counts,
                to_naive_utc(self.started_at),
                to_naive_utc(finished_at),
            ],
        )
        return report


def to_naive_utc(when: datetime) -> datetime:
    """Convert an aware time to the format of the store: UTC, without a zone."""
    return when.astimezone(UTC).replace(tzinfo=None)
