"""Healthy peers: the healthy devices that are most similar to a device, and its differences from them.

Peers are the healthy devices that share most attributes. A difference is an attribute value that peers do not share.
Differences are ordered by the lower bound of the risk ratio of the value in the whole fleet. The smallest set of
differences is built greedily, until no healthy device has all of its values or no attribute adds anything.
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
MIN_FAILURES = 3
MIN_FAILURE_SHARE = 0.5

_TABLE = """
WITH recent AS (
    SELECT coalesce(device_id, user_id) AS device, user_id, outcome, app_version, network_type, started_at,
        row_number() OVER (PARTITION BY coalesce(device_id, user_id) ORDER BY started_at DESC) AS place
    FROM sync
    WHERE coalesce(device_id, user_id) IS NOT NULL AND outcome NOT IN ('canceled', 'unfinished')
),
device_syncs AS (
    SELECT device, max(user_id) AS user_id, count(*) AS tries,
        count(*) FILTER (WHERE outcome IN ('failed', 'failed_upload', 'failed_download')) AS failures,
        max_by(app_version, started_at) AS app_version,
        mode(network_type ORDER BY network_type) AS network_type
    FROM recent
    WHERE place <= $last
    GROUP BY device
),
affected AS (SELECT DISTINCT coalesce(device_id, user_id) AS device FROM issue_event WHERE issue_id = $of_issue)
SELECT j.device, j.tries, j.failures, h.device IS NOT NULL AS has_issue,
    j.app_version, j.network_type, d.platform, d.model, d.os_version, u.territory, u.country,
    u.security_profile, u.application_profile, u.permission_sets, u.time_zone, u.language,
    CASE WHEN d.accounts IS NULL THEN NULL WHEN d.accounts > 15000 THEN 'over 15000'
        WHEN d.accounts > 5000 THEN '5001 to 15000' WHEN d.accounts > 1000 THEN '1001 to 5000'
        ELSE 'up to 1000' END AS accounts,
    CASE WHEN d.storage_free_mb IS NULL THEN NULL WHEN d.storage_free_mb < 1000 THEN 'under 1 GB'
        WHEN d.storage_free_mb < 5000 THEN '1 to 5 GB' ELSE 'over 5 GB' END AS storage
FROM device_syncs AS j
LEFT JOIN affected AS h ON h.device = j.device
LEFT JOIN current_device AS d ON d.device_id = j.device
LEFT JOIN current_user_info AS u ON u.user_id = j.user_id
ORDER BY j.device
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthyPeers:
    """The differences between one device and healthy devices.

    `affected` is true if the device has the issue, or fails too often if no issue is given. `peers` has the nearest
    healthy devices with `shared`, the number of equal attributes, and all attributes. `differences` has attribute,
    value of the device, most frequent value of the peers, share of peers with the value of the device, share of
    affected devices with and without the value, their ratio and its lower bound; the highest bound first.
    `smallest_set` has the attributes that together distinguish this device from every healthy device.
    """

    device: str
    affected: bool
    peers: pd.DataFrame
    differences: pd.DataFrame
    smallest_set: tuple[str, ...]


_DIFFERENCE_COLUMNS = [
    "attribute", "value", "peer_value", "peer_share", "affected_with", "affected_without", "ratio", "low",
]  # fmt: skip


