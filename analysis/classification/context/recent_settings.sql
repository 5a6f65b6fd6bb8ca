-- title: Recent settings
-- reads: unknown
-- decides: app-outdated access-policy sync-configuration
-- overrules: nothing
-- key: error_type phase
-- why: If the only configuration change shortly before the first error is a setting, its name shows the cause of
--   download errors whose message explains nothing.
-- threshold: days = 2 days: settings reach devices with the next syncs, within two working days.
-- threshold: users = 2 users: an error of a single user needs no configuration change.
WITH started AS (
    SELECT error_type, phase, min(occurred_at) AS since, count(DISTINCT user_id) AS users FROM candidate GROUP BY ALL
),
before AS (
    SELECT b.error_type, b.phase, count(*) AS changes, any_value(c) AS c
    FROM started AS b JOIN config_change AS c
        ON c.changed_at <= b.since AND c.changed_at >= b.since - to_days(CAST($days AS INTEGER))
    WHERE b.users >= $users GROUP BY ALL
)
SELECT error_type, phase, 0.72 AS confidence,
    CASE WHEN regexp_matches(lower(c.target), 'version') THEN 'app-outdated'
        WHEN regexp_matches(lower(c.target), 'configuration_?mode') THEN 'access-policy'
        WHEN regexp_matches(lower(c.target), 'account|vmoc|sync|refresh|mobile_object')
            THEN 'sync-configuration' END AS cause,
    concat('The only configuration change in the ', $days, ' days before the first of these errors: setting ',
        c.target, coalesce(concat(' changed to ', left(c.after, 40)), ''), ' at ',
        strftime(c.changed_at, '%Y-%m-%d %H:%M'), ' UTC.') AS evidence
FROM before WHERE changes = 1 AND c.kind = 'setting'
