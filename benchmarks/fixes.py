"""Measure fixes: is the headline of a planted fault's main issue what undoes the fault?

    python -m benchmarks.fixes [--seeds 11,12] [--scenarios demo,storm] [--devices 30] [--days 14]

Each scenario is simulated with each seed. The main issue of a planted fault is the one with most of its errors.
Faults of fewer than MIN_ERRORS errors, and those whose main issue mostly has errors of others, are counted apart. The
true fix follows from the simulator's records, not from the analysis:

* A fault that a configuration change caused: the headline has the names that this change has (EXPECTED), and no other
  change is named.
* A fault without a change: the headline belongs to the true cause, and undoes no change.

Development seeds are below 1,000; figures are reported for seeds that were not used before.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from analysis import suggest_fix
from analysis.fixes.suggestion import Suggestion
from benchmarks.incidents import simulated_stores
from sync_engine.simulator.fleet.scenario import SCENARIOS

MIN_ERRORS = 3
_FAULTS = """
SELECT t.injected_by AS fault, mode(t.cause) AS cause,
    list(DISTINCT t.change_id) FILTER (t.change_id IS NOT NULL) AS changes, count(*) AS errors,
    mode(e.issue_id) AS issue_id
FROM engine_truth.event_cause AS t JOIN error AS e USING (event_id)
WHERE t.injected_by <> 'everyday use' GROUP BY 1 ORDER BY 1
"""
_SHARE = """
SELECT count(*) FILTER (WHERE t.injected_by = $fault) / count(*)
FROM error AS e LEFT JOIN engine_truth.event_cause AS t USING (event_id) WHERE e.issue_id = $issue
"""
_CHANGE = """
SELECT kind, target, object, field, before, after, detail, changed_at, changed_by FROM config_change
WHERE change_id = $id
"""


def _names_of_permission(row: Mapping[str, Any]) -> Sequence[str]:
    if row["object"] is None:
        return ("metadata api", str(row["field"] or row["target"]))
    return (f"{row['object']}.{row['field']}" if row["field"] not in (None, "", "*") else row["object"],)


EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], Sequence[str]]] = {
    "permission_set": _names_of_permission,
    "app_version": lambda row: (row["target"],),
    "territory": lambda _: ("territor",),
    "user": lambda row: ("password", row["target"]),
    "object": lambda row: ("merge", "delete") if row["detail"] else (row["object"] or row["target"],),
    "field": lambda row: (row["field"] or row["target"],),
    "setting": lambda row: (row["target"].partition("/")[0],),
}
"""Texts of which a headline that undoes a kind of change must contain one; other kinds: the changed target."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One planted fault: whether the headline is right, and what it was."""

    fault: str
    outcome: str  # right, wrong, small or shared
    headline: str = ""
    issue_id: str = ""


def judge(store: DuckDBPyConnection) -> list[Verdict]:
    """Return the verdict on each planted fault of a simulated store."""
    verdicts = []
    for fault, cause, changes, errors, issue_id in store.execute(_FAULTS).fetchall():
        ((share,),) = store.execute(_SHARE, {"fault": fault, "issue": issue_id}).fetchall()
        if errors < MIN_ERRORS or share <= 0.5:
            verdicts.append(Verdict(fault, "small" if errors < MIN_ERRORS else "shared"))
            continue
        suggestion = suggest_fix(store, issue_id)
        is_right = (
            _undoes(store, suggestion, changes)
            if changes
            else suggestion.cause == cause and suggestion.undo is None
        )
        verdicts.append(Verdict(fault, "right" if is_right else "wrong", suggestion.headline, issue_id))
    return verdicts


def _undoes(store: DuckDBPyConnection, suggestion: Suggestion, change_ids: Sequence[str]) -> bool:
    rows = []
    for change_id in change_ids:
        cursor = store.execute(_CHANGE, {"id": change_id})
        names = [column[0] for column in cursor.description or ()]
        rows += [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    named = suggestion.change
    if named is not None and rows:
        moments = {(row["changed_at"], row["kind"], row["changed_by"]) for row in rows}
        if (named.changed_at, named.kind, named.changed_by) not in moments and named.certain:
            return False
    headline = suggestion.headline.lower()
    return any(
        text.lower() in headline
        for row in rows
        for text in EXPECTED.get(row["kind"], lambda row: (row["target"],))(row)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the share of planted faults whose fix is right, and each that is not."""
    parser = argparse.ArgumentParser(description="Measure fixes.")
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[11, 12]
    )
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=sorted(SCENARIOS))
    parser.add_argument("--devices", type=int, default=30)
    parser.add_argument("--days", type=int, default=14)
    options = parser.parse_args(arguments)
    outcomes: Counter[str] = Counter()
    for name, seed, store in simulated_stores(
        options.scenarios, options.seeds, options.devices, options.days
    ):
        for verdict in judge(store):
            outcomes[verdict.outcome] += 1
            if verdict.outcome == "wrong":
                print(f"{name} {seed}: {verdict.fault} [{verdict.issue_id}]: {verdict.headline}", flush=True)
    judged = outcomes["right"] + outcomes["wrong"]
    print(f"{outcomes['right']} of {judged} fixes right ({outcomes['right'] / max(1, judged):.3f})")
    print(
        f"not judged: {outcomes['small']} with fewer than {MIN_ERRORS} errors, {outcomes['shared']} in others' issues"
    )


if __name__ == "__main__":
    main()
