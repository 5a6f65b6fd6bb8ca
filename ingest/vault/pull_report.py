"""The result of a pull: what each target returned, and what is missing with the way to get it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ingest.errors import IngestError
from ingest.store.batches import BatchReport

_COUNTS = ("rows_in", "rows_new", "rows_updated", "rows_unchanged", "rows_rejected")


class TargetOutcome(StrEnum):
    """What became of one target."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "not pulled"


@dataclass(frozen=True, slots=True)
class Omission:
    """Data of a target that is not in the store: what is missing, Vault's reason, and what to do.

    `what` is a field, a period or the like; it is empty if the whole target is missing.
    """

    target: str
    what: str
    reason: str
    next_step: str

    @classmethod
    def from_error(cls, target: str, error: IngestError, what: str = "") -> Omission:
        """Describe an error as the reason for missing data."""
        return cls(target, what, str(error), error.next_step)

    def __str__(self) -> str:
        return f"{self.target}: {self.what} not pulled: {self.reason}" if self.what else self._whole()

    def _whole(self) -> str:
        return f"{self.target}: not pulled: {self.reason}"


Finding = BatchReport | Omission | str
"""What a step of a pull yields: a loaded batch, something missing, or a note."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """The result of one target, such as an object or an audit trail: its batches, and what is missing."""

    target: str
    batches: tuple[BatchReport, ...] = ()
    omissions: tuple[Omission, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def from_findings(cls, target: str, findings: Iterable[Finding]) -> TargetReport:
        """Sort what a pull yielded for a target. Equal notes and omissions of several pages are kept once."""
        listed = list(findings)
        batches = tuple(each for each in listed if isinstance(each, BatchReport))
        omissions = dict.fromkeys(each for each in listed if isinstance(each, Omission))
        notes = [each for each in listed if isinstance(each, str)]
        notes += [note for batch in batches for note in batch.notes]
        return cls(target, batches, tuple(omissions), tuple(dict.fromkeys(notes)))

    @property
    def outcome(self) -> TargetOutcome:
        """Return whether everything, a part or nothing of the target was pulled."""
        if any(not each.what for each in self.omissions):
            return TargetOutcome.INCOMPLETE if self.rows_in else TargetOutcome.FAILED
        return TargetOutcome.INCOMPLETE if self.omissions else TargetOutcome.COMPLETE

    @property
    def rows_in(self) -> int:
        """Return the number of rows that were received."""
        return sum(each.rows_in for each in self.batches)

    def counts(self) -> dict[str, int]:
        """Return the sums of the row counts of the batches."""
        return {name: sum(getattr(each, name) for each in self.batches) for name in _COUNTS}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "target": self.target,
            "outcome": self.outcome.value,
            **self.counts(),
            "omissions": [asdict(each) for each in self.omissions],
            "notes": list(self.notes),
            "batches": [each.to_dict() for each in self.batches],
        }


@dataclass(frozen=True, slots=True)
class PullReport:
    """The result of a pull: one report for each target, and notes on the pull itself."""

    targets: tuple[TargetReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def batches(self) -> list[BatchReport]:
        """Return the batches of all targets in the order of loading."""
        return [batch for each in self.targets for batch in each.batches]

    @property
    def omissions(self) -> list[Omission]:
        """Return everything that is missing."""
        return [omission for each in self.targets for omission in each.omissions]

    @property
    def got_nothing(self) -> bool:
        """Return whether something is missing and nothing was pulled, not even in part."""
        return bool(self.omissions) and not self.batches

    @property
    def is_complete(self) -> bool:
        """Return whether nothing is missing and no row was rejected."""
        return not self.omissions and not any(each.rows_rejected for each in self.batches)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {"targets": [each.to_dict() for each in self.targets], "notes": list(self.notes)}
