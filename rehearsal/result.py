"""What a rehearsal found: the rebuilt situation in words, and what became of it under each candidate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from analysis.base.text import pluralize

CandidateKind = Literal["fix", "lever"]
Unit = Literal["records", "devices"]
CANDIDATE_COLUMNS = (
    "name", "who", "kind", "freed", "still_failing", "lost", "total", "predicted_loss", "as_predicted",
    "summary",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One fix or lever, carried out on a fresh copy of the situation.

    `freed`, `still_failing` and `lost` add up to `of`, all in the rehearsal's unit: freed is what no longer
    waits and lost nothing, lost is what is gone from the device without having reached the Vault.
    For a lever `predicted_loss` is the number of records that `analysis.recovery_actions` said it would lose, and
    `as_predicted` whether the very same records were lost, those of other issues included; None for a fix.
    """

    name: str
    who: str
    kind: CandidateKind
    freed: int
    still_failing: int
    lost: int
    total: int
    unit: Unit
    predicted_loss: int | None = None
    as_predicted: bool | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Share of what was stuck that is free now, from 0 to 1."""
        return self.freed / self.total if self.total else 0.0

    @property
    def summary(self) -> str:
        """Tell it in one line."""
        parts = [f"frees {self.freed:,} of {pluralize(self.total, self.unit[:-1])}"]
        if self.still_failing:
            parts.append(f"{self.still_failing:,} still failing")
        if self.lost:
            parts.append(f"loses {self.lost:,}")
        if self.predicted_loss:
            agrees = "as predicted" if self.as_predicted else "which is not what happened"
            parts.append(f"{pluralize(self.predicted_loss, 'unsent change')} predicted lost, {agrees}")
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values."""
        return asdict(self) | {"share": round(self.share, 4), "summary": self.summary}


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalResult:
    """One issue rehearsed. Without candidates `reason` says why it could not be; else it is None.

    `candidates` are in order: those that free most first, then those that lose least. `assumptions` say what
    the store did not know, `not_offered` which levers were left alone and why.
    """

    issue_id: str
    cause: str
    seed: int
    total: int
    unit: Unit
    assumptions: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    not_offered: tuple[tuple[str, str], ...] = ()
    reason: str | None = None

    @property
    def stuck_text(self) -> str:
        """What was stuck, in words: `4 records`."""
        return pluralize(self.total, self.unit[:-1])

    @property
    def best(self) -> Candidate | None:
        """The candidate that frees most and, among those, loses least; None when none frees anything."""
        first = next(iter(self.candidates), None)
        return first if first is not None and first.freed else None

    def to_frame(self) -> pd.DataFrame:
        """Give the candidates as a frame with CANDIDATE_COLUMNS, the best first."""
        rows = [[getattr(one, name) for name in CANDIDATE_COLUMNS] for one in self.candidates]
        return pd.DataFrame(rows, columns=list(CANDIDATE_COLUMNS))

    def to_text(self) -> str:
        """Write it as plain text: a line per candidate, the best first, then what was assumed and left alone."""
        if self.reason is not None:
            lines = [f"Issue {self.issue_id} ({self.cause}) is not rehearsed. {self.reason}"]
        else:
            lines = [f"Issue {self.issue_id} ({self.cause}): {self.stuck_text}"]
            lines += [f"- {one.name} ({one.who}): {one.summary}" for one in self.candidates]
        lines += [f"Assumed: {sentence}" for sentence in self.assumptions]
        lines += [f"Not offered: {name}. {why}" for name, why in self.not_offered]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values that JSON can hold."""
        plain = ("issue_id", "cause", "seed", "total", "unit", "reason")
        return {name: getattr(self, name) for name in plain} | {
            "assumptions": list(self.assumptions),
            "candidates": [one.to_dict() for one in self.candidates],
            "not_offered": dict(self.not_offered),
            "best": None if self.best is None else self.best.name,
        }
