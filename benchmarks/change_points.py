"""Score `analysis.change_points` on the patterns of `otava-test-data`, and on counts like a fleet's.

    python -m benchmarks.change_points

Part 1: every generator of the package with its default shape, two lengths, three noise levels, five seeds; a
detection within five places of the truth counts (the package's own rule). Levels (steps, regressions and
their fixes, several steps) are what a level detector can know; with outliers, variance and phase changes
included, every cut that is not theirs counts as false. The reference is PELT of ruptures with a Gaussian and
with a kernel cost, at the usual price of a cut. Values are scaled to hundredths, because ours requires counts.

Part 2: daily failures of a small fleet: how often a cut is seen where there is none, how often a change of
the rate is found, and how often the 95 % interval holds its date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import otava_test_data as patterns
import pandas as pd
import ruptures
from otava_test_data.generators import advanced
from otava_test_data.generators.combiner import add_noise

from analysis.diagnosis.change_points import change_points

NEAR = 5
LEVELS = {"step_function", "regression_fix", "multiple_changes"}
GENERATORS = (
    patterns.constant, patterns.noise_normal, patterns.noise_uniform, patterns.outlier,
    patterns.step_function, patterns.regression_fix, patterns.banding, patterns.variance_change,
    patterns.phase_change, patterns.multiple_changes, advanced.multiple_outliers,
    advanced.multiple_variance_changes,
)  # fmt: skip
Detector = Callable[[np.ndarray], list[int]]


def ours(values: np.ndarray) -> list[int]:
    return [point.position for point in change_points(pd.Series(np.maximum(np.round(values * 100), 0)))]


def pelt_gaussian(values: np.ndarray) -> list[int]:
    variance = max(float(np.median(np.diff(values) ** 2)) / 0.91, 1e-9)  # median of a squared difference
    return (
        ruptures.Pelt("l2", min_size=2, jump=1)
        .fit(values)
        .predict(pen=3 * variance * np.log(len(values)))[:-1]
    )


def pelt_kernel(values: np.ndarray) -> list[int]:
    return ruptures.Pelt("rbf", min_size=2, jump=1).fit(values).predict(pen=np.log(len(values)))[:-1]


def matched(detected: list[int], truth: list[int]) -> int:
    left = list(truth)
    for place in detected:
        if near := [at for at in left if abs(at - place) <= NEAR]:
            left.remove(near[0])
    return len(truth) - len(left)


def series() -> Iterable[tuple[str, np.ndarray, list[int]]]:
    for generator in GENERATORS:
        for length in (50, 200):
            for sigma in (0.0, 2.0, 5.0):
                for seed in range(5):
                    made = generator(length=length, seed=seed)
                    made = add_noise(made, sigma=sigma, seed=seed + 1000) if sigma else made
                    yield generator.__name__, made.data, made.get_change_point_indices()


def score(detect: Detector) -> pd.DataFrame:
    counts: dict[str, Counter[str]] = {}
    for name, values, truth in series():
        detected = detect(values)
        hits = matched(detected, truth)
        counts.setdefault(name, Counter()).update(
            hit=hits, false=len(detected) - hits, missed=len(truth) - hits, series=1
        )
    return pd.DataFrame(counts).T


def figures(frame: pd.DataFrame) -> str:
    hit, false, missed = (frame[name].sum() for name in ("hit", "false", "missed"))
    precision, recall = hit / max(hit + false, 1), hit / max(hit + missed, 1)
    return (
        f"precision {precision:.3f}  recall {recall:.3f}  F1 {2 * hit / max(2 * hit + false + missed, 1):.3f}"
    )


def fleet_counts(rng: np.random.Generator, days: int = 60, runs: int = 400) -> None:
    quiet = {
        "Poisson, 2 a day": lambda: rng.poisson(2, days),
        "Poisson, 20 a day": lambda: rng.poisson(20, days),
        "twice as varied, 5 a day": lambda: rng.negative_binomial(5, 0.5, days),
        "four times as varied, 5 a day": lambda: rng.negative_binomial(5 / 3, 0.25, days),
    }
    for name, draw in quiet.items():
        seen = np.mean([bool(change_points(pd.Series(draw()))) for _ in range(runs)])
        print(f"  quiet, {name}: {seen:.3f} of series with a cut")
    for before, after in ((0.02, 0.04), (0.02, 0.08), (0.05, 0.25)):
        is_detected, held = [], []
        for _ in range(runs):
            at = int(rng.integers(10, days - 10))
            total = rng.poisson(200, days) + 1
            failures = rng.binomial(total, np.where(np.arange(days) < at, before, after))
            points = change_points(pd.DataFrame({"failures": failures, "total": total}))
            near = [point for point in points if abs(point.position - at) <= NEAR]
            is_detected.append(bool(near))
            held += [point.interval[0] <= at <= point.interval[1] for point in near[:1]]
        print(
            f"  from {before:.0%} to {after:.0%} of about 200 syncs a day: found {np.mean(is_detected):.3f}, "
            f"interval holds the date {np.mean(held):.3f}"
        )


def main() -> None:
    for detect in (ours, pelt_gaussian, pelt_kernel):
        table = score(detect)
        print(f"{detect.__name__:14} levels and patterns without change: ", end="")
        calm = LEVELS | {"constant", "noise_normal", "noise_uniform", "banding"}
        print(figures(table[table.index.isin(calm)]), f"| all: {figures(table)}")
        if detect is ours:
            print(table.to_string())
    fleet_counts(np.random.default_rng(1))


if __name__ == "__main__":
    main()
