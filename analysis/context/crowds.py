"""One device, or everybody at once? Many devices that fail in the same minutes point to the server."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.context.verdicts import apply, leaves_open

CAUSES = ("network", "server-unavailable")
WINDOW_MINUTES = 10
_DEVICES_AT_LEAST, _SHARE_AT_LEAST, _NETWORKS_AT_LEAST = 5, 0.5, 2
# To a device, a server that does not answer looks like a network that does not carry.
_OVER = {"server-unavailable": ("network",)}


def settle_crowds(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle between the way to the server and the server, where devices and their networks are known."""
    about = leaves_open(found, CAUSES) & found["cause"].isin(CAUSES) & events["device_id"].notna()
    if not about.any():
        return
    connection.register("asked", events.loc[about, ["event_id", "device_id", "occurred_at"]])
    try:
        facts = connection.execute(_FACTS, {"minutes": WINDOW_MINUTES}).df().set_index("event_id")
    finally:
        connection.unregister("asked")
    crowd = (facts["failing"] >= _DEVICES_AT_LEAST) & (facts["failing"] >= _SHARE_AT_LEAST * facts["seen"])
    facts = facts[crowd & (facts["networks"] >= _NETWORKS_AT_LEAST)]
    index = events.index[events["event_id"].isin(facts.index)]
    said = [
        f"{one.failing} of the {one.seen} devices that were heard of in the same {WINDOW_MINUTES} minutes did not "
        f"get through, on {one.networks} kinds of network."
        for one in facts.loc[events.loc[index, "event_id"]].itertuples()
    ]
    verdicts = pd.DataFrame({"cause": "server-unavailable", "confidence": 0.9, "said": said}, index=index)
    apply(found, verdicts, _OVER)


_FACTS = """
WITH failing AS (
    SELECT DISTINCT device_id, time_bucket(to_minutes(CAST($minutes AS INTEGER)), occurred_at) AS slot FROM asked
),
seen AS (
    SELECT time_bucket(to_minutes(CAST($minutes AS INTEGER)), started_at) AS slot, device_id, network_type
    FROM sync WHERE device_id IS NOT NULL
    UNION SELECT slot, device_id, NULL FROM failing
),
slots AS (
    SELECT s.slot, count(DISTINCT f.device_id) AS failing, count(DISTINCT s.device_id) AS seen,
        -- a device that had no network at all says nothing of the server
        count(DISTINCT CASE WHEN f.device_id IS NOT NULL AND s.network_type <> 'none' THEN s.network_type END)
            AS networks
    FROM seen AS s LEFT JOIN failing AS f ON f.slot = s.slot AND f.device_id = s.device_id
    WHERE s.slot IN (SELECT slot FROM failing) GROUP BY s.slot
)
SELECT a.event_id, s.failing, s.seen, s.networks
FROM asked AS a
JOIN slots AS s ON s.slot = time_bucket(to_minutes(CAST($minutes AS INTEGER)), a.occurred_at)
"""
