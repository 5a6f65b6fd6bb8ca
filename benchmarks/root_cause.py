"""Score `analysis.explain` on production cases of a video service (RobustSpot).

    python -m benchmarks.root_cause ../shared/bench/root_cause

The folder holds `cases.csv.gz` (case, period, attributes, failures, total; period 0 is the anomalous minute)
and `labels.json`. It comes from https://github.com/shaido987/riskloc (MIT) and is not part of this project;
`SYNCLENS_BENCH` may name its parent folder instead. Printed: strict F1 of the first answer (an answer counts
when it equals a labeled cause) among the asserted and among all listed answers, the share of cases with a labeled
cause among three and five listed answers, each also for both halves of the cases, and how often quiet periods have an
asserted answer: earlier periods compared with periods before them, and labels shuffled between periods.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.diagnosis.explain.explanations import Explanation, explain

# The last period before the fault (-1) is not quiet in a quarter of the cases: their fault has begun.
QUIET_PERIODS = ((-3, -4), (-2, -4, -3), (-1, -3, -2), (-1, -4, -3, -2))
NOT_ATTRIBUTES = {"case", "period", "failures", "total"}
Answers = dict[int, list[dict[str, str]]]


def explain_case(now: pd.DataFrame, before: pd.DataFrame, limit: int = 5) -> list[Explanation]:
    by = [name for name in now.columns if name not in NOT_ATTRIBUTES]
    return explain(now, before, by=by, failures="failures", total="total", limit=limit)


def answers(cases: pd.DataFrame) -> dict[int, list[Explanation]]:
    return {
        int(number): explain_case(case[case.period == 0], case[case.period < 0])
        for number, case in cases.groupby("case")
    }


def scores(
    answers_by_case: dict[int, list[Explanation]], truth: Answers, cases: Iterable[int]
) -> dict[str, float]:
    cases = list(cases)
    listed = {case: [answer.where for answer in answers_by_case[case]] for case in cases}
    asserted = {case: [answer.where for answer in answers_by_case[case] if answer.asserted] for case in cases}
    return {
        "strict F1 at 1 asserted": _strict_f1(asserted, truth),
        "listed": _strict_f1(listed, truth),
        "hit at 3": float(np.mean([any(a in truth[case] for a in listed[case][:3]) for case in cases])),
        "hit at 5": float(np.mean([any(a in truth[case] for a in listed[case][:5]) for case in cases])),
    }


def _strict_f1(answers_by_case: Answers, truth: Answers) -> float:
    right = sum(bool(rows) and rows[0] in truth[case] for case, rows in answers_by_case.items())
    answered = sum(map(bool, answers_by_case.values()))
    return 2 * right / (answered + sum(len(truth[case]) for case in answers_by_case))


def has_finding(now: pd.DataFrame, before: pd.DataFrame) -> bool:
    return any(answer.asserted for answer in explain_case(now, before))


def shuffled(cases: pd.DataFrame, rng: np.random.Generator, *, within_combination: bool) -> pd.DataFrame:
    keys = [name for name in cases.columns if name not in NOT_ATTRIBUTES - {"case"}]
    groups = cases.groupby(keys if within_combination else "case", dropna=False)["period"]
    return cases.assign(period=groups.transform(lambda periods: rng.permutation(periods.to_numpy())))


def main(folder: Path) -> None:
    cases = pd.read_csv(folder / "cases.csv.gz")
    truth: Answers = {row["case"]: row["causes"] for row in json.loads((folder / "labels.json").read_text())}
    started = time.perf_counter()
    answers_by_case = answers(cases)
    seconds = time.perf_counter() - started
    numbers = sorted(answers_by_case)
    for name, case_numbers in {
        "all": numbers,
        "first half": numbers[::2],
        "second half": numbers[1::2],
    }.items():
        line = "  ".join(
            f"{key} {value:.3f}" for key, value in scores(answers_by_case, truth, case_numbers).items()
        )
        print(f"{name:12} {len(case_numbers):4} cases  {line}")
    print(f"{seconds / len(numbers):.3f} s per case")
    for where, shares in quiet_shares(cases).items():
        print(f"quiet, {where}: {np.mean(shares):.3f} of {len(shares)} pages show a finding")


def quiet_shares(cases: pd.DataFrame) -> dict[str, list[bool]]:
    """Return for each null whether each quiet page has an asserted explanation."""
    results: dict[str, list[bool]] = defaultdict(list)
    for now, *before in QUIET_PERIODS:
        for _, case in cases.groupby("case"):
            name = f"period {now} against {before}"
            results[name].append(has_finding(case[case.period == now], case[case.period.isin(before)]))
    rng = np.random.default_rng(11)
    quiet = cases[cases.period < 0]
    for within in (False, True):
        for rows, latest in ((cases, 0), (quiet, -1), (quiet[quiet.period < -1], -2)):
            for _ in range(3):
                mixed = shuffled(rows, rng, within_combination=within)
                name = (
                    f"{'within combinations' if within else 'rows of a case'} shuffled, up to period {latest}"
                )
                for _, case in mixed.groupby("case"):
                    results[name].append(has_finding(case[case.period == latest], case[case.period < latest]))
    return results


if __name__ == "__main__":
    default = Path(os.environ.get("SYNCLENS_BENCH", "../shared/bench")) / "root_cause"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
