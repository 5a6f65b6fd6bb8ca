"""One device, or everybody at once? Many devices that fail in the same minutes point to the server."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told

CAUSES = ("network", "server-unavailable")
WINDOW_MINUTES = 10
_DEVICES_AT_LEAST, _SHARE_AT_LEAST, _NETWORKS_AT_LEAST = 5, 0.5, 2
# To a device, a server that does not answer looks like a network that does not carry.
_OVER = {"server-unavailable": ("network",)}


def settle_crowds(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle between the way to the server and the server, where devices and their networks are known.

    The window of WINDOW_MINUTES slides by the minute; each error is judged by the one around it in which the
    largest crowd failed.
    """
    about = leaves_open(found, CAUSES) & found["cause"].isin(CAUSES) & events["device_id"].notna()
    if not about.any():
        return
    asked = events.loc[about, ["event_id", "device_id", "occurred_at"]]
    limits = {"devices": _DEVICES_AT_LEAST, "share": _SHARE_AT_LEAST, "networks": _NETWORKS_AT_LEAST}
    facts = ask(connection, _FACTS, asked, minutes=WINDOW_MINUTES, **limits)
    apply(found, told(asked, facts, ["event_id"]), _OVER)


# A window is named by the minute of its end: what happens at minute m is in the windows m .. m + width - 1.
# Only windows in which enough devices fail are looked at any further, which is few of them.
_FACTS = """
WITH failing AS (SELECT DISTINCT device_id, epoch_ms(occurred_at) // 60_000 AS minute FROM asked),
crowded AS (
    SELECT minute + step AS ends, count(DISTINCT device_id) AS failing
    FROM failing, range(CAST($minutes AS BIGINT)) AS steps(step)
    GROUP BY ends HAVING count(DISTINCT device_id) >= $devices
),
synced AS (
    SELECT DISTINCT epoch_ms(started_at) // 60_000 AS minute, device_id, network_type
    FROM sync WHERE device_id IS NOT NULL
    AND minute BETWEEN (SELECT min(ends) - $minutes FROM crowded) AND (SELECT max(ends) FROM crowded)
),
heard AS (
    SELECT c.ends, s.device_id, s.network_type, false AS failed
    FROM synced AS s, range(CAST($minutes AS BIGINT)) AS steps(step), crowded AS c WHERE c.ends = s.minute + step
    UNION ALL
    SELECT c.ends, f.device_id, NULL, true
    FROM failing AS f, range(CAST($minutes AS BIGINT)) AS steps(step), crowded AS c WHERE c.ends = f.minute + step
),
each_device AS (
    SELECT ends, device_id, bool_or(failed) AS failed,
        -- a device that had no network at all says nothing of the server
        list(DISTINCT network_type) FILTER (WHERE network_type <> 'none') AS networks
    FROM heard GROUP BY ends, device_id
),
windows AS (
    SELECT ends, count_if(failed) AS failing, count(*) AS seen,
        len(list_distinct(flatten(coalesce(list(networks) FILTER (WHERE failed AND networks IS NOT NULL), []))))
            AS networks
    FROM each_device GROUP BY ends
    HAVING count_if(failed) >= $share * count(*)
),
largest AS (
    SELECT a.event_id, max_by(w, (w.failing, -w.seen)) AS w
    FROM asked AS a, range(CAST($minutes AS BIGINT)) AS steps(step), windows AS w
    WHERE w.ends = epoch_ms(a.occurred_at) // 60_000 + step AND w.networks >= $networks
    GROUP BY a.event_id
)
SELECT event_id, 'server-unavailable' AS cause, 0.9 AS confidence,
    concat(w.failing, ' of the ', w.seen, ' devices that were heard of in the same ', $minutes,
        ' minutes did not get through, on ', w.networks, ' kinds of network.') AS said
FROM largest
"""
