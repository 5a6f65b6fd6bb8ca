"""Would a second tier behind the rules pay: a small text model, or the labelled messages most like a new one?

    python -m benchmarks.second_tier [--samples FILE ...] [--without-catalogue] [--first-looks]
                                     [--cuts 0.1,0.2,...] [--keep FILE]

Walks the rounds of tests/analysis/causes/probe.jsonl forward. Each message of a round is answered by what was known
before it: the rules' first look, and models fitted on all earlier rounds, on `--samples` (labelled messages in the
same form; `SYNCLENS_SAMPLES` may name a file), and on codes and wordings of the catalogue of that day, which is read
from the repository's history (git). Left out of what a model learns: messages of the judged ones' own source, and
those that say the same once numbers are masked. A model speaks where the rules are silent, or also where they only
whisper (a confidence below WHISPER), and where its vote reaches a cut. The confidence it states is its hit rate in
rounds 4 to 7; rounds 8 and later judge it.

The cost: for each cause the rules that name it, in the catalogue of the day, and all its labelled messages are taken
away, and its messages are asked again. `lost` is how many points fewer of them stay unknown because of the model,
`misled` how many points more get a cause that nothing supports.

Printed for each model: what the cut does that rounds 4 to 7 would choose (most points won there, less than AFFORDED
lost); the most points that any cut wins in the later rounds with less than AFFORDED lost there, chosen in
hindsight; and what the cheapest cut costs that wins WANTED points. `--cuts` prints a row for each cut. Everything is
decided by its input: a second run prints the same.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.catalogue import UNKNOWN, Catalogue
from analysis.classify import classify
from analysis.scoring.card import calibration_error
from benchmarks.second_tier_models import Known, Votes, counted, grams_of, masked, votes_of, weighed, words_of

PROBE = Path("tests/analysis/causes/probe.jsonl")
RULES = "analysis/causes/2026-11-23.toml"
# The first commit of the probes holds rounds 1 to 3 and rules that had learned from them already.
CHOOSING, JUDGING = range(4, 8), range(8, 99)
WHISPER = 0.705
CUTS = tuple(cut / 100 for cut in range(100))
LEAST_VOTE = 1e-6
WANTED, AFFORDED = 2.0, 3.0
STRANGER = 0.97  # where the rules of the day are lost and only their first look is kept


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def told(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


@cache
def commits() -> dict[int, str]:
    """The commit that brought each round; its parent has the rules of that day."""
    brought: dict[int, str] = {}
    for commit in told("log", "--reverse", "--format=%H", "--", str(PROBE)).split():
        for number in re.findall(r'"round": (\d+)', told("show", f"{commit}:{PROBE}")):
            brought.setdefault(int(number), commit)
    return brought


@cache
def rules_of(number: int) -> Catalogue:
    """The catalogue when a round was met; that of today for a round that is not committed yet."""
    commit = commits().get(number)
    text = told("show", f"{commit}^:{RULES}") if commit else Path(RULES).read_text(encoding="utf-8")
    whole = tomllib.loads(text)
    whole.setdefault("contested", whole["confidence"])
    return Catalogue.model_validate(whole)


def forget(catalogue: Catalogue, cause: str) -> Catalogue:
    return catalogue.model_copy(update={"rule": tuple(r for r in catalogue.rule if r.cause != cause)})


def examples(catalogue: Catalogue) -> Iterator[dict[str, object]]:
    """What a catalogue says itself: its codes as names, its wordings without the signs of patterns."""
    for rule in catalogue.rule:
        for code in sorted(rule.code_tokens):
            if "_" in code or re.fullmatch(r"[a-z]{13,}", code):
                yield {"message": code.replace("_", " "), "cause": rule.cause}
        for words in rule.words:
            plain = " ".join(re.findall(r"[^\W\d_]{2,}", re.sub(r"\\[a-zA-Z]|\(\?[:=!<]+", " ", words)))
            if plain:
                yield {"message": plain, "cause": rule.cause}


@dataclass(frozen=True)
class Material:
    """All that may be learned or judged; `days` says which rows of it the catalogue of a round's day gave."""

    events: pd.DataFrame
    grams: np.ndarray
    words: np.ndarray
    causes: tuple[str, ...]
    days: Mapping[int, np.ndarray]