def healthy_peers(
    connection: DuckDBPyConnection,
    device: str,
    *,
    issue_id: str | None = None,
    limit: int = 5,
    last: int = 10,
    **filters: object,
) -> HealthyPeers:
    """Compare a device with its nearest healthy peers, at most `limit`.

    A device is failing if at least half of its `last` finished syncs failed, and at least 3. It is affected if it
    has the issue, or without `issue_id` if it is failing. A healthy device is neither. Raises UnknownDevice for a
    device without finished syncs.
    """
    table = run_query(connection, _TABLE, Filters.of(**filters), {"last": last, "of_issue": issue_id or ""})
    table = table.set_index("device")
    if device not in table.index:
        raise UnknownDevice(device)
    failing = (table["failures"] >= MIN_FAILURES) & (table["failures"] >= MIN_FAILURE_SHARE * table["tries"])
    affected = table["has_issue"].astype(bool) if issue_id is not None else failing
    healthy = table[~affected & ~failing & (table.index != device)]
    values = table[list(ATTRIBUTES)].astype(object)
    values = values.where(values.notna(), None)
    device_values: dict[str, Any] = {name: values.at[device, name] for name in ATTRIBUTES}
    known_attributes = [name for name in ATTRIBUTES if device_values[name] is not None]
    is_equal = values.loc[healthy.index, known_attributes] == [
        device_values[name] for name in known_attributes
    ]
    shared = is_equal.sum(axis=1).astype(int)
    # Prefer peers with more syncs, then order by name.
    order = np.lexsort((healthy.index.to_numpy(), -healthy["tries"].to_numpy(), -shared.to_numpy()))
    nearest = values.loc[healthy.index[order[:limit]]].assign(shared=shared.iloc[order[:limit]])
    risks = {name: _measure_risk(values, affected, name, device_values[name]) for name in known_attributes}
    return HealthyPeers(
        device=device,
        affected=bool(affected.loc[device]),
        peers=nearest.reset_index()[["device", "shared", *ATTRIBUTES]],
        differences=_list_differences(nearest, device_values, known_attributes, risks),
        smallest_set=_find_smallest_set(values.loc[healthy.index], device_values, risks),
    )


@dataclass(frozen=True, slots=True)
class _ValueRisk:
    """The share of affected devices with and without one attribute value, in the whole fleet."""

    affected_with: float
    affected_without: float
    low: float

    @property
    def ratio(self) -> float:
        return self.affected_with / self.affected_without if self.affected_without else float("inf")


def _measure_risk(values: pd.DataFrame, affected: pd.Series[bool], name: str, value: object) -> _ValueRisk:
    has_value = (values[name] == value).to_numpy(dtype=bool)
    is_affected = affected.to_numpy(dtype=bool)
    count, others = int(has_value.sum()), int((~has_value).sum())
    affected_count = int((is_affected & has_value).sum())
    affected_others = int((is_affected & ~has_value).sum())
    low = rate_ratio_interval(affected_count, count, affected_others, others).low if others else 0.0
    return _ValueRisk(
        affected_count / count if count else 0.0, affected_others / others if others else 0.0, low
    )


def _list_differences(
    nearest: pd.DataFrame,
    device_values: dict[str, Any],
    known_attributes: list[str],
    risks: dict[str, _ValueRisk],
) -> pd.DataFrame:
    rows = []
    for name in known_attributes:
        peer_share = float((nearest[name] == device_values[name]).mean()) if len(nearest) else 0.0
        common_values = nearest[name].mode()
        if peer_share < 1:
            risk = risks[name]
            peer_value = common_values.iloc[0] if len(common_values) else None
            shares = (peer_share, risk.affected_with, risk.affected_without, risk.ratio, risk.low)
            rows.append((name, device_values[name], peer_value, *shares))
    frame = pd.DataFrame(rows, columns=_DIFFERENCE_COLUMNS)
    return frame.sort_values(["low", "peer_share", "attribute"], ascending=[False, True, True]).reset_index(
        drop=True
    )


def _find_smallest_set(
    healthy: pd.DataFrame, device_values: dict[str, Any], risks: dict[str, _ValueRisk]
) -> tuple[str, ...]:
    remaining = healthy
    selected: list[str] = []
    while len(remaining):
        scores = {
            name: (
                float((remaining[name] != device_values[name]).mean()) * max(risk.low, 0.0),
                risk.low,
                name,
            )
            for name, risk in risks.items()
            if name not in selected
        }
        best = max(scores, key=lambda name: scores[name], default=None)
        if best is None or scores[best][0] <= 0:
            break
        selected.append(best)
        remaining = remaining[remaining[best] == device_values[best]]
    return tuple(selected)
