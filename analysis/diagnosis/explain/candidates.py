"""Find candidate combinations of attributes, and score how well each explains a rise in failures.

The score follows the ripple effect (HotSpot, Squeeze, RiskLoc): failures rise in all parts of the true cause. The
score of a combination is the log likelihood that the data gains if every cell in it gets the same extra failure
probability. A combination that is too narrow leaves gain to others. One that is too broad spreads the extra
probability over cells that did not rise, and loses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from scipy import sparse
from scipy.special import xlogy

from analysis.diagnosis.explain.cells import MISSING, Cells, Floats, Integers

# The maximum evidence of a single cell, in syncs. The history of a cell is shrunk by as many syncs at the overall
# rate. Evidence is limited because real cells are overdispersed.
MAX_EVIDENCE = 100.0
_COST_PER_ATTRIBUTE = 0.02  # share of the gain that each attribute costs, in addition to its complexity cost
_MIN_SHARE = 0.02  # of all failures
_MAX_ATTRIBUTES = 3

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Combinations, broadest first: `where[i]` has (attribute, value) positions, `members[i]` the cells."""

    where: tuple[Pairs, ...]
    members: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.where)

    @property
    def order(self) -> Integers:
        """Return the number of attributes of each combination."""
        return np.array([len(pairs) for pairs in self.where], dtype=np.int64)


def min_failures(failures: Floats) -> float:
    """Return how many failures a combination needs to be a candidate."""
    return max(2.0, _MIN_SHARE * float(failures.sum()))


def find_candidates(cells: Cells, failures: Floats) -> Candidates:
    """Find all combinations of up to three attributes with enough failures and distinct cells.

    Of combinations with exactly the same cells, the one with most attributes is kept (the closed item set). An
    attribute that another one determines, as a territory determines its country, is not combined with it.
    """
    return find_combinations(cells, failures, min_failures(failures))


def find_combinations(cells: Cells, counts: Floats, min_count: float) -> Candidates:
    """Find all combinations of up to three attributes with at least `min_count` of the counts of the cells."""
    implied_pairs = _find_implied_pairs(cells)
    cell_weights = np.random.default_rng(0).random(len(cells))
    by_cells: dict[float, tuple[Pairs, Integers]] = {}
    for order in range(1, min(_MAX_ATTRIBUTES, len(cells.attributes)) + 1):
        for columns in combinations(range(len(cells.attributes)), order):
            if implied_pairs.isdisjoint(permutations(columns, 2)):
                for pairs, inside in _group_values(cells, columns, counts, min_count):
                    by_cells[round(float(cell_weights[inside].sum()), 9)] = pairs, inside
    return Candidates(
        tuple(pairs for pairs, _ in by_cells.values()),
        _build_membership([inside for _, inside in by_cells.values()], len(cells)),
    )


def _find_implied_pairs(cells: Cells) -> set[tuple[int, int]]:
    """Return pairs of attributes in which the first determines the second."""
    positions = range(len(cells.attributes))
    distinct_counts = {(a,): len(np.unique(cells.codes[:, a])) for a in positions} | {
        pair: len(np.unique(cells.codes[:, pair], axis=0)) for pair in combinations(positions, 2)
    }
    return {
        (a, b)
        for a, b in permutations(positions, 2)
        if distinct_counts[min(a, b), max(a, b)] == distinct_counts[(a,)]
    }


def _group_values(
    cells: Cells, columns: tuple[int, ...], counts: Floats, min_count: float
) -> list[tuple[Pairs, Integers]]:
    """List the value combinations of these attributes with high enough counts, with the cells of each."""
    codes = cells.codes[:, columns]
    key = np.zeros(len(cells), dtype=np.int64)
    for column, attribute in enumerate(columns):
        key = key * (len(cells.values[attribute]) + 1) + codes[:, column] + 1
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    complete = (codes[first] != MISSING).all(axis=1)
    selected = np.flatnonzero(complete & (np.bincount(group, counts) >= min_count))
    by_group = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))
    starts = np.concatenate([[0], ends[:-1]])
    return [
        (
            tuple((a, int(v)) for a, v in zip(columns, codes[first[group_index]], strict=True)),
            by_group[starts[group_index] : ends[group_index]],
        )
        for group_index in selected
    ]


