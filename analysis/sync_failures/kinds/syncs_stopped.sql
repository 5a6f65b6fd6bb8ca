-- title: Users stopped syncing
-- noun: users without a sync
-- compare: listed
-- users: 3
-- failures: no
-- lasts: yes
-- changes: user permission_set app_version setting
-- causes: sign-in-failed password-expired access-policy network
-- open: Whether these users are absent, cannot sign in, lost the device, or only use Autosync, which is not tracked.
-- The last sync of each user whose syncs stopped: none for three working days (days on which a third of the users
-- synced) and for twice the user's longest earlier pause, in working days. Five days if the user synced on fewer than
-- five days before.
WITH day_count AS (
    SELECT cast(started_at AS DATE) AS day, count(DISTINCT who) AS users FROM judged_sync GROUP BY day
),
working_day AS (
    SELECT day, row_number() OVER (ORDER BY day) AS number
    FROM day_count
    WHERE users * 3 >= (SELECT quantile_cont(users, 0.9) FROM day_count)
),
user_day AS (
    SELECT s.who, max(w.number) AS number
    FROM judged_sync AS s
    ASOF JOIN working_day AS w ON cast(s.started_at AS DATE) >= w.day
    GROUP BY s.who, cast(s.started_at AS DATE)
),
pause AS (
    SELECT who, number, number - lag(number) OVER (PARTITION BY who ORDER BY number) AS days FROM user_day
),
stopped AS (
    SELECT who
    FROM pause
    GROUP BY who
    HAVING count(*) >= 2
        AND (SELECT max(number) FROM working_day) - max(number)
            >= greatest(CASE WHEN count(*) >= 5 THEN 3 ELSE 5 END, 2 * coalesce(max(days), 1))
)
SELECT arg_max(s.sync_id, (s.started_at, s.sync_id)) AS sync_id, true AS starts
FROM judged_sync AS s JOIN stopped AS p ON p.who = s.who
GROUP BY s.who
