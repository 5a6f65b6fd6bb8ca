-- title: Permission peers
-- reads: object-permission field-permission
-- decides: object-permission field-permission
-- overrules: nothing
-- key: error_type object field operation phase
-- why: If an error on one object and field affects only users with the same permission set, and users without that
--   set sync the same things, the permission set is the cause. Chance must not explain it, counted for all sets.
-- threshold: users = 3 users: the least number of affected users, and of unaffected users without the set.
-- threshold: share = 0.5 of the users with the set who synced: most of them must be affected.
-- threshold: chance = 0.01 probability: a random set fits in at most 1 % of cases, corrected for the number of sets.
WITH affected AS (
    SELECT error_type, object, field, operation, phase, user_id, min(occurred_at) AS since, max(occurred_at) AS until
    FROM candidate GROUP BY ALL
),
alike AS (
    SELECT error_type, object, field, operation, phase, count(DISTINCT user_id) AS affected,
        min(since) AS since, max(until) AS until
    FROM affected GROUP BY ALL
    HAVING count(DISTINCT user_id) >= $users
),
member AS (
    SELECT DISTINCT user_id, trim(unnest(string_split(permission_sets, ','))) AS permission_set
    FROM current_user_info WHERE permission_sets IS NOT NULL
),
synced AS (
    SELECT user_id, CAST(started_at AS DATE) AS day,
        bool_or(outcome = 'succeeded' AND coalesce(uploads, 1) > 0) AS succeeded
    FROM sync
    WHERE day BETWEEN (SELECT CAST(min(since) AS DATE) FROM alike) AND (SELECT max(until) FROM alike)
    AND user_id IN (SELECT user_id FROM member)
    GROUP BY ALL
),
active AS (
    SELECT a.error_type, a.object, a.field, a.operation, a.phase, s.user_id, bool_or(s.succeeded) AS succeeded
    FROM alike AS a JOIN synced AS s ON s.day BETWEEN CAST(a.since AS DATE) AND a.until GROUP BY ALL
    UNION ALL
    SELECT h.error_type, h.object, h.field, h.operation, h.phase, h.user_id, false FROM affected AS h
),
active_user AS (
    SELECT t.error_type, t.object, t.field, t.operation, t.phase, t.user_id, bool_or(t.succeeded) AS succeeded,
        bool_or(h.user_id IS NOT NULL) AS is_affected
    FROM active AS t LEFT JOIN affected AS h USING (error_type, object, field, operation, phase, user_id) GROUP BY ALL
),
user_count AS (
    SELECT error_type, object, field, operation, phase, count(*) AS users FROM active_user GROUP BY ALL
),
set_count AS (SELECT count(DISTINCT permission_set) AS sets FROM member),
holders AS (
    SELECT p.error_type, p.object, p.field, p.operation, p.phase, m.permission_set,
        count(*) AS holders, count_if(p.is_affected) AS affected_holders
    FROM active_user AS p JOIN member AS m ON m.user_id = p.user_id GROUP BY ALL
),
tested AS (
    SELECT h.*, a.affected, e.users, a.since,
        (SELECT count(*) FROM active_user AS p WHERE p.error_type = h.error_type AND p.object = h.object
            AND p.field = h.field AND p.operation = h.operation AND p.phase = h.phase
            AND p.succeeded AND NOT p.is_affected
            AND p.user_id NOT IN (SELECT user_id FROM member AS m WHERE m.permission_set = h.permission_set)
        ) AS unaffected_others,
        -- hypergeometric: the probability that all affected users have this set by chance
        exp(lgamma(h.holders + 1) - lgamma(h.holders - a.affected + 1)
            - lgamma(e.users + 1) + lgamma(e.users - a.affected + 1)) * s.sets AS chance
    FROM holders AS h JOIN alike AS a USING (error_type, object, field, operation, phase)
    JOIN user_count AS e USING (error_type, object, field, operation, phase), set_count AS s
    WHERE h.affected_holders = a.affected AND a.affected >= $share * h.holders
)
SELECT error_type, object, field, operation, phase,
    CASE WHEN field = '' THEN 'object-permission' ELSE 'field-permission' END AS cause, 0.85 AS confidence,
    concat('All ', affected, ' affected users have permission set ', permission_set, '. Of the users who synced in ',
        'the same period, ', holders - affected, ' others with it and ', unaffected_others,
        ' without it do not have this error.') AS evidence
FROM tested WHERE unaffected_others >= $users AND chance <= $chance
QUALIFY row_number() OVER (
    PARTITION BY error_type, object, field, operation, phase ORDER BY chance, permission_set) = 1
