"""Score findings against true causes. A finding is correct if its cause is true or equally supported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.errors import AnalysisError
from analysis.classification.catalogue import UNKNOWN, Catalogue, load_catalogue
from analysis.classification.classifier import classify

BINS = 10
MAX_PAIRS = 10


@dataclass(frozen=True, slots=True)
class ReportCard:
    """The agreement of findings with the true causes; shares are from 0 to 1.

    `coverage` is the share of events with an assigned cause, `accuracy_if_assigned` the correct share of those.
    `calibration_error` is the expected calibration error of events with a cause, over ten bins of confidence.
    `per_cause` has precision, recall, f1 and events by cause; `confused` has truth, cause and events of the
    most frequent mistakes; `risk` has coverage and risk as the least confident findings are left out.
    """

    events: int
    accuracy: float
    macro_f1: float
    coverage: float
    accuracy_if_assigned: float
    calibration_error: float
    per_cause: pd.DataFrame
    confused: pd.DataFrame
    risk: pd.DataFrame


def build_report_card(connection: DuckDBPyConnection) -> ReportCard:
    """Score the findings of a store of simulated events. Raises AnalysisError without true causes."""
    findings = connection.execute(_WITH_TRUTH).df()
    if findings.empty:
        raise AnalysisError(
            "this store has no events with a known true cause",
            next_step="Create one with `synclens simulate`; real events have no known true cause.",
        )
    return score_findings(findings["truth"], findings)


def score_findings(
    truth: pd.Series, findings: pd.DataFrame, alternatives: Sequence[Sequence[str]] | None = None
) -> ReportCard:
    """Score `findings` (cause, confidence) against `truth`, in the same order.

    `alternatives` lists for each event the other causes that count as correct.
    """
    expected = truth.astype("str").to_numpy()
    assigned = findings["cause"].astype("str").to_numpy()
    others: Sequence[Sequence[str]] = alternatives if alternatives is not None else [()] * len(assigned)
    is_correct = np.array(
        [g == e or g in o for g, e, o in zip(assigned, expected, others, strict=True)], dtype=bool
    )
    # An alternative that counts as correct is credited as if it were the true cause.
    credited = np.where(is_correct, assigned, expected)
    has_cause = assigned != UNKNOWN
    confidence = findings["confidence"].to_numpy(dtype=float)
    per_cause = _scores_per_cause(credited, assigned)
    return ReportCard(
        events=len(assigned),
        accuracy=float(is_correct.mean()),
        macro_f1=float(per_cause["f1"].mean()),
        coverage=float(has_cause.mean()),
        accuracy_if_assigned=float(is_correct[has_cause].mean()) if has_cause.any() else float("nan"),
        calibration_error=calibration_error(confidence[has_cause], is_correct[has_cause]),
        per_cause=per_cause,
        confused=_most_confused(expected[~is_correct], assigned[~is_correct]),
        risk=_risk_coverage(confidence, is_correct),
    )


def calibration_error(confidence: np.ndarray, is_correct: np.ndarray) -> float:
    """Return the mean gap between confidence and correct share, weighted by events, over ten bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == number].mean() - is_correct[bins == number].mean()) * (bins == number).mean()
        for number in np.unique(bins)
    ]
    return float(sum(gaps))


def leave_one_cause_out(
    events: pd.DataFrame,
    truth: pd.Series,
    alternatives: Sequence[Sequence[str]] | None = None,
    catalogue: Catalogue | None = None,
) -> pd.DataFrame:
    """Classify the events of each true cause by the rules without its own: how many become unknown or wrong.

    Returns cause, events, share_unknown, share_wrong. `events` has the columns that `analysis.classify` uses;
    a cause in the `alternatives` of an event is not wrong.
    """
    full = catalogue or load_catalogue()
    others = list(alternatives) if alternatives is not None else [()] * len(truth)
    rows = []
    for cause in sorted(set(truth) - {UNKNOWN}):
        reduced = full.model_copy(update={"rule": tuple(r for r in full.rule if r.cause != cause)})
        is_of_cause = (truth == cause).to_numpy()
        causes = classify(events[is_of_cause], reduced, rules_only=True)["cause"].tolist()
        supported = [others[row] for row in np.flatnonzero(is_of_cause)]
        is_wrong = [
            name != UNKNOWN and name not in names for name, names in zip(causes, supported, strict=True)
        ]
        rows.append((cause, len(causes), causes.count(UNKNOWN) / len(causes), sum(is_wrong) / len(causes)))
    return pd.DataFrame(rows, columns=["cause", "events", "share_unknown", "share_wrong"])


_WITH_TRUTH = """
SELECT t.cause AS truth, f.cause, f.confidence
FROM engine_truth.event_cause AS t JOIN finding AS f ON f.event_id = t.event_id
ORDER BY t.event_id
"""


def _scores_per_cause(credited: np.ndarray, assigned: np.ndarray) -> pd.DataFrame:
    rows = []
    for cause in sorted(set(credited)):
        hits = int(((credited == cause) & (assigned == cause)).sum())
        events, claimed = int((credited == cause).sum()), int((assigned == cause).sum())
        precision = hits / claimed if claimed else 0.0
        rows.append((cause, events, precision, hits / events, 2 * hits / (events + claimed)))
    return pd.DataFrame(rows, columns=["cause", "events", "precision", "recall", "f1"])


def _most_confused(expected: np.ndarray, assigned: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"truth": expected, "cause": assigned}).value_counts().rename("events").reset_index()
    return pairs.sort_values(["events", "truth", "cause"], ascending=[False, True, True]).head(MAX_PAIRS)


def _risk_coverage(confidence: np.ndarray, is_correct: np.ndarray) -> pd.DataFrame:
    levels = sorted(set(confidence[confidence > 0]), reverse=True)
    rows = [
        (level, (confidence >= level).mean(), 1 - is_correct[confidence >= level].mean()) for level in levels
    ]
    return pd.DataFrame(rows, columns=["confidence", "coverage", "risk"])
