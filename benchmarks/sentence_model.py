"""Fit the sentence models and the weights of their evidence, and score them on messages they were not fitted to.

    python -m benchmarks.sentence_model fit      write analysis/classification/sentences/weights.npz and weighing.toml
    python -m benchmarks.sentence_model score FILE.jsonl [...]

The models are fitted to the labeled sentences in `analysis/classification/sentences/examples`, to the probe and to
the first looks (`probe.jsonl` and `first_looks.jsonl` in tests/analysis/classification).

The weights of the evidence are fitted to messages that neither rules nor models had seen: the first looks, with the
findings of the rules at that time and the chances of models that were fitted without them; and the reserved examples,
which the authors of the rules have not read, with models that were fitted without the same `idea` in any language.
Needs the extra `classify`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

import analysis
from analysis.classification.classifier import FIELDS, classify
from analysis.classification.finding import Finding
from analysis.classification.sentences.encoder import encode
from analysis.classification.sentences.model import WEIGHTS, SentenceModel
from analysis.classification.sentences.ngrams import BITS, count_ngrams
from analysis.classification.weighing import Weights, weigh
from analysis.evaluation.first_looks import score_round

Row = Mapping[str, Any]
ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "analysis/classification/sentences/examples"
PROBE = ROOT / "tests/analysis/classification/probe.jsonl"
FIRST_LOOKS = ROOT / "tests/analysis/classification/first_looks.jsonl"
WEIGHING = ROOT / "analysis/classification/weighing.toml"
FOLDS = 3
NGRAM_STRENGTH, VECTOR_STRENGTH = 20.0, 10.0
"""The inverse of the penalty on the weights of each model, from {3, 10, 20, 30, 50} on left-out sentences."""
SMALLEST = 1e-9
TOLERANCE = 1e-3
PENALTY = 1e-4
"""The penalty on the weights of the evidence, for each unit squared."""
CUT, OVERRULE, CONTESTED = 0.5, 0.7, 0.5
"""Chosen on first looks 18 to 21, and on the reserved examples. See `Weights`."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_examples() -> list[dict[str, Any]]:
    """Return the labeled sentences of all languages."""
    return [
        row | {"language": path.stem} for path in sorted(EXAMPLES.glob("*.jsonl")) for row in read_rows(path)
    ]


def fit_model(rows: Sequence[Row]) -> SentenceModel:
    """Fit both linear models to labeled messages."""
    messages, causes = [_text(row) for row in rows], [row["cause"] for row in rows]
    counts = _count_matrix(messages)
    frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    inverse_frequency = np.log((1 + len(rows)) / (1 + frequency)) + 1
    weighted = normalize(counts.multiply(inverse_frequency).tocsr())
    ngrams = LogisticRegression(C=NGRAM_STRENGTH, max_iter=200, tol=TOLERANCE).fit(weighted, causes)
    vector = LogisticRegression(C=VECTOR_STRENGTH, max_iter=300, tol=TOLERANCE).fit(
        _vectors(messages), causes
    )
    unit = np.maximum(np.abs(ngrams.coef_).max(axis=1) / 127, SMALLEST)
    return SentenceModel(
        causes=tuple(ngrams.classes_),
        inverse_frequency=inverse_frequency.astype(np.float16).astype(np.float32),
        ngram_weights=np.round(ngrams.coef_ / unit[:, None]).astype(np.int8).T.copy(),
        ngram_unit=unit,
        ngram_intercept=ngrams.intercept_,
        vector_weights=vector.coef_.T.astype(np.float16).astype(np.float32),
        vector_intercept=vector.intercept_,
    )


def fit_weights(sample: Sample, *, with_vector: bool) -> Weights:
    """Fit the weights of the evidence: the largest likelihood of the accepted causes."""
    accepted = np.array([[cause in _accepted(row) for cause in sample.causes] for row in sample.rows])
    by_vector = sample.by_vector if with_vector else None

    def loss(values: np.ndarray) -> float:
        weights = Weights(*values, CUT, OVERRULE, CONTESTED)
        chances = weigh(sample.findings, sample.causes, sample.by_ngrams, by_vector, weights)
        right = (chances * accepted).sum(axis=1)
        gain = (sample.shares * np.log(np.maximum(right, SMALLEST))).sum() / sample.shares.sum()
        return float(-gain + PENALTY * (values**2).sum())

    bounds = [(0, 3), (0, 3) if with_vector else (0, 0), (0, 4), (0, 4), (0, 5), (-3, 6)]
    start = np.array([0.5, 0.5 if with_vector else 0.0, 1.0, 1.0, 1.0, 1.0])
    fitted = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return Weights(*(round(float(value), 2) for value in fitted.x), CUT, OVERRULE, CONTESTED)


@dataclass(frozen=True)
class Sample:
    """Messages with what rules and models found in them without having seen them; each counts as its share."""

    rows: Sequence[Row]
    findings: Sequence[Finding]
    causes: Sequence[str]
    by_ngrams: np.ndarray
    by_vector: np.ndarray
    shares: np.ndarray

    def joined(self, other: Sample) -> Sample:
        """Return both samples as one."""
        return Sample(
            [*self.rows, *other.rows],
            [*self.findings, *other.findings],
            self.causes,
            np.concatenate([self.by_ngrams, other.by_ngrams]),
            np.concatenate([self.by_vector, other.by_vector]),
            np.concatenate([self.shares, other.shares]),
        )


