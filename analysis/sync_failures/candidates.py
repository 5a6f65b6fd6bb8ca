"""Find the clearest candidate of a kind: a part of the fleet and a period with an unusually frequent symptom."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.sync_failures.kinds import FailureKind
from analysis.sync_failures.observations import EVERYONE, Observations, Series
from analysis.sync_failures.scan import Floats, find_best_periods

MIN_EVIDENCE = 7.0
"""Natural logarithm of the odds against chance, after allowing for the number of candidates."""
_MIN_HITS = 3
_MIN_GROUP_USERS = 3
_STEPS_A_DAY = 24
_QUIET_FACTOR = 1.5
_LOWEST_USUAL = 0.004  # share of syncs; rarer symptoms need as much evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Syncs that may be one issue: a kind, whom it affects (`extent`, `value`), and its syncs."""

    kind: FailureKind
    extent: str
    value: str | None
    evidence: float
    syncs: pd.DataFrame

    @property
    def key(self) -> tuple[str, ...]:
        """Return what identifies the issue: a later load of newer syncs must not change it.

        An issue of everyone is an event in time, so its first day belongs to it.
        """
        day = f"{self.syncs['started_at'].min():%Y-%m-%d}" if self.extent == EVERYONE else ""
        return (self.kind.name, self.extent, self.value or "", day)

    @property
    def issue_id(self) -> str:
        """Return the id of the issue, a hash of its key."""
        return hashlib.sha256("\x1f".join(("sync failures", *self.key)).encode()).hexdigest()[:12]


def find_best_candidate(
    kind: FailureKind, hits: pd.DataFrame, observations: Observations
) -> Candidate | None:
    """Return the clearest candidate of a kind; None if chance explains the rest."""
    starts = hits[hits["starts"].astype(bool)]
    if len(starts) < _MIN_HITS:
        return None
    series = observations.series[kind.among]
    usual = _usual_rate(kind, starts, series)
    candidates = [
        _best_group(kind, starts, series, usual, observations),
        _best_users(kind, starts, usual, observations),
    ]
    best = max(filter(None, candidates), key=lambda candidate: candidate.evidence, default=None)
    return None if best is None else replace(best, syncs=_with_repeats(best.syncs, hits))


def _with_repeats(starts: pd.DataFrame, hits: pd.DataFrame) -> pd.DataFrame:
    """Add the syncs that only repeat what these syncs began."""
    if hits["starts"].all():
        return starts
    began_with = hits["sync_id"].where(hits["starts"]).groupby(hits["who"]).ffill()
    return hits[began_with.isin(starts["sync_id"])]


def _usual_rate(kind: FailureKind, hits: pd.DataFrame, series: list[Series]) -> float:
    """Return the rate of the quieter half of all days, so that issues do not count as usual.

    The quieter half has fewer hits by chance too, so its rate is raised. The rate of all days is the upper limit.
    """
    units = hits[["who", "step"]].drop_duplicates()
    tries = next(one.tries for one in series if one.attribute == EVERYONE)
    padding = -len(tries) % _STEPS_A_DAY
    counts = np.bincount(units["step"].to_numpy(np.int64), minlength=len(tries))[: len(tries)]
    daily_hits, daily_tries = (
        np.pad(values, (0, padding)).reshape(-1, _STEPS_A_DAY).sum(axis=1).astype(np.float64)
        for values in (counts, tries)
    )
    order = np.argsort((daily_hits + 0.5) / (daily_tries + 1.0), kind="stable")
    quiet = order[np.cumsum(daily_tries[order]) <= max(daily_tries.sum() / 2, daily_tries[order[0]])]
    quiet_rate = (daily_hits[quiet].sum() + 1.0) / max(daily_tries[quiet].sum(), 1.0)
    overall = daily_hits.sum() / max(daily_tries.sum(), 1.0)
    return float(np.clip(min(_QUIET_FACTOR * quiet_rate, overall), _LOWEST_USUAL, kind.usual))


