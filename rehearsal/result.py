"""The result of a rehearsal: its assumptions, and the records that each candidate frees and loses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from analysis.base.text import pluralize

CandidateKind = Literal["fix", "recovery_action"]
Unit = Literal["records", "devices"]
CANDIDATE_COLUMNS = (
    "name", "who", "kind", "freed", "still_failing", "lost", "total", "lost_changes", "predicted_loss",
    "as_predicted", "summary",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One fix or recovery action, tried on a fresh copy of the issue.

    `freed`, `still_failing` and `lost` add up to `total`, all counted in `unit`. Freed: no longer blocked, with no
    data lost. Lost: removed from the device without reaching Vault. For a recovery action, `lost_changes` is the
    number of unsent changes that were lost, those of other issues included, `predicted_loss` the number that
    `analysis.recovery_actions` expects, and `as_predicted` whether exactly the expected ones were lost. All three
    are None for a fix.
    """

    name: str
    who: str
    kind: CandidateKind
    freed: int
    still_failing: int
    lost: int
    total: int
    unit: Unit
    lost_changes: int | None = None
    predicted_loss: int | None = None
    as_predicted: bool | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Return the freed share of the total, from 0 to 1."""
        return self.freed / self.total if self.total else 0.0

    @property
    def summary(self) -> str:
        """Return the result in one line."""
        parts = [f"frees {self.freed:,} of {pluralize(self.total, self.unit[:-1])}"]
        if self.still_failing:
            parts.append(f"{self.still_failing:,} still failing")
        if self.lost:
            parts.append(f"loses {self.lost:,}" if self.unit == "records" else f"loses data on {self.lost:,}")
        if self.lost_changes or self.predicted_loss:
            parts.append(self._loss_text())
        if self.note:
            parts.append(self.note)
        return ", ".join(parts)

    def _loss_text(self) -> str:
        """Return all lost changes beside the predicted ones: "as predicted" only if they are the same changes."""
        lost, predicted = self.lost_changes or 0, self.predicted_loss or 0
        if self.as_predicted:
            outcome = "as predicted"
        else:
            outcome = (
                f"{predicted:,} predicted" if lost != predicted else "as many as predicted, but not the same"
            )
        return f"{pluralize(lost, 'unsent change')} lost over all issues, {outcome}"

    def to_dict(self) -> dict[str, Any]:
        """Return the candidate as plain values."""
        return asdict(self) | {"share": round(self.share, 4), "summary": self.summary}


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalResult:
    """The rehearsal of one issue. If it has no candidates, `reason` explains why.

    `candidates` are sorted: most freed first, then least lost. `assumptions` lists what the store did not contain,
    and `not_offered` the recovery actions that were not tried, each with the reason.
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
        """Return the total with its unit, for example `4 records`."""
        return pluralize(self.total, self.unit[:-1])

    @property
    def best(self) -> Candidate | None:
        """Return the candidate that frees most and loses least; None if no candidate frees anything."""
        first = next(iter(self.candidates), None)
        return first if first is not None and first.freed else None

    def to_frame(self) -> pd.DataFrame:
        """Return the candidates as a frame with CANDIDATE_COLUMNS, the best first."""
        rows = [[getattr(candidate, name) for name in CANDIDATE_COLUMNS] for candidate in self.candidates]
        return pd.DataFrame(rows, columns=list(CANDIDATE_COLUMNS))

    def to_text(self) -> str:
        """Return plain text: a line per candidate, then assumptions and actions that were not tried."""
        if self.reason is not None:
            lines = [f"Issue {self.issue_id} ({self.cause}) cannot be rehearsed. {self.reason}"]
        else:
            lines = [f"Issue {self.issue_id} ({self.cause}): {self.stuck_text}"]
            lines += [f"- {item.name} ({item.who}): {item.summary}" for item in self.candidates]
        lines += [f"Assumed: {sentence}" for sentence in self.assumptions]
        lines += [f"Not offered: {name}. {reason}" for name, reason in self.not_offered]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        names = ("issue_id", "cause", "seed", "total", "unit", "reason")
        return {name: getattr(self, name) for name in names} | {
            "assumptions": list(self.assumptions),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "not_offered": dict(self.not_offered),
            "best": None if self.best is None else self.best.name,
        }