def sample_examples(examples: Sequence[Row], labeled: Sequence[Row]) -> Sample:
    """Judge the reserved examples by models that were fitted without their ideas, and by the rules.

    The authors of the rules have not read the reserved examples. The whole sample counts as much as the first looks.
    """
    causes = tuple(sorted({row["cause"] for row in examples}))
    reserved = [row for row in examples if row["reserved"]]
    by_ngrams, by_vector = (np.zeros((len(reserved), len(causes))) for _ in range(2))
    for fold in range(FOLDS):
        model = fit_model([*(row for row in examples if row["idea"] % FOLDS != fold), *labeled])
        places = [place for place, row in enumerate(reserved) if row["idea"] % FOLDS == fold]
        messages = [_text(reserved[place]) for place in places]
        by_ngrams[places] = model.chances_by_ngrams(messages)
        by_vector[places] = chances_by_vector(model, messages)
    findings = find_by_rules(reserved)
    return Sample(reserved, findings, causes, by_ngrams, by_vector, np.full(len(reserved), 1 / len(reserved)))


def sample_first_looks(rows: Sequence[Row], model: SentenceModel) -> Sample:
    """Judge first looks by a model that was fitted without them; the findings of the rules are those of then."""
    messages = [_text(row) for row in rows]
    findings = [
        Finding(
            row["rules"]["cause"],
            row["rules"]["confidence"],
            row["rules"]["rule"],
            tuple(row["rules"]["also"]),
        )
        for row in rows
    ]
    by_ngrams, by_vector = model.chances_by_ngrams(messages), chances_by_vector(model, messages)
    return Sample(rows, findings, model.causes, by_ngrams, by_vector, np.full(len(rows), 1 / len(rows)))


def chances_by_vector(model: SentenceModel, messages: Sequence[str]) -> np.ndarray:
    """Return the chances by vector, encoding each message once in a run."""
    scores = _vectors(messages) @ model.vector_weights + model.vector_intercept
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def find_by_rules(rows: Sequence[Row]) -> list[Finding]:
    """Return what the rules alone find in each row."""
    findings = classify(_frame(rows), rules_only=True)
    columns = (findings[name] for name in ("cause", "confidence", "rule", "also"))
    return [Finding(cause, sure, rule, tuple(also)) for cause, sure, rule, also in zip(*columns, strict=True)]


def main(arguments: Sequence[str]) -> None:
    """Fit the models, or score files of labeled messages."""
    if arguments[:1] == ["fit"]:
        fit()
    elif arguments[:1] == ["score"]:
        for path in arguments[1:]:
            rows = read_rows(Path(path))
            for name, rules_only in (("rules alone", True), ("rules and models", False)):
                findings = classify(_frame(rows), rules_only=rules_only).to_dict("records")
                print(path, name, score_round(rows, findings))
    else:
        print(__doc__)


def fit() -> None:
    """Fit models and weights, and write both."""
    examples, probe, first_looks = read_examples(), read_rows(PROBE), read_rows(FIRST_LOOKS)
    without_first_looks = fit_model([*examples, *probe])
    sample = sample_examples(examples, probe).joined(sample_first_looks(first_looks, without_first_looks))
    lines = [_WEIGHING_HEAD]
    for section, with_vector in (("with_vector", True), ("ngrams_only", False)):
        weights = fit_weights(sample, with_vector=with_vector)
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in asdict(weights).items()), ""]
    WEIGHING.write_text("\n".join(lines), encoding="utf-8")
    _save(fit_model([*examples, *probe, *first_looks]))


def _save(model: SentenceModel) -> None:
    np.savez_compressed(
        Path(analysis.__file__).parent / "classification/sentences" / WEIGHTS,
        causes=np.array(model.causes),
        inverse_frequency=model.inverse_frequency.astype(np.float16),
        ngram_weights=model.ngram_weights,
        ngram_unit=model.ngram_unit,
        ngram_intercept=model.ngram_intercept,
        vector_weights=model.vector_weights.astype(np.float16),
        vector_intercept=model.vector_intercept,
    )


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame([{name: row.get(name) for name in FIELDS} for row in rows])


def _accepted(row: Row) -> set[str]:
    return {row["cause"], *(row.get("also") or ())}


def _text(row: Row) -> str:
    return row.get("message") or row.get("error_type") or ""


def _count_matrix(messages: Sequence[str]) -> csr_matrix:
    counts = [count_ngrams(message) for message in messages]
    starts = np.cumsum([0, *map(len, counts)])
    numbers = np.concatenate([np.fromiter(each, dtype=np.int64, count=len(each)) for each in counts])
    values = np.concatenate([np.fromiter(each.values(), dtype=float, count=len(each)) for each in counts])
    return csr_matrix((values, numbers, starts), shape=(len(messages), 1 << BITS))


_vector_of_message: dict[str, np.ndarray] = {}


def _vectors(messages: Sequence[str]) -> np.ndarray:
    """Return the vectors of messages; a message is encoded once in a run."""
    missing = [message for message in dict.fromkeys(messages) if message not in _vector_of_message]
    if missing:
        _vector_of_message.update(zip(missing, encode(missing), strict=True))
    return np.array([_vector_of_message[message] for message in messages])


_WEIGHING_HEAD = """# How much each source of evidence counts when a cause is chosen. `Weights` in weighing.py states
# what each number means. Written by `python -m benchmarks.sentence_model fit`.
#
# Fitted to messages that neither rules nor models had seen: the first looks of rounds 18 on, and the reserved example
# sentences. Both count the same.
"""


if __name__ == "__main__":
    main(sys.argv[1:])
