"""Why is the user not let in? A bare 401 says nothing; the user's account and other sign-ins of that day may."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import HINT, apply, ask, told, vague

CAUSES = ("session-expired", "password-expired", "sign-in-failed")
HOURS = 24


def settle_signins(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle between an ended session, an expired password and an account that is shut, user by user.

    First what was done to the account before the error (changes, snapshots of users), then how Vault worded
    its refusal of another sign-in of the same user within HOURS.
    """
    open_ = vague(found) | found["also"].map(bool)
    # In the middle of work a 401 means that the session has ended, whatever has become of the account.
    signing_in = events["operation"].eq("sign_in") | (
        events["phase"].eq("connect") & found["cause"].isin(CAUSES[1:])
    )
    about = open_ & (found["cause"].isin(CAUSES) | vague(found)) & signing_in & events["user_id"].notna()
    if not about.any():
        return
    asked = events.loc[about, ["event_id", "user_id", "occurred_at"]].assign(plain="")
    said = found["cause"].isin(CAUSES[1:]) & (found["confidence"] > HINT) & ~about & events["user_id"].notna()
    plain = events.loc[said, ["event_id", "user_id", "occurred_at"]].assign(plain=found.loc[said, "cause"])
    both = pd.concat([asked, plain])
    facts = ask(connection, _FACTS, both, hours=HOURS)
    apply(found, told(asked, facts, ["event_id"]))


# The login audit names people by their user name, which is their e-mail address in a Vault; others by id.
_FACTS = r"""
WITH opened AS (
    SELECT event_id, user_id, occurred_at FROM asked WHERE plain NOT IN ('password-expired', 'sign-in-failed')
),
changed AS (
    SELECT coalesce(json_extract_string(try_cast(extra AS JSON), '$.record_id'),
            nullif(regexp_extract(scope, '^user=(.+)$', 1), ''), target) AS user_id, changed_at, change_id,
        lower(concat_ws(' ', field, '=', after)) AS after
    FROM config_change WHERE kind = 'user'
),
-- what is wrong with an account, and the last word on each of the three things that may be
account AS (
    SELECT user_id, changed_at, change_id, 'inactive' AS state,
        regexp_matches(after, '(\bactive\W+false|status\w*\W+inactive)') AS holds FROM changed
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
last_word AS (
    SELECT o.event_id, a.state, a.changed_at, a.holds
    FROM opened AS o JOIN account AS a ON a.user_id = o.user_id AND a.changed_at <= o.occurred_at
    QUALIFY row_number() OVER (PARTITION BY o.event_id, a.state ORDER BY a.changed_at DESC, a.change_id) = 1
),
-- who has synced since was let in since, whatever the trail leaves out
let_in AS (
    SELECT o.event_id, s.started_at
    FROM opened AS o ASOF JOIN (SELECT user_id, started_at FROM sync WHERE outcome LIKE 'succeeded%') AS s
        ON s.user_id = o.user_id AND s.started_at <= o.occurred_at
),
done AS (
    SELECT w.event_id, w.state, w.changed_at
    FROM last_word AS w LEFT JOIN let_in AS l ON l.event_id = w.event_id
    WHERE w.holds AND coalesce(l.started_at <= w.changed_at, true)
    QUALIFY row_number() OVER (PARTITION BY w.event_id ORDER BY w.changed_at DESC, w.state) = 1
),
refused AS (
    SELECT p.event_id, coalesce(u.user_id, p.user_id) AS user_id, p.occurred_at, p.plain, e.message
    FROM asked AS p JOIN sync_error AS e ON e.event_id = p.event_id
    LEFT JOIN current_user_info AS u ON lower(u.email) = lower(p.user_id)
    WHERE p.plain IN ('password-expired', 'sign-in-failed')
),
worded AS (
    SELECT o.event_id, r.plain, r.message, r.occurred_at
    FROM opened AS o JOIN refused AS r ON r.user_id = o.user_id
        AND r.occurred_at BETWEEN o.occurred_at - to_hours(CAST($hours AS INTEGER))
            AND o.occurred_at + to_hours(CAST($hours AS INTEGER))
    QUALIFY row_number() OVER (PARTITION BY o.event_id
        ORDER BY abs(epoch(r.occurred_at) - epoch(o.occurred_at)), r.event_id) = 1
)
SELECT o.event_id,
    CASE d.state WHEN 'expired' THEN 'password-expired' WHEN 'inactive' THEN 'sign-in-failed'
        WHEN 'locked' THEN 'sign-in-failed' ELSE w.plain END AS cause,
    CASE WHEN d.state IN ('expired', 'inactive', 'locked') THEN 0.9 ELSE 0.8 END AS confidence,
    CASE d.state WHEN 'expired' THEN concat('The password of user ', o.user_id, ' has been expired since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC.')
        WHEN 'inactive' THEN concat('User ', o.user_id, ' has been inactive since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC at the latest.')
        WHEN 'locked' THEN concat('User ', o.user_id, ' has been locked out since ',
            strftime(d.changed_at, '%Y-%m-%d %H:%M'), ' UTC.')
        ELSE concat('Within ', $hours, ' hours, at ', strftime(w.occurred_at, '%Y-%m-%d %H:%M'),
            ' UTC, Vault refused the same user with “', left(w.message, 80), '”.') END AS said
FROM opened AS o LEFT JOIN done AS d USING (event_id) LEFT JOIN worded AS w USING (event_id)
"""