def _build_membership(blocks: list[Integers], cells: int) -> sparse.csr_matrix:
    sizes = [len(block) for block in blocks]
    positions = np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return sparse.csr_matrix((np.ones(len(positions)), positions, starts), shape=(len(blocks), cells))


def expected_rates(failures: Floats, total: Floats) -> Floats:
    """Shrink the earlier failure rate of each cell (rows) to the overall rate, per column."""
    overall = failures.sum(axis=0) / np.maximum(total.sum(axis=0), 1.0)
    return np.asarray(
        np.clip((failures + MAX_EVIDENCE * overall) / (total + MAX_EVIDENCE), 1e-6, 1 - 1e-6),
        dtype=np.float64,
    )


def evidence_weights(total: Floats) -> Floats:
    """Return the share of the syncs of each cell that counts as evidence, at most MAX_EVIDENCE syncs."""
    return 1 / (1 + total / MAX_EVIDENCE)


def history_factors(candidates: Candidates, failures: Floats, total: Floats, expected: Floats) -> Floats:
    """Return the earlier failure rate of each combination relative to that of its cells, at least 1.

    Small cells have too little history for a rate, but their combination may have enough. A combination that
    always failed more is no explanation. The counts are the earlier ones.
    """
    overall = failures.sum(axis=0) / np.maximum(total.sum(axis=0), 1.0)
    total_syncs = candidates.members @ total
    combination_rate = (candidates.members @ failures + MAX_EVIDENCE * overall) / (total_syncs + MAX_EVIDENCE)
    cell_rate = (candidates.members @ (total * expected) + MAX_EVIDENCE * overall) / (
        total_syncs + MAX_EVIDENCE
    )
    return np.asarray(np.maximum(combination_rate / np.maximum(cell_rate, 1e-12), 1.0), dtype=np.float64)


def likelihood_gains(candidates: Candidates, failures: Floats, total: Floats, expected: Floats) -> Floats:
    """Return the log likelihood that each combination gains by one extra failure probability in its cells."""
    weight = evidence_weights(total)
    f, n = failures * weight, total * weight
    observed_failures = candidates.members @ f
    expected_failures = candidates.members @ (n * expected)
    total_syncs = candidates.members @ n
    extra = np.clip(
        (observed_failures - expected_failures) / np.maximum(total_syncs - expected_failures, 1e-9), 0, 1
    )
    entries = candidates.members.tocoo()
    cell, combination = entries.col, entries.row
    raised = expected[cell] + (1 - expected[cell]) * extra[combination]
    gain_by_cell = _log_likelihood(f[cell], n[cell], raised) - _log_likelihood(f, n, expected)[cell]
    gains = np.bincount(combination, gain_by_cell, minlength=len(candidates))
    return np.asarray(
        np.where(
            observed_failures > expected_failures, gains * (1 - _COST_PER_ATTRIBUTE * candidates.order), 0.0
        )
    )


def complexity_costs(candidates: Candidates) -> Floats:
    """Return the log likelihood that each combination costs for the attributes after its first.

    Without history, every additional attribute can match by chance. Each costs the logarithm of the number of
    possible values (minimum description length).
    """
    cost = np.log(max(2, int((candidates.order == 1).sum())))
    return np.asarray(cost * (candidates.order - 1), dtype=np.float64)


def _log_likelihood(failures: Floats, total: Floats, rate: Floats) -> Floats:
    return np.asarray(xlogy(failures, rate) + xlogy(total - failures, 1 - rate), dtype=np.float64)