def _best_group(
    kind: FailureKind, hits: pd.DataFrame, series: list[Series], usual: float, observations: Observations
) -> Candidate | None:
    counts = _count_hits(series, hits, observations.steps)
    tries = np.stack([one.tries for one in series])
    periods = find_best_periods(counts, np.maximum(tries, counts), usual)
    evidence = periods.score / kind.dispersion - np.log(len(series) * observations.steps)
    for at in map(int, np.argsort(-evidence, kind="stable")):
        if evidence[at] < MIN_EVIDENCE:
            return None
        syncs = _select(series[at], hits)
        syncs = syncs[syncs["step"].between(periods.start[at], periods.end[at])]
        if syncs["who"].nunique() >= max(kind.min_users, _MIN_GROUP_USERS):
            one = series[at]
            value = None if one.attribute == EVERYONE else one.value
            return Candidate(
                kind=kind, extent=one.attribute, value=value, evidence=float(evidence[at]), syncs=syncs
            )
    return None


def _select(series: Series, hits: pd.DataFrame) -> pd.DataFrame:
    if series.attribute == EVERYONE:
        return hits
    if series.attribute == "permission_set":
        sets = hits["permission_sets"].fillna("").map(lambda text: {part.strip() for part in text.split(",")})
        return hits[[series.value in names for names in sets]]
    return hits[hits[series.attribute] == series.value]


def _count_hits(series: list[Series], hits: pd.DataFrame, steps: int) -> Floats:
    """Return the units with a hit, one row per series and one column per step."""
    counts = np.zeros((len(series), steps))
    for attribute in dict.fromkeys(one.attribute for one in series):
        rows = {one.value: row for row, one in enumerate(series) if one.attribute == attribute}
        units = _with_value(hits, attribute)[["value", "who", "step"]].drop_duplicates()
        row = units["value"].map(rows)
        is_listed = row.notna()
        at = (row[is_listed].to_numpy(np.int64), units.loc[is_listed, "step"].to_numpy(np.int64))
        np.add.at(counts, at, 1.0)
    return counts


def _with_value(hits: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """Add the column `value`; a user with several permission sets has a row for each."""
    if attribute == EVERYONE:
        return hits.assign(value=EVERYONE)
    if attribute == "permission_set":
        sets = hits["permission_sets"].fillna("").str.split(",")
        exploded = hits.assign(value=sets).explode("value")
        return exploded.assign(value=exploded["value"].str.strip())
    return hits.assign(value=hits[attribute])


def _best_users(
    kind: FailureKind, hits: pd.DataFrame, usual: float, observations: Observations
) -> Candidate | None:
    """Return the users whose own syncs show the symptom too often for chance, each in a separate period."""
    units = hits[["who", "step"]].drop_duplicates()
    counts = units["who"].value_counts()
    names = sorted(counts.index[counts >= _MIN_HITS])
    if not names:
        return None
    tries = observations.user_tries(kind, names)
    width = max(len(steps) for steps in tries)
    hit_steps = {name: set(rows["step"]) for name, rows in units.groupby("who")}
    own_hits, own_tries = np.zeros((len(names), width)), np.zeros((len(names), width))
    for row, (name, steps) in enumerate(zip(names, tries, strict=True)):
        own_tries[row, : len(steps)] = 1.0
        own_hits[row, : len(steps)] = [step in hit_steps[name] for step in steps]
    periods = find_best_periods(own_hits, own_tries, usual)
    evidence = periods.score / kind.dispersion - np.log(
        observations.users * np.maximum(own_tries.sum(axis=1), 1)
    )
    parts = []
    for row in map(int, np.flatnonzero((evidence >= MIN_EVIDENCE) & (periods.hits >= _MIN_HITS))):
        first, last = tries[row][periods.start[row]], tries[row][min(periods.end[row], len(tries[row]) - 1)]
        own = hits[hits["who"] == names[row]]
        parts.append(own[own["step"].between(first, last)])
    if len(parts) < kind.min_users:
        return None
    total = float(evidence[evidence >= MIN_EVIDENCE].sum())
    return Candidate(
        kind=kind, extent="users", value=None, evidence=total, syncs=pd.concat(parts, ignore_index=True)
    )
