"""The models that benchmarks.second_tier compares: small, in numpy, decided by their input.

Each says for every judged message how much of its vote each cause has. They look at messages as sets of character
n-grams, words, pairs of words and fields, hashed to a table of SLOTS columns.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.evidence import clean, spell

SLOTS = 1 << 14
NEAREST = 5
RIDGE, STEPS = 0.02, 60
SHARPNESS = 6.0
OWN_SHARE, OWN_MESSAGES = 0.7, 3

Votes = np.ndarray
"""One row a message, one column a cause; a row adds up to 1 at most."""
Event = Mapping[str, object]


def masked(event: Event) -> str:
    """What a message says, without its numbers."""
    text = clean(f"{event.get('error_type') or ''} {event.get('message') or ''}")
    return re.sub(r"[0-9a-f]{8,}|\d+", "0", f"{text} {spell(text)}".lower())


def grams_of(event: Event) -> Iterator[str]:
    """Character n-grams within words, and the fields."""
    for word in set(re.findall(r"\w+", masked(event))):
        padded = f" {word} "
        for size in (3, 4, 5):
            yield from (padded[at : at + size] for at in range(len(padded) - size + 1))
    yield from words_of(event)


def words_of(event: Event) -> Iterator[str]:
    """Words, pairs of words, and the fields."""
    words = re.findall(r"\w+", masked(event))
    yield from dict.fromkeys(words)
    yield from dict.fromkeys(f"{one} {two}" for one, two in pairwise(words))
    for name in ("platform", "operation", "http_status"):
        if value := str(event.get(name) or "").partition(".")[0]:
            yield f"{name}={value}"


def counted(events: Sequence[Event], parts: Callable[[Event], Iterator[str]]) -> np.ndarray:
    table = np.zeros((len(events), SLOTS), dtype=np.float32)
    for row, event in enumerate(events):
        for part in set(parts(event)):
            table[row, zlib.crc32(part.encode()) % SLOTS] = 1
    return table


def weighed(table: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Rows of length one, rare parts heavier; what is rare is judged by the `learned` rows."""
    rarity = np.log((1 + len(learned)) / (1 + table[learned].sum(axis=0)))
    scaled = table * rarity.astype(np.float32)
    lengths: np.ndarray = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.maximum(lengths, 1e-9))


def one_hot(causes: np.ndarray, width: int) -> np.ndarray:
    return np.asarray(np.eye(width, dtype=np.float32)[causes])


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Known:
    """What a model may look at: likeness among learned rows and of judged rows to them, counts, causes."""

    inner: np.ndarray
    outer: np.ndarray
    near: np.ndarray
    counts: np.ndarray
    asked: np.ndarray
    truth: np.ndarray
    width: int

    def without(self, cause: int, rows: np.ndarray) -> Known:
        """The same, the cause forgotten, asked only about `rows`."""
        kept = self.truth != cause
        return Known(
            self.inner[np.ix_(kept, kept)],
            self.outer[np.ix_(rows, kept)],
            self.near[np.ix_(rows, kept)],
            self.counts[kept],
            self.asked[rows],
            self.truth[kept],
            self.width,
        )


def logistic(known: Known) -> Votes:
    """Multinomial logistic regression on character n-grams, fitted on likenesses by accelerated gradient steps."""
    goal = one_hot(known.truth, known.width)
    present = goal.any(axis=0)
    probe = np.ones(len(goal), dtype=np.float32)
    for _ in range(10):
        probe = known.inner @ (probe / np.linalg.norm(probe))
    pace = np.float32(1 / (0.5 * np.linalg.norm(probe) + RIDGE))
    weights = ahead = np.zeros_like(goal)
    for step in range(STEPS):
        votes = softmax(np.where(present, known.inner @ ahead, -30))
        moved = ahead - pace * (votes - goal + np.float32(RIDGE) * ahead)
        ahead = moved + np.float32(step / (step + 3)) * (moved - weights)
        weights = moved
    return softmax(np.where(present, known.outer @ weights, -30))


def bayes(known: Known) -> Votes:
    """Complement naive Bayes on words; the votes are the shares of a softmax over its mean margins."""
    sums = one_hot(known.truth, known.width).T @ known.counts
    present = sums.any(axis=1)
    rest = sums.sum(axis=0) - sums + 1
    weight = -np.log(rest / rest.sum(axis=1, keepdims=True))
    margins = known.asked @ weight.T / np.maximum(known.asked.sum(axis=1, keepdims=True), 1)
    return softmax(np.where(present, margins * SHARPNESS, -np.inf))


def nearest(known: Known) -> Votes:
    """The five nearest messages by words, each with the vote of its likeness (1 is the same message)."""
    order = np.argsort(-known.near, axis=1, kind="stable")[:, :NEAREST]
    votes = np.zeros((len(known.near), known.width))
    likeness = np.take_along_axis(known.near, order, axis=1)
    for rank in range(order.shape[1]):
        np.add.at(votes, (np.arange(len(votes)), known.truth[order[:, rank]]), likeness[:, rank])
    return votes / NEAREST


def nearest_one(known: Known) -> Votes:
    """The nearest message alone; its vote is its likeness."""
    votes = np.zeros((len(known.near), known.width))
    votes[np.arange(len(votes)), known.truth[known.near.argmax(axis=1)]] = known.near.max(axis=1)
    return votes


def clear(votes: Votes) -> Votes:
    """Votes, less where the second cause has nearly as much."""
    ordered = np.sort(votes, axis=1)
    return np.asarray(votes * (1 - ordered[:, -2:-1] / np.maximum(ordered[:, -1:], 1e-9)))


def own_words(known: Known) -> np.ndarray:
    """Whether a judged message has a word that is a cause's own: mostly its, in three learned messages or more."""
    by_cause = one_hot(known.truth, known.width).T @ known.counts
    own = (by_cause >= OWN_MESSAGES) & (by_cause >= OWN_SHARE * by_cause.sum(axis=0))
    return np.asarray(known.asked @ own.T.astype(np.float32) >= 1)


def agreed(*votes: Votes) -> Votes:
    """The weaker vote of a cause that all put first; else no vote."""
    first = votes[0].argmax(axis=1)
    same = np.all([one.argmax(axis=1) == first for one in votes], axis=0)
    return np.asarray(np.min(votes, axis=0) * same[:, None])


def votes_of(known: Known) -> dict[str, Votes]:
    """What each model says, alone and together."""
    line, odds, five, one = logistic(known), bayes(known), nearest(known), nearest_one(known)
    own = own_words(known)
    return {
        "logistic": line,
        "logistic, clear": clear(line),
        "bayes": odds,
        "nearest 5": five,
        "nearest 1": one,
        "mixture": (line + odds + five) / 3,
        "logistic, bayes agree": agreed(line, odds),
        "logistic, nearest 5 agree": agreed(line, five),
        "logistic, nearest 1 agree": agreed(line, one),
        "all three agree": agreed(line, odds, five),
        "logistic, own words": line * own,
        "nearest 5, own words": five * own,
    }
