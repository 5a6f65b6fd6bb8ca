"""Score `analysis.explain` on production cases of a video service (RobustSpot).

    python -m benchmarks.root_cause ../shared/bench/root_cause

The folder holds `cases.csv.gz` (case, period, attributes, failures, total; period 0 is the anomalous minute)
and `labels.json`. It comes from https://github.com/shaido987/riskloc (MIT) and is not part of this project;
`SYNCLENS_BENCH` may name its parent folder instead. Printed: strict F1 of the first answer (an answer counts
when it equals a labeled cause), the share of cases with a labeled cause among three and five answers, each
also for both halves of the cases, and how often labels shuffled between periods still produce an answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.diagnosis.explain.explanations import explain

NOT_ATTRIBUTES = {"case", "period", "failures", "total"}
Answers = dict[int, list[dict[str, str]]]


def answers(cases: pd.DataFrame, most: int = 5) -> Answers:
    by = [name for name in cases.columns if name not in NOT_ATTRIBUTES]
    return {
        int(number): [
            explanation.where
            for explanation in explain(
                case[case.period == 0],
                case[case.period < 0],
                by=by,
                failures="failures",
                total="total",
                limit=most,
            )
        ]
        for number, case in cases.groupby("case")
    }


def scores(answers_by_case: Answers, truth: Answers, cases: Iterable[int]) -> dict[str, float]:
    cases = list(cases)
    right = sum(answers_by_case[case][:1] != [] and answers_by_case[case][0] in truth[case] for case in cases)
    answered = sum(bool(answers_by_case[case]) for case in cases)
    causes = sum(len(truth[case]) for case in cases)
    return {
        "strict F1 at 1": 2 * right / (answered + causes),
        "hit at 3": float(
            np.mean([any(a in truth[case] for a in answers_by_case[case][:3]) for case in cases])
        ),
        "hit at 5": float(
            np.mean([any(a in truth[case] for a in answers_by_case[case][:5]) for case in cases])
        ),
    }


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
    for within in (False, True):
        rng = np.random.default_rng(11)
        has_finding = [
            bool(a)
            for _ in range(3)
            for a in answers(shuffled(cases, rng, within_combination=within)).values()
        ]
        where = "within each combination" if within else "within each case"
        print(
            f"periods shuffled {where}: {np.mean(has_finding):.3f} of {len(has_finding)} pages show a finding"
        )


if __name__ == "__main__":
    default = Path(os.environ.get("SYNCLENS_BENCH", "../shared/bench")) / "root_cause"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
