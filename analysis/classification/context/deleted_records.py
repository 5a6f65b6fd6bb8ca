"""Is the record still there? What the store knows as deleted or merged away explains "no access" and "not found"."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told, vague

CAUSES = ("record-deleted", "record-visibility", "invalid-reference")
# To a user without a view of it, a record that is gone and one that is out of sight look the same.
_OVER = {"record-deleted": ("record-visibility", "object-permission")}


def settle_lost(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle errors about records of which a deletion or a merge before the error is known.

    Looks at the record of the error and at those that its message or payload refers to. Deletions are known
    from lists of deletions, and from changes that name the record they deleted or merged away.
    """
    # A rule that is sure and names nothing beside its cause has understood the message; it can be confirmed only.
    plain = ~found["also"].map(bool) & ~vague(found)
    about = leaves_open(found, CAUSES) & (~plain | (found["cause"] == "record-deleted"))
    if not about.any():
        return
    asked = events.loc[about, ["event_id", "occurred_at"]]
    # Many records refer to one that is gone and have other troubles: words have to speak of records first.
    of_records = found["also"].map(lambda also: not frozenset(CAUSES).isdisjoint(also)) | found["cause"].isin(
        CAUSES
    )
    asked["refers"] = of_records[about]
    apply(found, told(asked, ask(connection, _FACTS, asked), ["event_id"]), _OVER)


# Ids are letters and digits; quotes, brackets and blanks end them.
_FACTS = r"""
WITH gone AS (
    SELECT id, min(deleted_at) AS gone_at, NULL AS into_ FROM tombstone GROUP BY id
    UNION ALL
    SELECT coalesce(json_extract_string(try_cast(extra AS JSON), '$.record_id'),
            CASE WHEN kind = 'object' THEN before END) AS id,
        changed_at,
        CASE WHEN regexp_matches(said, 'merg') THEN after END
    FROM (SELECT *, lower(concat_ws(' ', detail, json_extract_string(try_cast(extra AS JSON), '$.action'))) AS said
        FROM config_change)
    WHERE regexp_matches(said, '\b(merg|delet)') AND id IS NOT NULL AND coalesce(after, '') <> id
),
first_gone AS (
    SELECT id, min(gone_at) AS gone_at, arg_min(into_, gone_at) AS into_ FROM gone
    WHERE length(id) >= 6 AND regexp_matches(id, '\d') GROUP BY id
),
known AS (
    SELECT a.event_id, a.occurred_at, a.refers, e.record_id, concat_ws(' ', e.message,
            -- an error about one field is about what that field refers to
            CASE WHEN e.field IS NULL THEN e.payload
                ELSE json_extract_string(try_cast(e.payload AS JSON), concat('$."', e.field, '"')) END) AS told
    FROM asked AS a JOIN sync_error AS e ON e.event_id = a.event_id
    WHERE EXISTS (FROM first_gone)
),
named AS (
    SELECT event_id, occurred_at, record_id AS id, true AS itself FROM known
    UNION ALL
    SELECT event_id, occurred_at, unnest(list_distinct(regexp_extract_all(told, '[0-9A-Za-z]{6,40}'))), false
    FROM known WHERE refers
),
settled AS (
    SELECT n.event_id, max_by(g, (n.itself, g.gone_at)) AS g, bool_or(n.itself) AS itself
    FROM named AS n JOIN first_gone AS g ON g.id = n.id AND g.gone_at <= n.occurred_at GROUP BY n.event_id
)
SELECT event_id, 'record-deleted' AS cause, CASE WHEN itself THEN 0.95 ELSE 0.85 END AS confidence,
    concat('Record ', g.id, coalesce(' was merged into ' || g.into_, ' was deleted'), ' at ',
        strftime(g.gone_at, '%Y-%m-%d %H:%M'), ' UTC, before the error.') AS said
FROM settled
"""
