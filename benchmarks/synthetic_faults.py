"""Score `analysis.explain` on synthetic fleets with and without a planted combination of attributes.

    python -m benchmarks.synthetic_faults [--first-seed N] [--cases N]

Each case has four attributes with unequal values, combinations of unequal size, a usual failure rate per value,
and one to six earlier periods. Three kinds of noise vary by case: each combination is overdispersed in each period
(beta-binomial), all rates of a period move together (lognormal), and the values of one attribute move by period.
Half of the counts are sparse (a few syncs per combination), half are dense. A planted fault adds failures in a
combination of one to three attributes. Printed: strict F1 of the first asserted answer and of the first listed one,
hits at three and five, and for quiet cases the share with an asserted answer, by number of earlier periods, density
and noise. Three more nulls use the quiet cases: periods shuffled within each case, and within each combination,
and counts exchanged between combinations. A fourth
drops the earlier periods.

Seeds below 1,000 are for development. Seeds from 940,000 are for the first look at a frozen version.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from analysis.diagnosis.explain.explanations import Explanation, explain

BY = ["region", "release", "model", "network"]
Where = dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One synthetic case; `planted` is None in a quiet case."""

    rows: pd.DataFrame  # region, release, model, network, period (0 = now), failures, total
    planted: Where | None
    periods: int
    is_dense: bool
    noise: str


def generate_case(seed: int, *, is_quiet: bool) -> Case:
    """Generate a case from a seed."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 8, len(BY))
    values = [[f"{name}-{k}" for k in range(size)] for name, size in zip(BY, sizes, strict=True)]
    weights = [rng.dirichlet(np.full(size, 1.5)) for size in sizes]
    cells = pd.DataFrame(list(product(*values)), columns=BY)
    cells = cells[rng.random(len(cells)) < rng.uniform(0.3, 1.0)].reset_index(drop=True)
    share = np.array(
        [
            np.prod([weights[a][values[a].index(row[a])] for a in range(len(BY))])
            for row in cells.itertuples(index=False)
        ]
    )
    is_dense = bool(rng.random() < 0.5)
    volume = (rng.uniform(100, 600) if is_dense else rng.uniform(2, 15)) * len(cells)
    usual = np.clip(rng.uniform(0.005, 0.05) * rng.lognormal(0, 0.4, len(cells)), 0.001, 0.4)
    noise = str(rng.choice(["binomial", "cells", "periods", "values"]))
    planted = None if is_quiet else _choose_fault(rng, cells, share)
    periods = int(rng.integers(1, 7))
    frames = [
        _draw_period(rng, cells, share / share.sum() * volume, usual, noise).assign(period=-k)
        for k in range(periods + 1)
    ]
    if planted:
        frames[0] = _add_failures(rng, frames[0], planted)
    rows = pd.concat(frames[::-1], ignore_index=True)
    return Case(rows[rows.total > 0], planted, periods, is_dense, noise)


def _choose_fault(rng: np.random.Generator, cells: pd.DataFrame, share: np.ndarray) -> Where:
    """Choose a combination of one to three attributes that is not the whole fleet."""
    while True:
        row = cells.iloc[rng.choice(len(cells), p=share / share.sum())]
        names = rng.choice(BY, int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])), replace=False)
        where = {str(name): str(row[name]) for name in sorted(names)}
        if share[_matches(cells, where)].sum() < 0.8 * share.sum():
            return where


def _matches(rows: pd.DataFrame, where: Where) -> np.ndarray:
    return np.asarray(np.logical_and.reduce([rows[name] == value for name, value in where.items()]))


def _draw_period(
    rng: np.random.Generator, cells: pd.DataFrame, syncs: np.ndarray, usual: np.ndarray, noise: str
) -> pd.DataFrame:
    total = rng.poisson(syncs)
    rate = usual.copy()
    if noise != "binomial":
        concentration = 40.0
        rate = rng.beta(rate * concentration, (1 - rate) * concentration)
    if noise == "periods":
        rate *= rng.lognormal(0, 0.5)
    if noise == "values":
        codes, names = pd.factorize(cells[str(rng.choice(BY))])
        rate *= rng.lognormal(0, 0.3, len(names))[codes]
    return cells.assign(failures=rng.binomial(total, np.clip(rate, 0, 0.95)), total=total)


def _add_failures(rng: np.random.Generator, now: pd.DataFrame, planted: Where) -> pd.DataFrame:
    inside = _matches(now, planted)
    extra = rng.binomial((now.total - now.failures)[inside], rng.uniform(0.1, 0.5))
    failures = now.failures.to_numpy().copy()
    failures[inside] += extra
    return now.assign(failures=failures)


def explain_rows(rows: pd.DataFrame) -> list[Explanation]:
    """Explain period 0 from the earlier periods."""
    return explain(rows[rows.period == 0], rows[rows.period < 0], by=BY, failures="failures", total="total")


def has_finding(rows: pd.DataFrame) -> bool:
    """Return whether an explanation of period 0 is asserted."""
    return any(explanation.asserted for explanation in explain_rows(rows))


def shuffle_periods(rows: pd.DataFrame, rng: np.random.Generator, *, within: list[str]) -> pd.DataFrame:
    """Shuffle whole periods, or with `within` the periods of each combination."""
    if not within:
        labels = rows.period.unique()
        return rows.assign(period=rows.period.map(dict(zip(labels, rng.permutation(labels), strict=True))))
    shuffled = rows.groupby(within)["period"].transform(lambda periods: rng.permutation(periods.to_numpy()))
    return rows.assign(period=shuffled)


def exchange_combinations(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Exchange the counts of all combinations within each period."""
    parts = []
    for _, part in rows.groupby("period"):
        order = rng.permutation(len(part))
        parts.append(
            part.assign(failures=part.failures.to_numpy()[order], total=part.total.to_numpy()[order])
        )
    return pd.concat(parts, ignore_index=True)


