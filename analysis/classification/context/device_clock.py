"""The clock of a device: a date limit that one device alone meets may be its clock's doing."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, told

_OVER = {"device-clock": ("date-limit",)}


def settle_clocks(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Call a date limit the clock's doing where the device's clock was hours off when the error was met.

    A clock may be right again when a record of its wrong days is refused once more; the clock is then no
    longer what has to be put right, so such an error stays a date limit.
    """
    about = (found["cause"] == "date-limit") & events["device_id"].notna()
    if not about.any():
        return
    asked = events.loc[about, ["event_id", "device_id", "occurred_at", "message"]]
    facts = ask(connection, _FACTS, asked, future=_FUTURE, days=_DAYS)
    apply(found, told(asked, facts, ["event_id"]), _OVER)


_FUTURE = r"future|zukunft|futur|将来|未来|later than"
_DAYS = r"(\d{1,3})\]?\s*(?:day|tag|jour|d[ií]a|giorn|日|天)"

# Vault stamps `created_date__v` when it saves the record; the device stamps the start. Hours apart is a clock,
# and two such syncs are needed, because one may have waited. A non-blocking sync may take most of a day, so a
# clock that is behind has to be so by days; backdate limits count days anyway.
#
# Errors carry the device's time. A date that Vault takes for the future and that is none by the error's own
# time proves the clock wrong then and there, and so does one that Vault takes for too old. Where no date is
# named, or the time of errors is Vault's, the syncs just before and after have to be off.
_FACTS = r"""
WITH synced AS (
    SELECT d.device_id, t.created_date__v AS saved, t.sync_start_datetime__v AS started,
        date_diff('minute', t.created_date__v, t.sync_start_datetime__v) / 60 AS hours,
        hours >= 1 AS ahead, hours <= -72 AS behind, ahead OR behind AS off
    FROM sync_tracking__v AS t JOIN sync_detail AS d ON d.sync_id = t.id
    WHERE t.created_date__v IS NOT NULL AND d.device_id IN (SELECT device_id FROM asked)
),
skewed AS (
    SELECT device_id,
        CASE WHEN count_if(ahead) >= 2 THEN median(hours) FILTER (WHERE ahead) END AS ahead,
        CASE WHEN count_if(behind) >= 2 THEN median(hours) FILTER (WHERE behind) END AS behind
    FROM synced GROUP BY device_id HAVING count_if(ahead) >= 2 OR count_if(behind) >= 2
),
open_ AS (
    SELECT a.event_id, a.device_id, a.occurred_at AS at,
        -- a clock that is ahead dates records into the future, one that is behind into the past
        regexp_matches(lower(coalesce(a.message, '')), $future) AS future,
        CASE WHEN future THEN s.ahead ELSE s.behind END AS hours,
        try_cast(nullif(regexp_extract(a.message, '\d{4}-\d\d-\d\d'), '') AS DATE) AS named,
        date_diff('day', named, CAST(a.occurred_at AS DATE)) AS age,
        coalesce(try_cast(nullif(regexp_extract(lower(a.message), $days, 1), '') AS INTEGER), 0) AS allowed
    FROM asked AS a JOIN skewed AS s ON s.device_id = a.device_id
    WHERE CASE WHEN future THEN s.ahead ELSE s.behind END IS NOT NULL
),
around AS (
    SELECT o.*,
        coalesce(CASE WHEN future THEN age >= -1 ELSE age BETWEEN 0 AND greatest(allowed, 1) END, false)
            AS contradicts,
        -- a wrong clock stays wrong by the same; a sync that began long before it was saved does not
        before.off AND after.off AND abs(before.hours - after.hours) < 2 AS off_around,
        before.off AS off_before, after.off AS off_after,
        earlier.off AS begun_off_before, later.off AS begun_off_after
    FROM open_ AS o
    ASOF LEFT JOIN synced AS before ON before.device_id = o.device_id AND before.saved <= o.at
    ASOF LEFT JOIN synced AS after ON after.device_id = o.device_id AND after.saved >= o.at
    ASOF LEFT JOIN synced AS earlier ON earlier.device_id = o.device_id AND earlier.started <= o.at
    ASOF LEFT JOIN synced AS later ON later.device_id = o.device_id AND later.started >= o.at
)
SELECT event_id, 'device-clock' AS cause, 0.95 AS confidence,
    concat('The clock of device ', device_id, ' was ', printf('%+.0f', hours),
        ' h off: its syncs carry a start that far from the time at which Vault saved them',
        CASE WHEN contradicts THEN
            concat(', and by the time of this error the refused date ', strftime(named, '%Y-%m-%d'), ' is allowed.')
            ELSE ', around this error too.' END) AS said
FROM around
WHERE contradicts OR off_around
    OR named IS NULL AND (off_before AND off_after IS NULL OR begun_off_before AND coalesce(begun_off_after, true))
"""
