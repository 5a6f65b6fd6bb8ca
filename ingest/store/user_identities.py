"""Join rows that name a user by username, e-mail address or display name to the user's record.

Exports name users in four ways: by id, username, e-mail address or display name. A name that exactly one user of the
store has becomes the id of that user, and the name stays in `extra` as `user_as_written`. A name that no user or
several users have stays as it is, as an identity beside the ids.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

USER_COLUMNS = {
    "sync_tracking__v": "created_by__v",
    "sync_error": "user_id",
    "sync_detail": "user_id",
    "pending_record": "user_id",
    "device": "user_id",
}
"""The column of each table that names a user."""
AS_WRITTEN = "user_as_written"
"""The key of `extra` with the name that the source has for the user."""

_IDENTITIES = """
CREATE OR REPLACE TEMP TABLE user_identity AS
SELECT identity, any_value(user_id) AS user_id
FROM (
    SELECT user_id, lower(trim(unnest([
        name, email, json_extract_string(extra, '$."username__sys"'), json_extract_string(extra, '$."User Name"')
    ]))) AS identity
    FROM sync_user
)
WHERE identity <> '' AND identity NOT IN (SELECT lower(user_id) FROM sync_user)
GROUP BY identity
HAVING count(DISTINCT user_id) = 1
"""


def join_users(store: DuckDBPyConnection, table: str, *, rows: str | None = None) -> int:
    """Replace the names of users in a table by their ids, and return the number of rows.

    `rows` is another table with the same columns, such as the staging table.
    """
    column = USER_COLUMNS.get(table)
    if column is None or not store.execute("FROM sync_user LIMIT 1").fetchall():
        return 0
    store.execute(_IDENTITIES)
    updated = store.execute(
        f"UPDATE {rows or table} AS r SET {column} = i.user_id, "
        f"extra = json_merge_patch(coalesce(r.extra, '{{}}'), json_object($key, r.{column}))::VARCHAR "
        f"FROM user_identity AS i WHERE lower(trim(r.{column})) = i.identity AND r.{column} <> i.user_id",
        {"key": AS_WRITTEN},
    ).fetchone()
    return int(updated[0]) if updated else 0


def join_all_users(store: DuckDBPyConnection) -> int:
    """Replace the names of users in every table, after users were loaded; return the number of rows."""
    return sum(join_users(store, table) for table in USER_COLUMNS)
