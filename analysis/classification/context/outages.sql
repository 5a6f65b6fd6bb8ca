-- title: Outages
-- reads: network server-unavailable
-- decides: server-unavailable
-- overrules: server-unavailable over network
-- key: event_id
-- why: To a device, a server that does not answer looks like a network without a connection. If many devices on
--   different networks fail in the same minutes, the server is the cause. The time window slides by the minute;
--   each error is judged by the window around it in which the most devices failed.
-- threshold: minutes = 10 minutes: long enough for retries of many devices, too short for unrelated failures.
-- threshold: devices = 5 devices: fewer can share one bad network.
-- threshold: share = 0.5 of the active devices: an outage affects at least half of them.
-- threshold: networks = 2 network types: on a single type the network can be the cause.
WITH failing AS (SELECT DISTINCT device_id, epoch_ms(occurred_at) // 60_000 AS minute FROM candidate),
-- A window is named after its last minute: minute m is in the windows m .. m + width - 1. Few windows have enough
-- failing devices, and only those are read any further.
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
active AS (
    SELECT c.ends, s.device_id, s.network_type, false AS failed
    FROM synced AS s, range(CAST($minutes AS BIGINT)) AS steps(step), crowded AS c WHERE c.ends = s.minute + step
    UNION ALL
    SELECT c.ends, f.device_id, NULL, true
    FROM failing AS f, range(CAST($minutes AS BIGINT)) AS steps(step), crowded AS c WHERE c.ends = f.minute + step
),
each_device AS (
    SELECT ends, device_id, bool_or(failed) AS failed,
        -- a device without any network is no evidence about the server
        list(DISTINCT network_type) FILTER (WHERE network_type <> 'none') AS networks
    FROM active GROUP BY ends, device_id
),
windows AS (
    SELECT ends, count_if(failed) AS failing, count(*) AS devices,
        len(list_distinct(flatten(coalesce(list(networks) FILTER (WHERE failed AND networks IS NOT NULL), []))))
            AS networks
    FROM each_device GROUP BY ends
    HAVING count_if(failed) >= $share * count(*)
),
largest AS (
    SELECT a.event_id, max_by(w, (w.failing, -w.devices)) AS w
    FROM candidate AS a, range(CAST($minutes AS BIGINT)) AS steps(step), windows AS w
    WHERE w.ends = epoch_ms(a.occurred_at) // 60_000 + step AND w.networks >= $networks
    GROUP BY a.event_id
)
SELECT event_id, 'server-unavailable' AS cause, 0.9 AS confidence,
    concat(w.failing, ' of the ', w.devices, ' devices active in the same ', $minutes,
        ' minutes could not connect, on ', w.networks, ' network types.') AS evidence
FROM largest
