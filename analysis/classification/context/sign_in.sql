-- title: Sign-in
-- reads: session-expired password-expired sign-in-failed
-- decides: password-expired sign-in-failed
-- overrules: nothing
-- key: event_id
-- why: A 401 without a message can mean an expired session, an expired password or a closed account. Changes of the
--   user account before the error decide first, then the message of another rejected sign-in of the same user. A
--   user who synced after an account change was not affected by it. The login audit names users by their user
--   name, which is their email address in a Vault; other sources use the id.
-- threshold: hours = 24 hours: an account rarely changes state twice in a day.
WITH unclear AS (
    SELECT event_id, user_id, occurred_at FROM candidate WHERE plain NOT IN ('password-expired', 'sign-in-failed')
),
changed AS (
    SELECT coalesce(json_extract_string(try_cast(extra AS JSON), '$.record_id'),
            nullif(regexp_extract(scope, '^user=(.+)$', 1), ''), target) AS user_id, changed_at, change_id,
        lower(concat_ws(' ', field, '=', after)) AS after
    FROM config_change WHERE kind = 'user'
),
-- the three account states that prevent a sign-in, and whether each change or snapshot sets or clears the state
account AS (
    SELECT user_id, changed_at, change_id, 'inactive' AS state,
        regexp_matches(after, '(\bactive\W+false|status\w*\W+inactive)') AS is_set FROM changed
    WHERE regexp_matches(after, '(\bactive\W+(true|false)|status\w*\W+(in)?active)')
    UNION ALL
    SELECT user_id, as_of, '', 'inactive', NOT active FROM sync_user WHERE active IS NOT NULL
    UNION ALL
    SELECT user_id, changed_at, change_id, 'locked', regexp_matches(after, '\block\w*\W+(true|yes)') FROM changed
    WHERE regexp_matches(after, '\block\w*\W+(true|yes|false|no)')
    UNION ALL
    SELECT user_id, changed_at, change_id, 'expired', regexp_matches(after, 'password\W?_?expired\W+(true|yes)')
    FROM changed WHERE regexp_matches(after, 'password\W?_?expired\W+(true|yes|false|no)')
),
latest AS (
    SELECT o.event_id, a.state, a.changed_at, a.is_set
    FROM unclear AS o JOIN account AS a ON a.user_id = o.user_id AND a.changed_at <= o.occurred_at
    QUALIFY row_number() OVER (PARTITION BY o.event_id, a.state ORDER BY a.changed_at DESC, a.change_id) = 1
),
last_sync AS (
    SELECT o.event_id, s.started_at
    FROM unclear AS o ASOF JOIN (SELECT user_id, started_at FROM sync WHERE outcome LIKE 'succeeded%') AS s
        ON s.user_id = o.user_id AND s.started_at <= o.occurred_at
),
current_state AS (
    SELECT l.event_id, l.state, l.changed_at
    FROM latest AS l LEFT JOIN last_sync AS s ON s.event_id = l.event_id
    WHERE l.is_set AND coalesce(s.started_at <= l.changed_at, true)
    QUALIFY row_number() OVER (PARTITION BY l.event_id ORDER BY l.changed_at DESC, l.state) = 1
),
rejected AS (
    SELECT p.event_id, coalesce(u.user_id, p.user_id) AS user_id, p.occurred_at, p.plain, e.message
    FROM candidate AS p JOIN sync_error AS e ON e.event_id = p.event_id
    LEFT JOIN current_user_info AS u ON lower(u.email) = lower(p.user_id)
    WHERE p.plain IN ('password-expired', 'sign-in-failed')
),
nearest AS (
    SELECT o.event_id, r.plain, r.message, r.occurred_at
    FROM unclear AS o JOIN rejected AS r ON r.user_id = o.user_id
        AND r.occurred_at BETWEEN o.occurred_at - to_hours(CAST($hours AS INTEGER))
            AND o.occurred_at + to_hours(CAST($hours AS INTEGER))
    QUALIFY row_number() OVER (PARTITION BY o.event_id
        ORDER BY abs(epoch(r.occurred_at) - epoch(o.occurred_at)), r.event_id) = 1
)
SELECT o.event_id,
    CASE d.state WHEN 'expired' THEN 'password-expired' WHEN 'inactive' THEN 'sign-in-failed'
        WHEN 'locked' THEN 'sign-in-failed' ELSE n.plain END AS cause,
    CASE WHEN d.state IN ('expired', 'inactive', 'locked') THEN 0.9 ELSE 0.8 END AS confidence,
    CASE d.state WHEN 'expired' THEN concat('The password of user ', o.user_id, ' has been expired since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC.')
        WHEN 'inactive' THEN concat('User ', o.user_id, ' has been inactive since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC or earlier.')
        WHEN 'locked' THEN concat('User ', o.user_id, ' has been locked since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC.')
        ELSE concat('Within ', $hours, ' hours, at ', strftime(n.occurred_at, '%Y-%m-%d %H:%M'),
            ' UTC, Vault rejected another sign-in of the same user with “', left(n.message, 80), '”.') END AS evidence
FROM unclear AS o LEFT JOIN current_state AS d USING (event_id) LEFT JOIN nearest AS n USING (event_id)
