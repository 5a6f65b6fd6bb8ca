"""The chances of each cause for a message, from linear models over its n-grams and its sentence vector.

`python -m benchmarks.sentence_model` fits the models to the labeled sentences in `examples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from analysis.classification.sentences.encoder import encode
from analysis.classification.sentences.ngrams import count_ngrams, normalize

WEIGHTS = "weights.npz"


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """Fitted weights. `causes` are sorted and include `unknown`, for messages that state nothing.

    `ngram_weights` (features x causes) are whole numbers in units of `ngram_unit` (per cause); `inverse_frequency`
    weighs each feature. `vector_weights` (512 x causes) and both `…_intercept` (per cause) are floats.
    """

    causes: tuple[str, ...]
    inverse_frequency: np.ndarray
    ngram_weights: np.ndarray
    ngram_unit: np.ndarray
    ngram_intercept: np.ndarray
    vector_weights: np.ndarray
    vector_intercept: np.ndarray

    def chances_by_ngrams(self, messages: Sequence[str]) -> np.ndarray:
        """Return the chance of each cause (columns) for each message (rows) by its n-grams; rows sum to 1."""
        scores = np.empty((len(messages), len(self.causes)))
        for row, message in enumerate(messages):
            counts = count_ngrams(message)
            numbers = np.fromiter(counts, dtype=np.int64, count=len(counts))
            weights = np.fromiter(counts.values(), dtype=float, count=len(counts))
            weights *= self.inverse_frequency[numbers]
            length = np.linalg.norm(weights) or 1.0
            scores[row] = (weights / length) @ self.ngram_weights[numbers]
        return _to_chances(scores * self.ngram_unit + self.ngram_intercept)

    def chances_by_vector(self, messages: Sequence[str]) -> np.ndarray:
        """Return the chance of each cause for each message by its sentence vector. Needs the extra `classify`."""
        vectors = encode(messages)
        return _to_chances(vectors @ self.vector_weights + self.vector_intercept)


@cache
def load_model() -> SentenceModel:
    """Load the fitted weights."""
    with files("analysis.classification.sentences").joinpath(WEIGHTS).open("rb") as file:
        arrays = dict(np.load(file, allow_pickle=False))
    causes = tuple(str(cause) for cause in arrays.pop("causes"))
    return SentenceModel(causes, **{name: _as_float(array) for name, array in arrays.items()})


def has_words(message: str) -> bool:
    """Return whether a message has words to judge: at least two letters in a row."""
    run = 0
    for character in normalize(message):
        run = run + 1 if character.isalpha() else 0
        if run == _FEWEST_LETTERS:
            return True
    return False


_FEWEST_LETTERS = 2


def _as_float(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _to_chances(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