def gather(samples: Sequence[Path], rounds: Sequence[int], with_catalogue: bool) -> Material:
    lines = read_lines(PROBE)
    for path in samples:
        lines += [{**line, "round": 0, "source": line.get("source_url")} for line in read_lines(path)]
    place: dict[tuple[object, object], int] = {}
    days: dict[int, np.ndarray] = {}
    for number in rounds:
        said = list(examples(rules_of(number))) if with_catalogue else []
        for one in said:
            if (key := (one["message"], one["cause"])) not in place:
                place[key] = len(lines)
                lines.append({**one, "round": -1})
        days[number] = np.array(sorted({place[one["message"], one["cause"]] for one in said}), dtype=int)
    events = pd.DataFrame(lines).astype(object).where(lambda frame: frame.notna(), None)
    causes = tuple(sorted({str(line["cause"]) for line in lines} - {UNKNOWN}))
    events["said"] = [masked(line) for line in lines]
    return Material(events, counted(lines, grams_of), counted(lines, words_of), causes, days)


def known_before(material: Material, number: int) -> tuple[Known, np.ndarray]:
    """What may be learned before a round, and the rows of the round."""
    events = material.events
    judged = np.flatnonzero(events["round"] == number)
    of_it = events.iloc[judged]
    apart = ~events["said"].isin(of_it["said"]) & ~events["source"].isin(of_it["source"].dropna())
    before = events["round"].between(0, number - 1) & events["cause"].isin(material.causes)
    learned = np.union1d(np.flatnonzero(before & apart), material.days[number])
    grams, words = (weighed(table, learned) for table in (material.grams, material.words))
    place = {cause: at for at, cause in enumerate(material.causes)}
    truth = np.array([place[cause] for cause in events["cause"].iloc[learned]])
    known = Known(
        grams[learned] @ grams[learned].T,
        grams[judged] @ grams[learned].T,
        words[judged] @ words[learned].T,
        material.words[learned],
        material.words[judged],
        truth,
        len(material.causes),
    )
    return known, judged


def answered(votes: Mapping[str, Votes], base: pd.DataFrame, causes: Sequence[str]) -> pd.DataFrame:
    """A row for each message and model: `base` with what the model would say and with which share of the vote."""
    tables = [
        base.assign(
            model=name,
            guess=np.array(causes, dtype=object)[vote.argmax(axis=1)],
            vote=vote.max(axis=1),
            three=pd.Series(_first_three(vote, causes), index=base.index, dtype=object),
        )
        for name, vote in votes.items()
    ]
    return pd.concat(tables)


def _first_three(vote: Votes, causes: Sequence[str]) -> list[list[str]]:
    return [[causes[place] for place in row] for row in np.argsort(-vote, axis=1, kind="stable")[:, :3]]


def walk(material: Material, rounds: Sequence[int], forgetting: bool) -> pd.DataFrame:
    """Every answer of every model, at first look and, where asked for, with the cause forgotten."""
    tables = []
    for number in rounds:
        known, judged = known_before(material, number)
        rules = rules_of(number)
        met = material.events.iloc[judged]
        today = classify(met, rules)
        first = met["first_look"].astype(str)
        same = today["cause"] == first
        confidence = np.where(first == UNKNOWN, 0.0, np.where(same, today["confidence"], STRANGER))
        base = met[["round", "message", "cause", "also"]].assign(said_by_rules=first, confidence=confidence)
        tables.append(answered(votes_of(known), base.assign(forgotten=False), material.causes))
        for place, cause in enumerate(material.causes):
            rows = np.flatnonzero(met["cause"] == cause)
            if forgetting and len(rows):
                left = classify(met.iloc[rows], forget(rules, cause))
                base_left = base.iloc[rows].assign(
                    said_by_rules=left["cause"], confidence=left["confidence"], forgotten=True
                )
                votes = votes_of(known.without(place, rows))
                tables.append(answered(votes, base_left, material.causes))
        print(f"round {number}: {len(judged)} messages, {len(known.truth)} learned", flush=True)
    return pd.concat(tables, ignore_index=True)


