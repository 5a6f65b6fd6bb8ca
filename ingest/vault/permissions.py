"""Read the permissions of one user for each combination of security profile and permission sets.

Vault's API documents the permissions of a user (`/objects/users/{id}/permissions`), but not the content of a
permission set. A pull therefore reads one user of each combination that syncs. If a user has exactly one
permission set, the permissions are stored under its name, otherwise under the security profile: they are then
the sum of the profile's permission sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.errors import VaultRefused
from ingest.readers.rows import RawRow, RowSource, cell_text
from ingest.vault.client import VaultClient
from ingest.vault.pull_report import Finding, Omission
from ingest.vault.pull_state import PullState
from ingest.vault.responses import ends_pull
from ingest.vault.timestamps import format_timestamp
from ingest.vault.vault_clock import VaultClock

MOST_COMBINATIONS = 50
"""Largest number of users that a pull reads, from the largest combinations first."""

TARGET = "permissions"
_GRANT_USERS = "Grant the service user Read on users and their permissions."
_VERBS = ("read", "create", "edit", "delete")
_HEADER = ["permission_set", "object", "field", "as_of", *(f"can_{verb}" for verb in _VERBS)]
_STATE = ("object", "field", *(f"can_{verb}" for verb in _VERBS))
_OF_OBJECT = re.compile(r"object\.(?P<object>\w+)\.object_actions")
# The documentation mentions a field variant, but not the position of the field in it.
_OF_FIELD = re.compile(
    r"object\.(?P<object>\w+)\.(?:(?P<field>\w+)\.field_actions|field_actions\.(?P<late>\w+))"
)


def pull_permissions(client: VaultClient, pull_state: PullState, clock: VaultClock) -> Iterator[Finding]:
    """Load the permissions of users who sync, if they differ from those in the store.

    A user whose permissions cannot be read is an omission; the others are still read.
    """
    with pull_state.open_store() as store:
        representatives = _representatives(store)
    if not representatives:
        yield "no permissions read: the store has no active user with a sync and a known permission set"
    if len(representatives) > MOST_COMBINATIONS:
        yield (
            f"{len(representatives) - MOST_COMBINATIONS} of {len(representatives)} combinations of security profile "
            f"and permission sets not read: a pull reads the {MOST_COMBINATIONS} with the most users"
        )
    for name, user_id in representatives[:MOST_COMBINATIONS]:
        try:
            listed = client.call("GET", f"/objects/users/{user_id}/permissions").data
        except VaultRefused as refused:
            if ends_pull(refused):
                raise
            yield Omission.from_error(TARGET, refused, f"permissions of {name}")
            continue
        rows = [{"permission_set": name, **grant} for grant in _grants(listed)]
        with pull_state.open_store() as store:
            stored = _stored_grants(store, name)
        if not rows:
            reason = "Vault lists no permission of the user"
            yield Omission(TARGET, f"permissions of {name}", reason, _GRANT_USERS)
            continue
        rows += [*_unlisted(stored, rows)]
        if {_state(row) for row in rows} != {_state(row) for row in stored}:
            as_of = format_timestamp(clock.now())
            cells = (RawRow(number, {**row, "as_of": as_of}) for number, row in enumerate(rows, start=1))
            yield pull_state.store_rows(
                RowSource(pull_state.source_name(TARGET), _HEADER, cells, decimal=".", time_zone="UTC")
            )


def _representatives(store: DuckDBPyConnection) -> list[tuple[str, str]]:
    rows = store.execute(
        """
        WITH latest AS (
            SELECT * FROM sync_user QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY as_of DESC) = 1
        )
        SELECT CASE WHEN permission_sets NOT LIKE '%,%' THEN permission_sets ELSE security_profile END AS granted_by,
            min(user_id)
        FROM latest
        WHERE coalesce(active, true) AND user_id IN (SELECT created_by__v FROM sync_tracking__v)
        GROUP BY granted_by HAVING granted_by IS NOT NULL ORDER BY count(*) DESC, granted_by
        """
    ).fetchall()
    # The id becomes part of an address, so it must be a plain word.
    return [(name, user_id) for name, user_id in rows if re.fullmatch(r"\w+", user_id)]


def _grants(listed: list[dict[str, Any]]) -> Iterator[dict[str, str | None]]:
    for entry in listed:
        name, verbs = str(entry.get("name__v") or ""), entry.get("permissions")
        if not name or not isinstance(verbs, Mapping):
            continue
        granted = {f"can_{verb}": cell_text(verbs.get(verb)) for verb in _VERBS}
        if match := _OF_OBJECT.fullmatch(name):
            yield {"object": match["object"], "field": "*", **granted}
        elif match := _OF_FIELD.fullmatch(name):
            yield {"object": match["object"], "field": match["field"] or match["late"], **granted}
        else:
            yield {"object": "application", "field": name.removeprefix("application."), **granted}


def _stored_grants(store: DuckDBPyConnection, name: str) -> list[dict[str, str | None]]:
    rows = store.execute(
        f"SELECT {', '.join(_STATE)} FROM permission_grant WHERE permission_set = $name "
        "QUALIFY row_number() OVER (PARTITION BY object, field ORDER BY as_of DESC) = 1",
        {"name": name},
    ).fetchall()
    return [{"permission_set": name, **dict(zip(_STATE, map(cell_text, row), strict=True))} for row in rows]


def _unlisted(
    stored: list[dict[str, str | None]], rows: list[dict[str, str | None]]
) -> Iterator[dict[str, str | None]]:
    # The meaning of a missing entry is not documented, so its permissions become unknown.
    listed = {(row["object"], row["field"]) for row in rows}
    for row in stored:
        if (row["object"], row["field"]) not in listed:
            yield row | dict.fromkeys((f"can_{verb}" for verb in _VERBS), None)


def _state(row: Mapping[str, str | None]) -> tuple[str | None, ...]:
    return tuple(row[column] for column in _STATE)