def report_faults(cases: list[Case], name: str) -> None:
    """Print how often the planted combination is ranked and asserted."""
    answers = [explain_rows(case.rows) for case in cases]
    asserted = [[row.where for row in rows if row.asserted] for rows in answers]
    listed = [[row.where for row in rows] for rows in answers]
    f1 = {
        kind: 2 * sum(bool(rows) and rows[0] == case.planted for rows, case in zip(lists, cases, strict=True))
        / max(1, sum(map(bool, lists)) + len(cases))
        for kind, lists in (("asserted", asserted), ("listed", listed))
    }  # fmt: skip
    hits = {
        count: np.mean([case.planted in rows[:count] for rows, case in zip(listed, cases, strict=True)])
        for count in (3, 5)
    }
    print(
        f"{name:24} {len(cases):4} cases  F1 at 1 asserted {f1['asserted']:.3f} listed {f1['listed']:.3f}  "
        f"hit at 3 {hits[3]:.3f}  at 5 {hits[5]:.3f}"
    )


def report_quiet(cases: list[Case], seed: int) -> None:
    """Print how often quiet cases have an asserted explanation, by null and kind of case."""
    groups: dict[str, list[bool]] = defaultdict(list)
    rng = np.random.default_rng(seed)
    for case in cases:
        result = has_finding(case.rows)
        groups["as generated"].append(result)
        groups[f"  {case.periods} earlier periods"].append(result)
        groups["  dense counts" if case.is_dense else "  sparse counts"].append(result)
        groups[f"  noise {case.noise}"].append(result)
        groups["whole periods shuffled"].append(has_finding(shuffle_periods(case.rows, rng, within=[])))
        groups["shuffled in combinations"].append(has_finding(shuffle_periods(case.rows, rng, within=BY)))
        if case.noise != "values":  # values differ without a fault there
            groups["no earlier periods"].append(has_finding(case.rows[case.rows.period == 0]))
        groups["combinations exchanged"].append(has_finding(exchange_combinations(case.rows, rng)))
    for name in sorted(groups, key=lambda name: (name.startswith("  "), name)):
        print(f"quiet, {name:28} {np.mean(groups[name]):.3f} of {len(groups[name])} show a finding")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=300)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.cases)
    faults = [generate_case(seed, is_quiet=False) for seed in seeds]
    report_faults(faults, "all")
    report_faults([case for case in faults if case.periods >= 2], "2 or more earlier")
    report_faults([case for case in faults if case.periods >= 4], "4 or more earlier")
    report_quiet([generate_case(seed, is_quiet=True) for seed in seeds], arguments.first_seed)


if __name__ == "__main__":
    main()