def right(causes: pd.Series, answers: pd.DataFrame) -> np.ndarray:
    rows = zip(causes, answers["cause"], answers["also"], strict=True)
    return np.array([cause == truth or cause in (also or []) for cause, truth, also in rows], dtype=bool)


def tabulate(answers: pd.DataFrame, cuts: Sequence[float], over_whispers: bool) -> pd.DataFrame:
    """One row for each model and cut that answers anything, over the rounds to choose by and those to judge by."""
    answers = answers.assign(
        rules_right=right(answers["said_by_rules"], answers), guess_right=right(answers["guess"], answers)
    )
    weak = answers["confidence"] < WHISPER if over_whispers else answers["said_by_rules"] == UNKNOWN
    rows = []
    for (model, cut), stated in _hit_rates(answers, weak, cuts).items():
        speaks = weak & (answers["model"] == model) & (answers["vote"] >= max(cut, LEAST_VOTE))
        row: dict[str, object] = {"model": model, "cut": cut, "stated": stated}
        for name, rounds in (("choose", CHOOSING), ("judge", JUDGING)):
            mine = (answers["model"] == model) & answers["round"].isin(rounds)
            row |= {
                f"{name} {key}": value for key, value in _figures(answers[mine], speaks[mine], stated).items()
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _hit_rates(
    answers: pd.DataFrame, weak: pd.Series, cuts: Sequence[float]
) -> dict[tuple[str, float], float]:
    chosen = answers[weak & ~answers["forgotten"] & answers["round"].isin(CHOOSING)]
    rates = {}
    for model in answers["model"].unique():
        for cut in cuts:
            hits = chosen.loc[
                (chosen["model"] == model) & (chosen["vote"] >= max(cut, LEAST_VOTE)), "guess_right"
            ]
            rates[str(model), cut] = (hits.sum() + 1) / (len(hits) + 2)
    return rates


def _figures(answers: pd.DataFrame, speaks: pd.Series, stated: float) -> dict[str, float]:
    seen, unseen = ~answers["forgotten"], answers["forgotten"]
    after = np.where(speaks, answers["guess_right"], answers["rules_right"])
    said = np.where(speaks, answers["guess"], answers["said_by_rules"])
    confidence = np.where(speaks, stated, answers["confidence"])
    given = (seen & (said != UNKNOWN)).to_numpy()
    before = answers["said_by_rules"] == UNKNOWN
    return {
        "answers": int((seen & speaks).sum()),
        "right": int((seen & speaks & answers["guess_right"]).sum()),
        "points": 100 * float(after[seen].mean() - answers.loc[seen, "rules_right"].mean()),
        "ece": calibration_error(confidence[given], after[given].astype(bool)),
        "misled": 100 * float((unseen & speaks & ~answers["guess_right"] & before).sum() / unseen.sum()),
        "lost": 100 * float(before[unseen].mean() - (said[unseen] == UNKNOWN).mean()),
    }


def alone(answers: pd.DataFrame) -> pd.DataFrame:
    """What the rules do without a second tier, over the rounds to choose by and those to judge by."""
    one = answers[answers["model"] == answers["model"].iloc[0]]
    one = one.assign(ok=right(one["said_by_rules"], one), named=one["said_by_rules"] != UNKNOWN)
    rows = []
    for name, rounds in (("choose", CHOOSING), ("judge", JUDGING)):
        here = one[one["round"].isin(rounds)]
        seen, unseen = here[~here["forgotten"]], here[here["forgotten"]]
        given = seen[seen["named"]]
        rows.append(
            {
                "rounds": name,
                "messages": len(seen),
                "right": 100 * seen["ok"].mean(),
                "silent": int((~seen["named"]).sum()),
                "whispers": int((given["confidence"] < WHISPER).sum()),
                "ece": calibration_error(given["confidence"].to_numpy(dtype=float), given["ok"].to_numpy()),
                "forgotten unknown": 100 * (~unseen["named"]).mean() if len(unseen) else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def as_second_opinion(answers: pd.DataFrame) -> pd.DataFrame:
    """What each model knows in the rounds to judge by, whatever its vote (%).

    `alone` is its share of right answers if there were no rules; `silent` and `three` how often it, or one of its
    first three, is right where the rules are silent; `agrees` how often it says what the rules say where they speak,
    and then how often the rules are right, and where it says something else.
    """
    seen = answers[~answers["forgotten"] & answers["round"].isin(JUDGING)]
    supported = zip(seen["three"], seen["cause"], seen["also"], strict=True)
    seen = seen.assign(
        alone=right(seen["guess"], seen) & (seen["vote"] >= LEAST_VOTE),
        three=[bool({truth, *(also or [])} & set(three)) for three, truth, also in supported],
        rules=right(seen["said_by_rules"], seen),
        same=seen["guess"] == seen["said_by_rules"],
    )
    rows = []
    for model, mine in seen.groupby("model", sort=False):
        silent, spoken = (mine[(mine["said_by_rules"] == UNKNOWN) == still] for still in (True, False))
        rows.append(
            {
                "model": model,
                "alone": mine["alone"].mean(),
                "silent": silent["alone"].mean(),
                "three": silent["three"].mean(),
                "agrees": spoken["same"].mean(),
                "then right": spoken.loc[spoken["same"], "rules"].mean(),
                "else right": spoken.loc[~spoken["same"], "rules"].mean(),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(**{name: 100 * table[name] for name in table.columns[1:]})


def summaries(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The three choices of a cut for each model, each with its title."""
    by_points = ["model", "choose points", "cut"]
    fair = table[table["choose lost"] < AFFORDED].sort_values(by_points).groupby("model").tail(1)
    yield "the cut that the earlier rounds choose", fair
    cheap = table[table["judge lost"] < AFFORDED].sort_values(["model", "judge points", "cut"])
    yield f"most points with less than {AFFORDED:g} lost, in hindsight", cheap.groupby("model").tail(1)
    winning = table[table["judge points"] >= WANTED].sort_values(["model", "judge lost", "cut"])
    yield f"the cheapest cut that wins {WANTED:g} points, in hindsight", winning.groupby("model").head(1)


def show(table: pd.DataFrame) -> None:
    print(table.to_string(index=False, float_format="{:.2f}".format))


def main(given: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description="Measure what a second tier behind the rules would win and cost."
    )
    named = os.environ.get("SYNCLENS_SAMPLES")
    parser.add_argument("--samples", type=Path, nargs="*", default=[Path(named)] if named else [])
    parser.add_argument("--cuts", default="", help="print a row for each of these cuts as well")
    parser.add_argument("--without-catalogue", action="store_true", help="learn from labelled messages only")
    parser.add_argument(
        "--first-looks", action="store_true", help="do not measure the cost, which takes minutes"
    )
    parser.add_argument("--keep", type=Path, help="a file for all answers, as JSON lines")
    arguments = parser.parse_args(given)
    met = {int(str(line["round"])) for line in read_lines(PROBE)}
    numbers = sorted(number for number in met if number >= CHOOSING.start)
    material = gather(arguments.samples, numbers, not arguments.without_catalogue)
    answers = walk(material, numbers, not arguments.first_looks)
    if arguments.keep:
        answers.to_json(arguments.keep, orient="records", lines=True)
    report(answers, [float(cut) for cut in arguments.cuts.split(",") if cut])


def report(answers: pd.DataFrame, cuts: Sequence[float]) -> None:
    print("\nrules alone")
    show(alone(answers))
    print("\nmodels as a second opinion (%)")
    show(as_second_opinion(answers))
    if not answers["forgotten"].any():
        return
    for place, over in (("where the rules are silent", False), ("where they are silent or whisper", True)):
        for title, chosen in summaries(tabulate(answers, CUTS, over)):
            print(f"\n{place}: {title}")
            show(chosen)
        if cuts:
            print(f"\n{place}: by cut")
            show(tabulate(answers, cuts, over))


if __name__ == "__main__":
    main()
