"""Which combinations could explain, and how well each one does.

The idea behind the score is the ripple effect (HotSpot, Squeeze, RiskLoc): the true cause is the combination
all of whose parts rise together. It is put as a likelihood here: a combination is worth as much as the data
gain when every cell in it gets the same extra chance to fail. Too narrow a combination leaves gain to others;
too broad a one spreads the extra chance over cells that did not rise, and loses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from scipy import sparse
from scipy.special import xlogy

from analysis.diagnosis.explain.cells import MISSING, Cells, Floats, Integers

# One figure says how far a single cell is trusted, in syncs: history is shrunk by that many syncs at the
# overall rate, and no cell speaks with more than that many, because real cells vary more than coins do.
TRUST = 100.0
_SIMPLER_IS_BETTER = (
    0.02  # share of the gain that each attribute costs, besides the words it takes to name it
)
_SHARE_AT_LEAST = 0.02  # of all failures: less than that explains nothing
_ATTRIBUTES_AT_MOST = 3

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Combinations, widest first: `where[i]` as (attribute, value) positions, `members[i]` its cells."""

    where: tuple[Pairs, ...]
    members: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.where)

    @property
    def order(self) -> Integers:
        """How many attributes each combination names."""
        return np.array([len(pairs) for pairs in self.where], dtype=np.int64)


def find_candidates(cells: Cells, failures: Floats) -> Candidates:
    """Every combination of up to three attributes with enough of the failures and cells of its own.

    Of combinations with exactly the same cells the one that names most is kept (the closed one, in terms of
    item sets): it is true of all of them, and only once on the page. An attribute that another one always
    decides, as a territory its country, is not named beside it.
    """
    least = max(2.0, _SHARE_AT_LEAST * failures.sum())
    implied = _implied(cells)
    fingerprint = np.random.default_rng(0).random(len(cells))
    closed: dict[float, tuple[Pairs, Integers]] = {}
    for order in range(1, min(_ATTRIBUTES_AT_MOST, len(cells.attributes)) + 1):
        for chosen in combinations(range(len(cells.attributes)), order):
            if implied.isdisjoint(permutations(chosen, 2)):
                for pairs, inside in _groups(cells, chosen, failures, least):
                    closed[round(float(fingerprint[inside].sum()), 9)] = pairs, inside
    return Candidates(
        tuple(pairs for pairs, _ in closed.values()),
        _membership([inside for _, inside in closed.values()], len(cells)),
    )


def _implied(cells: Cells) -> set[tuple[int, int]]:
    """Pairs of attributes of which the first always decides the second."""
    columns = range(len(cells.attributes))
    different = {(a,): len(np.unique(cells.codes[:, a])) for a in columns} | {
        pair: len(np.unique(cells.codes[:, pair], axis=0)) for pair in combinations(columns, 2)
    }
    return {(a, b) for a, b in permutations(columns, 2) if different[min(a, b), max(a, b)] == different[(a,)]}


def _groups(
    cells: Cells, chosen: tuple[int, ...], failures: Floats, least: float
) -> list[tuple[Pairs, Integers]]:
    """List the value combinations of these attributes that have failures enough, with the cells of each."""
    codes = cells.codes[:, chosen]
    key = np.zeros(len(cells), dtype=np.int64)
    for column, attribute in enumerate(chosen):
        key = key * (len(cells.values[attribute]) + 1) + codes[:, column] + 1
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    named = (codes[first] != MISSING).all(axis=1)
    enough = np.flatnonzero(named & (np.bincount(group, failures) >= least))
    by_group = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))
    starts = np.concatenate([[0], ends[:-1]])
    return [
        (
            tuple((a, int(v)) for a, v in zip(chosen, codes[first[at]], strict=True)),
            by_group[starts[at] : ends[at]],
        )
        for at in enough
    ]


def _membership(blocks: list[Integers], cells: int) -> sparse.csr_matrix:
    sizes = [len(block) for block in blocks]
    columns = np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return sparse.csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(blocks), cells))


def expected_rates(failures: Floats, total: Floats) -> Floats:
    """Shrink the earlier rate of each cell (rows) to the overall one; further axes are taken one by one."""
    overall = failures.sum(axis=0) / np.maximum(total.sum(axis=0), 1.0)
    return np.asarray(
        np.clip((failures + TRUST * overall) / (total + TRUST), 1e-6, 1 - 1e-6), dtype=np.float64
    )


def evidence_weights(total: Floats) -> Floats:
    """How much of a cell's syncs counts as evidence: a cell never speaks with more than TRUST of them."""
    return 1 / (1 + total / TRUST)


def history_factors(found: Candidates, failures: Floats, total: Floats, expected: Floats) -> Floats:
    """How many times more than its cells each combination as a whole used to fail, at least 1.

    Cells that are small have no history of their own; the combination they form may have one, and what
    always failed more is no news. The counts are the earlier ones.
    """
    overall = failures.sum(axis=0) / np.maximum(total.sum(axis=0), 1.0)
    tried = found.members @ total
    own = (found.members @ failures + TRUST * overall) / (tried + TRUST)
    of_cells = (found.members @ (total * expected) + TRUST * overall) / (tried + TRUST)
    return np.asarray(np.maximum(own / np.maximum(of_cells, 1e-12), 1.0), dtype=np.float64)


def likelihood_gains(found: Candidates, failures: Floats, total: Floats, expected: Floats) -> Floats:
    """Log likelihood won, per combination, by one extra chance to fail in all of its cells."""
    weight = evidence_weights(total)
    f, n = failures * weight, total * weight
    came, due, tried = found.members @ f, found.members @ (n * expected), found.members @ n
    extra = np.clip((came - due) / np.maximum(tried - due, 1e-9), 0, 1)
    entries = found.members.tocoo()
    cell, combination = entries.col, entries.row
    raised = expected[cell] + (1 - expected[cell]) * extra[combination]
    won = _log_likelihood(f[cell], n[cell], raised) - _log_likelihood(f, n, expected)[cell]
    gained = np.bincount(combination, won, minlength=len(found))
    return np.asarray(np.where(came > due, gained * (1 - _SIMPLER_IS_BETTER * found.order), 0.0))


def complexity_costs(found: Candidates) -> Floats:
    """Log likelihood that each combination has to win back for the attributes after its first.

    Without history every refinement is a fresh chance to be lucky, so each is paid for with the logarithm of
    how many values there were to choose from (minimum description length).
    """
    choices = np.log(max(2, int((found.order == 1).sum())))
    return np.asarray(choices * (found.order - 1), dtype=np.float64)


def _log_likelihood(failures: Floats, total: Floats, rate: Floats) -> Floats:
    return np.asarray(xlogy(failures, rate) + xlogy(total - failures, 1 - rate), dtype=np.float64)
