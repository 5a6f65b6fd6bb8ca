"""What people who sync may do, as the permissions of one user for each combination of profile and sets.

Vault's API documents the rights of a user (`/objects/users/{id}/permissions`); the inside of a permission set
it does not. So a pull asks for one user of each combination that syncs. Where a user has one permission set
and it is known, the rights go under its name, otherwise under the security profile's: they are then the sum
of that profile's sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.errors import VaultRefused
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.store.batches import BatchReport, Clock
from ingest.vault.client import VaultClient
from ingest.vault.pull_state import PullState
from ingest.vault.timestamps import format_timestamp

MOST_COMBINATIONS = 50
"""A pull asks for no more users than this, those of the largest combinations first."""

_VERBS = ("read", "create", "edit", "delete")
_HEADER = ["permission_set", "object", "field", "as_of", *(f"can_{verb}" for verb in _VERBS)]
_STATE = ("object", "field", *(f"can_{verb}" for verb in _VERBS))
_OF_OBJECT = re.compile(r"object\.(?P<object>\w+)\.object_actions")
# Only that a field variant exists is documented, not where the field stands in it.
_OF_FIELD = re.compile(
    r"object\.(?P<object>\w+)\.(?:(?P<field>\w+)\.field_actions|field_actions\.(?P<late>\w+))"
)


def pull_permissions(client: VaultClient, books: PullState, clock: Clock) -> list[BatchReport]:
    """Take in the rights of those who sync, where they differ from what the store knows.

    Raises VaultRefused when our user may not ask for anybody's.
    """
    with books.open_store() as store:
        asked = _representatives(store)
    reports: list[BatchReport] = []
    for name, user_id in asked:
        try:
            listed = client.call("GET", f"/objects/users/{user_id}/permissions").data
        except VaultRefused as refused:
            if refused.type != "USER_NOT_FOUND":
                raise
            reports.append(books.record_empty_batch("permissions", f"not pulled for {name}: {refused}"))
            continue
        rows = [{"permission_set": name, **grant} for grant in _grants(listed)]
        with books.open_store() as store:
            known = _known(store, name)
        if rows:
            rows += [*_unlisted(known, rows)]
        if rows and {_state(row) for row in rows} != {_state(row) for row in known}:
            as_of = format_timestamp(clock())
            cells = (RawRow(number, {**row, "as_of": as_of}) for number, row in enumerate(rows, start=1))
            reports.append(books.store_rows(RowSource(books.source_name("permissions"), _HEADER, cells)))
    return reports


def _representatives(store: DuckDBPyConnection) -> list[tuple[str, str]]:
    found = store.execute(
        """
        WITH latest AS (
            SELECT * FROM sync_user QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY as_of DESC) = 1
        )
        SELECT CASE WHEN permission_sets NOT LIKE '%,%' THEN permission_sets ELSE security_profile END AS granted_by,
            min(user_id)
        FROM latest
        WHERE coalesce(active, true) AND user_id IN (SELECT created_by__v FROM sync_tracking__v)
        GROUP BY granted_by HAVING granted_by IS NOT NULL ORDER BY count(*) DESC, granted_by LIMIT $most
        """,
        {"most": MOST_COMBINATIONS},
    ).fetchall()
    # An id goes into an address; whatever else came as one is nobody to ask for.
    return [(name, user_id) for name, user_id in found if re.fullmatch(r"\w+", user_id)]


def _grants(listed: list[dict[str, Any]]) -> Iterator[dict[str, str | None]]:
    for entry in listed:
        name, verbs = str(entry.get("name__v") or ""), entry.get("permissions")
        if not name or not isinstance(verbs, Mapping):
            continue
        granted = {f"can_{verb}": cell_text(verbs.get(verb)) for verb in _VERBS}
        if found := _OF_OBJECT.fullmatch(name):
            yield {"object": found["object"], "field": "*", **granted}
        elif found := _OF_FIELD.fullmatch(name):
            yield {"object": found["object"], "field": found["field"] or found["late"], **granted}
        else:
            yield {"object": "application", "field": name.removeprefix("application."), **granted}


def _known(store: DuckDBPyConnection, name: str) -> list[dict[str, str | None]]:
    found = store.execute(
        f"SELECT {', '.join(_STATE)} FROM permission_grant WHERE permission_set = $name "
        "QUALIFY row_number() OVER (PARTITION BY object, field ORDER BY as_of DESC) = 1",
        {"name": name},
    ).fetchall()
    return [{"permission_set": name, **dict(zip(_STATE, map(cell_text, row), strict=True))} for row in found]


def _unlisted(
    known: list[dict[str, str | None]], rows: list[dict[str, str | None]]
) -> Iterator[dict[str, str | None]]:
    # What a missing entry means is not documented, so what was known of it is unknown from now on.
    listed = {(row["object"], row["field"]) for row in rows}
    for row in known:
        if (row["object"], row["field"]) not in listed:
            yield row | dict.fromkeys((f"can_{verb}" for verb in _VERBS), None)


def _state(row: Mapping[str, str | None]) -> tuple[str | None, ...]:
    return tuple(row[column] for column in _STATE)
