-- title: Device clock
-- reads: date-limit
-- decides: device-clock
-- overrules: device-clock over date-limit
-- key: event_id
-- why: Vault writes created_date__v when it saves a sync record; the device writes the start. A difference of hours
--   means a wrong clock. Two such syncs are needed, because one may have waited. Errors carry the device's time: a
--   rejected date that is allowed at the error's own time proves that the clock was wrong then. If no date is named,
--   or errors carry Vault's time, the syncs just before and after must be off. A record of the wrong days that is
--   rejected again after the clock was corrected stays a date limit.
-- threshold: ahead = 1 hour: no sync record is saved before its start, so a start one hour later is a clock.
-- threshold: behind = 72 hours: a Non-Blocking Sync can run for most of a day, so only days mean a wrong clock.
WITH synced AS (
    SELECT d.device_id, t.created_date__v AS saved, t.sync_start_datetime__v AS started,
        date_diff('minute', t.created_date__v, t.sync_start_datetime__v) / 60 AS hours,
        hours >= $ahead AS ahead, hours <= -$behind AS behind, ahead OR behind AS off
    FROM sync_tracking__v AS t JOIN sync_detail AS d ON d.sync_id = t.id
    WHERE t.created_date__v IS NOT NULL AND d.device_id IN (SELECT device_id FROM candidate)
),
skewed AS (
    SELECT device_id,
        CASE WHEN count_if(ahead) >= 2 THEN median(hours) FILTER (WHERE ahead) END AS ahead,
        CASE WHEN count_if(behind) >= 2 THEN median(hours) FILTER (WHERE behind) END AS behind
    FROM synced GROUP BY device_id HAVING count_if(ahead) >= 2 OR count_if(behind) >= 2
),
unclear AS (
    SELECT a.event_id, a.device_id, a.occurred_at AS at,
        -- a clock that is ahead dates records into the future, one that is behind into the past
        regexp_matches(lower(coalesce(a.message, '')), 'future|zukunft|futur|将来|未来|later than') AS future,
        CASE WHEN future THEN s.ahead ELSE s.behind END AS hours,
        try_cast(nullif(regexp_extract(a.message, '\d{4}-\d\d-\d\d'), '') AS DATE) AS date_in_message,
        date_diff('day', date_in_message, CAST(a.occurred_at AS DATE)) AS age,
        coalesce(try_cast(nullif(regexp_extract(lower(a.message),
            '(\d{1,3})\]?\s*(?:day|tag|jour|d[ií]a|giorn|日|天)', 1), '') AS INTEGER), 0) AS allowed_days
    FROM candidate AS a JOIN skewed AS s ON s.device_id = a.device_id
    WHERE CASE WHEN future THEN s.ahead ELSE s.behind END IS NOT NULL
),
surrounded AS (
    SELECT o.*,
        coalesce(CASE WHEN future THEN age >= -1 ELSE age BETWEEN 0 AND greatest(allowed_days, 1) END, false)
            AS contradicts,
        -- a wrong clock stays wrong by the same amount; a sync that started long before it was saved does not
        before.off AND after.off AND abs(before.hours - after.hours) < 2 AS off_around,
        before.off AS off_before, after.off AS off_after,
        earlier.off AS started_off_before, later.off AS started_off_after
    FROM unclear AS o
    ASOF LEFT JOIN synced AS before ON before.device_id = o.device_id AND before.saved <= o.at
    ASOF LEFT JOIN synced AS after ON after.device_id = o.device_id AND after.saved >= o.at
    ASOF LEFT JOIN synced AS earlier ON earlier.device_id = o.device_id AND earlier.started <= o.at
    ASOF LEFT JOIN synced AS later ON later.device_id = o.device_id AND later.started >= o.at
)
SELECT event_id, 'device-clock' AS cause, 0.95 AS confidence,
    concat('The clock of device ', device_id, ' was ', printf('%+.0f', hours),
        ' h off: its syncs start that far from the time at which Vault saved them',
        CASE WHEN contradicts THEN
            concat(', and at the device time of this error the rejected date ',
                strftime(date_in_message, '%Y-%m-%d'), ' is allowed.')
            ELSE ', also around this error.' END) AS evidence
FROM surrounded
WHERE contradicts OR off_around
    OR date_in_message IS NULL
        AND (off_before AND off_after IS NULL OR started_off_before AND coalesce(started_off_after, true))
