"""Scores of findings against known causes. Right is the true cause, or one that the evidence supports."""

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
MOST_PAIRS = 10


@dataclass(frozen=True, slots=True)
class ReportCard:
    """Shares are between 0 and 1.

    `coverage` is the share that got a cause, `accuracy_where_given` how many of those are right.
    `calibration_error` is the expected one, over ten bins of stated confidence, of events that got a cause.
    `per_cause` has precision, recall, f1 and events by cause; `confused` has truth, cause and events of the
    most frequent mistakes; `risk` has coverage and risk as the least confident findings are left out.
    """

    events: int
    accuracy: float
    macro_f1: float
    coverage: float
    accuracy_where_given: float
    calibration_error: float
    per_cause: pd.DataFrame
    confused: pd.DataFrame
    risk: pd.DataFrame


def build_report_card(connection: DuckDBPyConnection) -> ReportCard:
    """Score the findings of a store of simulated events. Raises AnalysisError where no truth is known."""
    found = connection.execute(_WITH_TRUTH).df()
    if found.empty:
        raise AnalysisError(
            "this store has no events whose true cause is known",
            next_step="Make one with `synclens simulate`; real events come without their truth.",
        )
    return score_findings(found["truth"], found)


def score_findings(
    truth: pd.Series, found: pd.DataFrame, also: Sequence[Sequence[str]] | None = None
) -> ReportCard:
    """Score `found` (cause, confidence) against `truth`, both in one order.

    `also` lists, for each event, the causes that count as right beside the true one.
    """
    expected = truth.astype("str").to_numpy()
    given = found["cause"].astype("str").to_numpy()
    others: Sequence[Sequence[str]] = also if also is not None else [()] * len(given)
    right = np.array([g == e or g in o for g, e, o in zip(given, expected, others, strict=True)], dtype=bool)
    # A cause that counts as right beside the true one is nobody's mistake.
    meant = np.where(right, given, expected)
    named = given != UNKNOWN
    confidence = found["confidence"].to_numpy(dtype=float)
    per_cause = _per_cause(meant, given)
    return ReportCard(
        events=len(given),
        accuracy=float(right.mean()),
        macro_f1=float(per_cause["f1"].mean()),
        coverage=float(named.mean()),
        accuracy_where_given=float(right[named].mean()) if named.any() else float("nan"),
        calibration_error=calibration_error(confidence[named], right[named]),
        per_cause=per_cause,
        confused=_confused(expected[~right], given[~right]),
        risk=_risk(confidence, right),
    )


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean gap between stated confidence and share of right findings, weighted by events, over ten bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    ]
    return float(sum(gaps))


def leave_one_cause_out(
    events: pd.DataFrame,
    truth: pd.Series,
    also: Sequence[Sequence[str]] | None = None,
    catalogue: Catalogue | None = None,
) -> pd.DataFrame:
    """For each true cause, forget its rules: which share of its events becomes unknown, which gets a wrong one?

    Returns cause, events, share_unknown, share_wrong. `events` has the columns that `analysis.classify` uses;
    a cause that `also` lists for an event is not wrong.
    """
    whole = catalogue or load_catalogue()
    others = list(also) if also is not None else [()] * len(truth)
    rows = []
    for cause in sorted(set(truth) - {UNKNOWN}):
        rest = whole.model_copy(update={"rule": tuple(r for r in whole.rule if r.cause != cause)})
        of_it = (truth == cause).to_numpy()
        found = classify(events[of_it], rest)["cause"].tolist()
        supported = [others[row] for row in np.flatnonzero(of_it)]
        wrong = [name != UNKNOWN and name not in names for name, names in zip(found, supported, strict=True)]
        rows.append((cause, len(found), found.count(UNKNOWN) / len(found), sum(wrong) / len(found)))
    return pd.DataFrame(rows, columns=["cause", "events", "share_unknown", "share_wrong"])


_WITH_TRUTH = """
SELECT t.cause AS truth, f.cause, f.confidence
FROM engine_truth.event_cause AS t JOIN finding AS f ON f.event_id = t.event_id
ORDER BY t.event_id
"""


def _per_cause(meant: np.ndarray, given: np.ndarray) -> pd.DataFrame:
    rows = []
    for cause in sorted(set(meant)):
        hits = int(((meant == cause) & (given == cause)).sum())
        events, claimed = int((meant == cause).sum()), int((given == cause).sum())
        precision = hits / claimed if claimed else 0.0
        rows.append((cause, events, precision, hits / events, 2 * hits / (events + claimed)))
    return pd.DataFrame(rows, columns=["cause", "events", "precision", "recall", "f1"])


def _confused(expected: np.ndarray, given: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"truth": expected, "cause": given}).value_counts().rename("events").reset_index()
    return pairs.sort_values(["events", "truth", "cause"], ascending=[False, True, True]).head(MOST_PAIRS)


def _risk(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    levels = sorted(set(confidence[confidence > 0]), reverse=True)
    rows = [(level, (confidence >= level).mean(), 1 - right[confidence >= level].mean()) for level in levels]
    return pd.DataFrame(rows, columns=["confidence", "coverage", "risk"])
