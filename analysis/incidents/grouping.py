"""Decide which issues form an incident: bursts of one cause first, then issues on the same devices, then joins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import NDArray

from analysis.base.tail_probabilities import hypergeometric_tail
from analysis.incidents.coincidence import (
    Window,
    find_cluster,
    find_shared_devices,
    find_window,
    log_binomial_tail,
    log_choose,
    log_tail_of_counts,
)
from analysis.incidents.hits import Hits

_SIGNIFICANT = log(0.001)
_JOINS = log(0.01)
_NOWHERE = np.zeros(0, dtype=np.int64)
_MAX_BURSTS = 10  # of one cause
_OUTAGE_FAMILIES = frozenset({"network", "server-unavailable", "rate-limit", "tls-certificate", "unknown"})
"""Causes that one outage can have, so their bursts at the same time are one incident."""


@dataclass(slots=True)
class Group:
    """Issues of one incident, as positions in `Hits.issues`.

    `window` is None if only the devices are shared. `on_devices` is true if the issues were found by their devices.
    """

    families: set[str]
    issues: set[int]
    log_p: float
    window: Window | None = None
    devices: frozenset[int] = field(default_factory=frozenset)
    on_devices: bool = False


def group_issues(hits: Hits) -> list[Group]:
    """Return the groups of two or more issues that are no coincidence; no issue is in two groups."""
    several = sum(len(np.unique(hits.issue[positions])) > 1 for positions in hits.families.values())
    threshold = _SIGNIFICANT - log(several + 1)  # one more for all causes of an outage together
    groups: list[Group] = []
    for family, positions in hits.families.items():
        rest = positions
        for find in (_find_bursts, _find_shared, _find_clusters):
            matches = [
                group
                for group in find(hits, rest, frozenset({family}), threshold)
                if _test_issues(hits, positions, group) < threshold
            ]
            groups += matches
            grouped = {issue for group in matches for issue in group.issues}
            rest = rest[[issue not in grouped for issue in hits.issue[rest].tolist()]]
    groups += _find_mixed_bursts(hits, groups, threshold)
    groups = _merge_outages(_assign_once(hits, groups))
    _join_others(hits, groups)
    return [group for group in groups if len(group.issues) > 1]


def _find_mixed_bursts(hits: Hits, groups: list[Group], threshold: float) -> list[Group]:
    """Return the bursts of issues that differ in cause but that one outage can have; grouped issues are left out."""
    grouped = {issue for group in groups for issue in group.issues}
    causes = _OUTAGE_FAMILIES - {"unknown"}
    of_outage = [cause for cause in sorted(causes) if cause in hits.families]
    positions = np.sort(np.concatenate([hits.families[cause] for cause in of_outage] or [_NOWHERE]))
    positions = positions[[issue not in grouped for issue in hits.issue[positions].tolist()]]
    bursts = _find_bursts(hits, positions, frozenset(of_outage), threshold)
    return [burst for burst in bursts if _test_issues(hits, positions, burst) < threshold]


def _test_issues(hits: Hits, positions: NDArray[np.int64], group: Group) -> float:
    """Set and return the log probability that the issues of a group are together by chance.

    Hits of one issue are not independent: an issue lasts, and returns to its devices. So each issue counts once: how
    often would the others be in the window, and on the devices, of the one with most hits, if each was moved to
    another time and to other devices?
    """
    issues, counts = np.unique(hits.issue[positions], return_counts=True)
    anchor = max(group.issues, key=lambda issue: (int(counts[issues == issue].sum()), -issue))
    devices_of = {
        int(issue): frozenset(hits.device[positions][hits.issue[positions] == issue].tolist())
        for issue in issues
    }
    others, rest = len(group.issues) - 1, [int(issue) for issue in issues if issue != anchor]
    chances = np.array([_chance_of_place(hits, group, devices_of[issue]) for issue in rest])
    inside = np.array([issue in group.issues for issue in rest])
    subsets = log_choose(len(rest), others)
    log_p = min(log_tail_of_counts(others, chances), float(np.log(chances[inside]).sum()) + subsets)
    if group.window is not None:
        log_p += log(len(issues))  # points within a width, anywhere: at most n · width^(n - 1)
    if group.on_devices:
        log_p += log_choose(hits.active_devices, len(group.devices - devices_of[anchor]))
    elif others == 1:
        (other,) = group.issues - {anchor}
        log_p += _log_chance_of_overlap(hits, devices_of[anchor], devices_of[other])
    group.log_p = log_p
    return log_p


def _chance_of_place(hits: Hits, group: Group, devices: frozenset[int]) -> float:
    """Return the probability that an issue is in the window and on the devices of a group."""
    chance = 1.0
    if group.window is not None:
        chance = min(1.0, max(group.window.width, hits.one_day))
    if group.on_devices:
        chance *= (len(group.devices) / hits.active_devices) ** len(devices)
    return chance


def _log_chance_of_overlap(hits: Hits, first: frozenset[int], second: frozenset[int]) -> float:
    """Return the log probability that two issues share as many devices."""
    tail = hypergeometric_tail(
        np.array([len(first & second)], dtype=np.float64), np.array([len(second)], dtype=np.float64),
        total=hits.active_devices, marked=len(first),
    )  # fmt: skip
    return log(max(float(tail[0]), 1e-300))


def _find_bursts(
    hits: Hits, positions: NDArray[np.int64], families: frozenset[str], threshold: float
) -> Iterator[Group]:
    """Yield the bursts of some causes over several devices, the least likely first."""
    everywhere = positions
    if len(np.unique(hits.issue[positions])) < 2 or np.isnan(hits.clock[positions]).any():
        return
    unit = 1 / len(hits.activity)
    for _ in range(_MAX_BURSTS):
        clock = hits.clock[positions]
        window = find_window(clock, hits.device[positions], unit)
        if window is None or window.log_p > threshold:
            return
        inside = (clock >= window.start) & (clock <= window.end)
        issues = _issues_of_window(hits, everywhere, window)
        if len(issues) > 1:
            devices = frozenset(hits.device[positions][inside].tolist())
            yield Group(set(families), issues, window.log_p, window, devices)
        positions = positions[~inside]


def _issues_of_window(hits: Hits, positions: NDArray[np.int64], window: Window) -> set[int]:
    """Return the issues that have most of their hits in a burst, or clearly more than chance."""
    inside = _is_inside(hits, positions, window)
    issues, total = np.unique(hits.issue[positions], return_counts=True)
    counts = np.array([int(inside[hits.issue[positions] == issue].sum()) for issue in issues])
    width = min(1.0, 1.2 * window.width)
    gathers = np.array(
        [
            n >= 2 and float(log_binomial_tail(k, n, width)) < _JOINS
            for k, n in zip(counts, total, strict=True)
        ]
    )
    return set(issues[gathers | (counts * 2 >= total)].tolist())


def _is_inside(hits: Hits, positions: NDArray[np.int64], window: Window) -> NDArray[np.bool_]:
    margin = 0.1 * window.width
    clock = hits.clock[positions]
    return np.asarray((clock >= window.start - margin) & (clock <= window.end + margin), dtype=np.bool_)


def _find_shared(
    hits: Hits, positions: NDArray[np.int64], families: frozenset[str], threshold: float
) -> Iterator[Group]:
    """Yield the issues of one cause that hit the same few devices."""
    issues = np.unique(hits.issue[positions])
    if len(issues) < 2:
        return
    devices, log_p = find_shared_devices(hits.issue[positions], hits.device[positions], hits.active_devices)
    if log_p > threshold:
        return
    on_shared = np.isin(hits.device[positions], list(devices))
    members = {int(issue) for issue in issues if 2 * on_shared[hits.issue[positions] == issue].mean() >= 1}
    if len(members) > 1:
        yield Group(set(families), members, log_p, None, devices, on_devices=True)


def _find_clusters(
    hits: Hits, positions: NDArray[np.int64], families: frozenset[str], threshold: float
) -> Iterator[Group]:
    """Yield the issues of one cause that hit the same few devices for a short time."""
    if len(np.unique(hits.issue[positions])) < 2 or np.isnan(hits.clock[positions]).any():
        return
    cluster = find_cluster(
        hits.clock[positions], hits.device[positions], hits.active_devices, 1 / len(hits.activity)
    )
    if cluster is None or cluster[0].log_p > threshold:
        return
    window, devices = cluster
    inside = _is_inside(hits, positions, window) & np.isin(hits.device[positions], list(devices))
    members = {
        int(issue)
        for issue in np.unique(hits.issue[positions])
        if 2 * inside[hits.issue[positions] == issue].mean() >= 1
    }
    if len(members) > 1:
        yield Group(set(families), members, window.log_p, window, devices, on_devices=True)


def _assign_once(hits: Hits, groups: list[Group]) -> list[Group]:
    """Leave each issue in the group that has most of its hits."""
    for issue in {issue for group in groups for issue in group.issues}:
        holders = [group for group in groups if issue in group.issues]
        keeper = max(holders, key=lambda group: (_hits_within(hits, issue, group), -group.log_p))
        for group in holders:
            if group is not keeper:
                group.issues.discard(issue)
    return [group for group in groups if len(group.issues) > 1]


def _hits_within(hits: Hits, issue: int, group: Group) -> int:
    positions = np.flatnonzero(hits.issue == issue)
    if group.window is not None:
        return int(_is_inside(hits, positions, group.window).sum())
    return int(np.isin(hits.device[positions], list(group.devices)).sum())


def _merge_outages(groups: list[Group]) -> list[Group]:
    """Merge bursts of causes that one outage can have, if they cover mostly the same time."""
    merged: list[Group] = []
    for group in sorted(groups, key=lambda group: group.log_p):
        same = next((other for other in merged if _is_same_outage(group, other)), None)
        if same is None:
            merged.append(group)
            continue
        same.families |= group.families
        same.issues |= group.issues
        same.devices |= group.devices
        assert same.window is not None and group.window is not None  # noqa: S101 - checked by _is_same_outage
        start, end = min(same.window.start, group.window.start), max(same.window.end, group.window.end)
        same.window = Window(start, end, same.window.log_p)
    return merged


def _is_same_outage(first: Group, second: Group) -> bool:
    if first.window is None or second.window is None:
        return False
    if not (first.families | second.families) <= _OUTAGE_FAMILIES:
        return False
    shared = min(first.window.end, second.window.end) - max(first.window.start, second.window.start)
    return shared > 0.5 * min(first.window.width, second.window.width)


def _join_others(hits: Hits, groups: list[Group]) -> None:
    """Add issues of an unknown cause, or of another outage, that lie within the time and devices of an incident."""
    grouped = {issue for group in groups for issue in group.issues}
    for number, facts in enumerate(hits.issues):
        if number in grouped or facts.with_record or facts.cause not in _OUTAGE_FAMILIES:
            continue
        positions = np.flatnonzero(hits.issue == number)
        for group in groups:
            is_outage = facts.cause == "unknown" or group.families <= _OUTAGE_FAMILIES
            if is_outage and _log_chance_of_fit(hits, positions, group) < _JOINS:
                group.issues.add(number)
                break


def _log_chance_of_fit(hits: Hits, positions: NDArray[np.int64], group: Group) -> float:
    """Return the log probability that an issue begins within a group by chance; 0 if a hit lies outside of it.

    Only its start counts: an issue of many hits has them close together wherever it begins.
    """
    devices = set(hits.device[positions].tolist())
    if not devices or group.window is None or not _is_inside(hits, positions, group.window).all():
        return 0.0
    start = log(min(1.0, 1.2 * group.window.width))
    if not devices <= group.devices:
        return start
    return start + len(devices) * log(len(group.devices) / hits.active_devices)
