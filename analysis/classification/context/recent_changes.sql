-- title: Recent changes
-- reads: unknown
-- decides: server-automation validation-rule schema-mismatch required-field picklist-value sync-configuration
-- overrules: nothing
-- key: event_id
-- why: The only configuration change on the object in the days before the first error explains errors whose message
--   explains nothing. Changes of the error's own field have priority over those of the whole object. A change that
--   was reverted before the first error does not count. Errors that recur after a pause count as new errors.
-- threshold: days = 7 days: errors from a change start within a week, when most devices have synced.
-- threshold: pause = 3 days: a shorter pause can be a weekend.
-- threshold: users = 2 users: an error of a single user needs no configuration change.
WITH paced AS (
    SELECT *, occurred_at - lag(occurred_at) OVER (
        PARTITION BY error_type, object, field, operation, phase ORDER BY occurred_at) AS pause
    FROM candidate
),
episodes AS (
    SELECT *, count(*) FILTER (pause > to_days(CAST($pause AS INTEGER))) OVER (
        PARTITION BY error_type, object, field, operation, phase ORDER BY occurred_at) AS episode
    FROM paced
),
started AS (
    SELECT error_type, object, field, operation, phase, episode, min(occurred_at) AS since,
        count(DISTINCT user_id) AS users
    FROM episodes GROUP BY ALL HAVING count(DISTINCT user_id) >= $users
),
changed AS (
    SELECT *, lower(coalesce(after, '')) AS new_value, coalesce(field, '') IN ('', '*') AS whole,
        lead(changed_at) OVER (PARTITION BY kind, target, object, field ORDER BY changed_at, change_id) AS next_at,
        lead(after) OVER (PARTITION BY kind, target, object, field ORDER BY changed_at, change_id) AS next_value
    FROM config_change
),
fitting AS (
    SELECT b.*, c.kind, c.target, c.changed_at, c.change_id, c.whole,
        CASE WHEN regexp_matches(lower(c.kind), 'trigger|workflow|flow|action|automation|job|sdk')
                    AND NOT regexp_matches(c.new_value, 'active=false') AND b.phase = 'upload' THEN 'server-automation'
            WHEN c.kind = 'validation_rule' AND NOT regexp_matches(c.new_value, 'active=false') THEN 'validation-rule'
            WHEN c.kind = 'field' AND c.after IS NULL THEN 'schema-mismatch'
            WHEN c.kind = 'field' AND regexp_matches(c.new_value, 'required.{0,3}(true|yes)') THEN 'required-field'
            WHEN c.kind = 'picklist' OR c.kind = 'field' AND regexp_matches(c.new_value, 'picklist|values')
                THEN 'picklist-value'
            WHEN c.kind = 'vmoc' AND b.phase IN ('download', 'apply') THEN 'sync-configuration' END AS cause
    FROM started AS b JOIN changed AS c ON c.object = b.object AND (c.whole OR c.field = b.field)
        AND c.changed_at BETWEEN b.since - to_days(CAST($days AS INTEGER)) AND b.since
    WHERE NOT coalesce(c.next_at <= b.since AND c.next_value IS NOT DISTINCT FROM c.before, false)
        AND NOT regexp_matches(c.new_value, 'active=false')
    QUALIFY c.whole = bool_and(c.whole) OVER (
        PARTITION BY b.error_type, b.object, b.field, b.operation, b.phase, b.episode)
),
answer AS (
    SELECT error_type, object, field, operation, phase, episode, min(cause) AS cause,
        concat('The only change on ', object, CASE WHEN any_value(whole) THEN '' ELSE '.' || field END, ' in the ',
            $days, ' days before the first of these errors: ', min(kind), ' ', min(target), ' at ',
            strftime(max(changed_at), '%Y-%m-%d %H:%M'), ' UTC.') AS evidence
    FROM fitting GROUP BY error_type, object, field, operation, phase, episode
    HAVING count(DISTINCT (kind, target)) = 1 AND count(DISTINCT cause) = 1 AND bool_and(cause IS NOT NULL)
)
SELECT e.event_id, v.cause, 0.72 AS confidence, v.evidence
FROM episodes AS e JOIN answer AS v USING (error_type, object, field, operation, phase, episode)
