"""Healthy twins: devices much like a sick one that sync well, and the few things in which it differs.

Two questions are answered from the same table of attributes. Which healthy devices are nearest: those that
share most attributes. Which differences matter: an attribute whose value goes with sickness in the whole
fleet, by the lower bound of the risk ratio, and that the twins do not share. The smallest set is found
greedily: it goes on until no healthy device has all of its values, or nothing is left to tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.intervals import rate_ratio_interval
from analysis.fleet.devices import UnknownDevice
from analysis.query.filters import Filters
from analysis.query.runner import run_query

ATTRIBUTES = (
    "app_version", "platform", "model", "os_version", "territory", "country", "security_profile",
    "application_profile", "permission_sets", "time_zone", "language", "network_type", "accounts", "storage",
)  # fmt: skip
MIN_TRIES = 3
SICK_SHARE = 0.5

_TABLE = """
WITH recent AS (
    SELECT coalesce(device_id, user_id) AS device, user_id, outcome, app_version, network_type, started_at,
        row_number() OVER (PARTITION BY coalesce(device_id, user_id) ORDER BY started_at DESC) AS place
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL AND outcome NOT IN ('canceled', 'unfinished')
),
judged AS (
    SELECT device, max(user_id) AS user_id, count(*) AS tries,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures,
        max_by(app_version, started_at) AS app_version,
        mode(network_type ORDER BY network_type) AS network_type
    FROM recent
    WHERE place <= $last
    GROUP BY device
),
hit AS (SELECT DISTINCT coalesce(device_id, user_id) AS device FROM error WHERE issue_id = $of_issue)
SELECT j.device, j.tries, j.failures, h.device IS NOT NULL AS has_issue,
    j.app_version, j.network_type, d.platform, d.model, d.os_version, u.territory, u.country,
    u.security_profile, u.application_profile, u.permission_sets, u.time_zone, u.language,
    CASE WHEN d.accounts IS NULL THEN NULL WHEN d.accounts > 15000 THEN 'over 15000'
        WHEN d.accounts > 5000 THEN '5001 to 15000' WHEN d.accounts > 1000 THEN '1001 to 5000'
        ELSE 'up to 1000' END AS accounts,
    CASE WHEN d.storage_free_mb IS NULL THEN NULL WHEN d.storage_free_mb < 1000 THEN 'under 1 GB'
        WHEN d.storage_free_mb < 5000 THEN '1 to 5 GB' ELSE 'over 5 GB' END AS storage
FROM judged AS j
LEFT JOIN hit AS h ON h.device = j.device
LEFT JOIN current_device AS d ON d.device_id = j.device
LEFT JOIN current_user_info AS u ON u.user_id = j.user_id
ORDER BY j.device
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyPeers:
    """What tells one device from healthy ones.

    `twins`: nearest healthy devices with `shared`, the number of attributes in common, and all attributes.
    `differences`: attribute, value here, usual value of the twins, share of twins with the value here, sick
    share of devices with and without the value, their ratio and its lower bound; the most telling first.
    `smallest_set`: the few attributes that together part this device from every healthy one.
    """

    device: str
    affected: bool
    peers: pd.DataFrame
    differences: pd.DataFrame
    smallest_set: tuple[str, ...]


_DIFFERENCES = [
    "attribute", "value", "peer_value", "peer_share", "affected_with", "affected_without", "ratio", "low",
]  # fmt: skip


def healthy_peers(
    connection: DuckDBPyConnection,
    device: str,
    *,
    issue_id: str | None = None,
    most: int = 5,
    last: int = 10,
    **filters: object,
) -> HealthyPeers:
    """Compare a device with its `most` nearest healthy twins.

    Sick is a device with the issue if one is given, else one of which at least half of the last 10 finished
    syncs (and 3 or more) failed; healthy is one without any of either. Raises UnknownDevice for a device
    without finished syncs.
    """
    table = run_query(connection, _TABLE, Filters.of(**filters), {"last": last, "of_issue": issue_id or ""})
    table = table.set_index("device")
    if device not in table.index:
        raise UnknownDevice(device)
    failing = (table["failures"] >= MIN_TRIES) & (table["failures"] >= SICK_SHARE * table["tries"])
    sick = table["has_issue"].astype(bool) if issue_id is not None else failing
    healthy = table[~sick & ~failing & (table.index != device)]
    values = table[list(ATTRIBUTES)].astype(object)
    values = values.where(values.notna(), None)
    here: dict[str, Any] = {name: values.at[device, name] for name in ATTRIBUTES}
    known = [name for name in ATTRIBUTES if here[name] is not None]
    shared = (values.loc[healthy.index, known] == [here[name] for name in known]).sum(axis=1).astype(int)
    # The more it has proved itself, the better a twin; the name decides the rest.
    order = np.lexsort((healthy.index.to_numpy(), -healthy["tries"].to_numpy(), -shared.to_numpy()))
    nearest = values.loc[healthy.index[order[:most]]].assign(shared=shared.iloc[order[:most]])
    marks = {name: _marks(values, sick, name, here[name]) for name in known}
    return HealthyPeers(
        device=device,
        affected=bool(sick.loc[device]),
        peers=nearest.reset_index()[["device", "shared", *ATTRIBUTES]],
        differences=_differences(nearest, here, known, marks),
        smallest_set=_smallest_set(values.loc[healthy.index], here, marks),
    )


@dataclass(frozen=True, slots=True)
class _Marks:
    """How sickness goes with one value of one attribute, in the whole fleet."""

    affected_with: float
    affected_without: float
    low: float

    @property
    def ratio(self) -> float:
        return self.affected_with / self.affected_without if self.affected_without else float("inf")


def _marks(values: pd.DataFrame, sick: pd.Series[bool], name: str, value: object) -> _Marks:
    having = (values[name] == value).to_numpy(dtype=bool)
    ill = sick.to_numpy(dtype=bool)
    n, other_n = int(having.sum()), int((~having).sum())
    hits, other_hits = int((ill & having).sum()), int((ill & ~having).sum())
    low = rate_ratio_interval(hits, n, other_hits, other_n).low if other_n else 0.0
    return _Marks(hits / n if n else 0.0, other_hits / other_n if other_n else 0.0, low)


def _differences(
    nearest: pd.DataFrame, here: dict[str, Any], known: list[str], marks: dict[str, _Marks]
) -> pd.DataFrame:
    rows = []
    for name in known:
        same = float((nearest[name] == here[name]).mean()) if len(nearest) else 0.0
        usual = nearest[name].mode()
        if same < 1:
            mark = marks[name]
            theirs = usual.iloc[0] if len(usual) else None
            rows.append(
                (
                    name,
                    here[name],
                    theirs,
                    same,
                    mark.affected_with,
                    mark.affected_without,
                    mark.ratio,
                    mark.low,
                )
            )
    frame = pd.DataFrame(rows, columns=_DIFFERENCES)
    return frame.sort_values(["low", "peer_share", "attribute"], ascending=[False, True, True]).reset_index(
        drop=True
    )


def _smallest_set(healthy: pd.DataFrame, here: dict[str, Any], marks: dict[str, _Marks]) -> tuple[str, ...]:
    left = healthy
    chosen: list[str] = []
    while len(left):
        parted = {
            name: (float((left[name] != here[name]).mean()) * max(mark.low, 0.0), mark.low, name)
            for name, mark in marks.items()
            if name not in chosen
        }
        best = max(parted, key=lambda name: parted[name], default=None)
        if best is None or parted[best][0] <= 0:
            break
        chosen.append(best)
        left = left[left[best] == here[best]]
    return tuple(chosen)
