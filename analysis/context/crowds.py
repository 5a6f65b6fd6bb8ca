"""One device, or everybody at once? Many devices that fail in the same minutes point to the server."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.context.verdicts import apply, leaves_open

CAUSES = ("network", "server-unavailable")
WINDOW_MINUTES = 10
_DEVICES_AT_LEAST, _SHARE_AT_LEAST = 5, 0.5


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
    facts = facts[
        (facts["failing"] >= _DEVICES_AT_LEAST) & (facts["failing"] >= _SHARE_AT_LEAST * facts["seen"])
    ]
    index = events.index[events["event_id"].isin(facts.index)]
    said = [
        f"{one.failing} of the {one.seen} devices that were heard of within {WINDOW_MINUTES} minutes failed alike, "
        f"on {one.networks} kind(s) of network."
        for one in facts.loc[events.loc[index, "event_id"]].itertuples()
    ]
    apply(found, pd.DataFrame({"cause": "server-unavailable", "confidence": 0.9, "said": said}, index=index))


_FACTS = """
WITH failing AS (SELECT DISTINCT device_id, time_bucket(to_minutes(CAST($minutes AS INTEGER)), occurred_at) AS slot
    FROM asked),
seen AS (
    SELECT time_bucket(to_minutes(CAST($minutes AS INTEGER)), started_at) AS slot, device_id, network_type
    FROM sync WHERE device_id IS NOT NULL
    UNION SELECT slot, device_id, NULL FROM failing
),
slots AS (
    SELECT f.slot, count(DISTINCT f.device_id) AS failing,
        (SELECT count(DISTINCT s.device_id) FROM seen AS s WHERE s.slot = f.slot) AS seen,
        (SELECT count(DISTINCT s.network_type) FROM seen AS s WHERE s.slot = f.slot) AS networks
    FROM failing AS f GROUP BY f.slot
)
SELECT a.event_id, s.failing, s.seen, s.networks
FROM asked AS a
JOIN slots AS s ON s.slot = time_bucket(to_minutes(CAST($minutes AS INTEGER)), a.occurred_at)
"""
