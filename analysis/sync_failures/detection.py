"""Detect sync-failure issues: for each kind, who is affected and since when, the clearest one first.

Candidates are all syncs, the syncs with one attribute value (a version, a sync type, a territory ...), and a few
users each on their own, in any period. The clearest candidate becomes an issue and its syncs are removed; then the
search repeats with the rest. So each failed sync is in one issue at most, and what is left is usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.sync_failures.candidates import Candidate, find_best_candidate
from analysis.sync_failures.kinds import FailureKind, load_failure_kinds
from analysis.sync_failures.observations import Observations, observe
from analysis.sync_failures.titles import title_of

FINDING_COLUMNS = ("sync_id", "issue_id", "kind", "extent", "value", "title")

_SAME_PHASE = 0.8  # share of the failures in one phase that names the phase
_MIN_NEIGHBORS, _MIXED = (
    5,
    0.5,
)  # pairs of failed syncs, and how often they differ in phase, of what chance would do
_PHASES = ("uploads-fail", "downloads-fail")
_SHORT_SECONDS = 2 * 86_400
_MAX_ROUNDS = 60


def find_sync_failures(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Return the issue of each failed sync, with FINDING_COLUMNS; one row per sync.

    A failed sync that fits no issue has its id only. Reads the store, and uses temporary tables. The same store
    always has the same result.
    """
    with observe(connection) as observations:
        issues = [] if observations is None else _merge_same_keys(_find_candidates(observations))
        frames = [
            issue.syncs[["sync_id"]].assign(
                issue_id=issue.issue_id, kind=issue.kind.name, extent=issue.extent, value=issue.value,
                title=title_of(issue, observations),
            )
            for issue in issues
            if observations is not None
        ]  # fmt: skip
        failed = [] if observations is None else observations.failed
    in_issues = set().union(*(frame["sync_id"] for frame in frames))
    rest = pd.DataFrame({"sync_id": sorted(set(failed) - in_issues)}, dtype=object)
    return pd.concat([*frames, rest], ignore_index=True).reindex(columns=list(FINDING_COLUMNS))


def _merge_same_keys(candidates: Iterator[Candidate]) -> list[Candidate]:
    merged: dict[tuple[str, ...], Candidate] = {}
    for candidate in candidates:
        earlier = merged.get(candidate.key)
        if earlier is not None:
            candidate = replace(earlier, syncs=pd.concat([earlier.syncs, candidate.syncs]))  # noqa: PLW2901
        merged[candidate.key] = candidate
    return list(merged.values())


def _find_candidates(observations: Observations) -> Iterator[Candidate]:
    kinds = load_failure_kinds()
    hits = dict(observations.hits)
    yield from _listed(kinds, hits)
    best: dict[str, Candidate | None] = {}
    for _ in range(_MAX_ROUNDS):
        for kind in kinds.values():
            if kind.by_rate and kind.name not in best:
                best[kind.name] = find_best_candidate(kind, hits[kind.name], observations)
        clear = [_name_phase(candidate, hits) for candidate in best.values() if candidate is not None]
        candidates = [candidate for candidate in clear if candidate is not None]
        if not candidates:
            return
        candidate = max(candidates, key=lambda item: (item.evidence, item.kind.name))
        candidate = _with_other_phases(candidate, hits, observations)
        for name in _remove(candidate, hits, kinds):
            best.pop(name, None)
        yield candidate


def _listed(kinds: Mapping[str, FailureKind], hits: dict[str, pd.DataFrame]) -> Iterator[Candidate]:
    for kind in kinds.values():
        syncs = hits[kind.name]
        if not kind.by_rate and syncs["who"].nunique() >= kind.min_users:
            candidate = Candidate(kind=kind, extent="users", value=None, evidence=np.inf, syncs=syncs)
            _remove(candidate, hits, kinds)
            yield candidate


def _remove(
    candidate: Candidate, hits: dict[str, pd.DataFrame], kinds: Mapping[str, FailureKind]
) -> list[str]:
    """Remove the syncs of an issue, and symptoms that go along with it; return the changed kinds.

    If syncs fail for everyone, others need retries or are canceled at the same time: not issues in addition.
    """
    steps = candidate.syncs["step"]
    changed = []
    for name, rows in hits.items():
        belongs = rows["sync_id"].isin(candidate.syncs["sync_id"])
        if candidate.kind.is_failure and not kinds[name].is_failure and candidate.extent == "everyone":
            belongs |= rows["step"].between(steps.min() - 1, steps.max() + 1)
        if belongs.any():
            hits[name] = rows[~belongs]
            changed.append(name)
    return changed


def _with_other_phases(
    candidate: Candidate, hits: Mapping[str, pd.DataFrame], observations: Observations
) -> Candidate:
    """Add the syncs that fail in another phase during a short failure of everyone, which is one event."""
    steps = candidate.syncs["step"]
    is_short = (steps.max() - steps.min()) * observations.step_seconds <= _SHORT_SECONDS
    if candidate.extent != "everyone" or not is_short or candidate.kind.name not in _PHASES:
        return candidate
    others = hits["syncs-fail"]
    syncs = others[others["step"].between(steps.min(), steps.max())]
    if syncs.empty:
        return candidate
    return (
        _name_phase(
            replace(candidate, kind=load_failure_kinds()["syncs-fail"], syncs=syncs), hits, may_split=False
        )
        or candidate
    )


def _is_mixed(syncs: pd.DataFrame, is_upload: pd.Series[bool]) -> bool:
    """Return whether both phases fail for the same users at the same time, not for different ones.

    Compares neighbors, by user and by time: how often they differ, and how often they would if phases were random.
    """
    ordered = syncs.assign(upload=is_upload.to_numpy())
    share = ordered["upload"].mean()
    expected = 2 * share * (1 - share)
    for order in (["who", "started_at"], ["started_at"]):
        rows = ordered.sort_values([*order, "sync_id"])
        same_user = (rows["who"] == rows["who"].shift()) | (order[0] != "who")
        differs = (rows["upload"] != rows["upload"].shift())[same_user][1:]
        if len(differs) >= _MIN_NEIGHBORS and differs.mean() < expected * _MIXED:
            return False
    return True


def _name_phase(
    candidate: Candidate, hits: Mapping[str, pd.DataFrame], *, may_split: bool = True
) -> Candidate | None:
    """Name the phase of failed syncs if nearly all failed in the same one; None if they are two issues."""
    if candidate.kind.name != "syncs-fail":
        return candidate
    kinds = load_failure_kinds()
    for name in _PHASES:
        syncs = candidate.syncs[candidate.syncs["sync_id"].isin(hits[name]["sync_id"])]
        if len(syncs) >= _SAME_PHASE * len(candidate.syncs):
            return replace(candidate, kind=kinds[name], syncs=syncs if may_split else candidate.syncs)
    if not may_split:
        return candidate
    is_upload = candidate.syncs["sync_id"].isin(hits["uploads-fail"]["sync_id"])
    return candidate if _is_mixed(candidate.syncs, is_upload) else None
