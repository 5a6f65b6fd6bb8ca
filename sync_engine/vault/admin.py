"""Configuration changes by administrators. Each has an id and an entry in the audit trail.

Changes of permissions, users, rules and objects apply immediately. As Vault documents, VMOCs and settings reach
devices only when the cache is cleared; see the `publish` argument of `change_configuration`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.telemetry import ConfigChange
from sync_engine.vault import records
from sync_engine.vault.state import Vault


def change_configuration(
    vault: Vault,
    kind: str,
    target: str,
    doc: JsonDict | None,
    *,
    at: float,
    by: str = "admin",
    object_name: str | None = None,
    field: str | None = None,
    scope: str | None = None,
    before: object = None,
    after: object = None,
    detail: str | None = None,
    publish: bool = True,
) -> str:
    """Change one configuration entry and return the id of its audit trail entry."""
    with vault.transaction():
        vault.configure(kind, target, doc)
        change_id = write_audit_entry(
            vault, kind, target, at=at, by=by, object_name=object_name, field=field, scope=scope,
            before=before, after=after, detail=detail,
        )  # fmt: skip
        if publish:
            vault.publish()
    return change_id


def write_audit_entry(
    vault: Vault,
    kind: str,
    target: str,
    *,
    at: float,
    by: str,
    object_name: str | None = None,
    field: str | None = None,
    scope: str | None = None,
    before: object = None,
    after: object = None,
    detail: str | None = None,
) -> str:
    """Write an audit trail entry, without changing the configuration, and return its id."""
    change_id = f"c-{short_hash(vault.next_value('change'), kind, target, object_name, field, at)}"
    entry = ConfigChange(
        change_id=change_id,
        changed_at=datetime.fromtimestamp(round(at, 3), UTC),
        changed_by=by,
        kind=kind,
        target=target,
        object=object_name,
        field=field,
        scope=scope,
        before=None if before is None else str(before),
        after=None if after is None else str(after),
        detail=detail,
    )
    doc = asdict(entry) | {"changed_at": at}
    vault.db.execute("INSERT INTO audit VALUES (?, ?, ?)", (change_id, at, to_json(doc)))
    return change_id


def audit_trail(vault: Vault, since: float = 0.0) -> Iterator[ConfigChange]:
    """Yield the audit trail entries after a time, oldest first."""
    rows = vault.db.execute("SELECT doc FROM audit WHERE at > ? ORDER BY at, change_id", (since,))
    for (text,) in rows.fetchall():
        doc = from_json(text)
        yield ConfigChange(**doc | {"changed_at": datetime.fromtimestamp(round(doc["changed_at"], 3), UTC)})


def set_object_permission(
    vault: Vault, name: str, object_name: str, right: str, allowed: bool, *, at: float
) -> str:
    """Grant or revoke an object permission in a permission set."""
    doc = copy.deepcopy(vault.live["permission_set"][name])
    rights = doc["objects"].setdefault(object_name, {})
    before = rights.get(right, True)
    rights[right] = allowed
    return change_configuration(
        vault, "permission_set", name, doc, at=at, object_name=object_name, scope=f"permission_set={name}",
        before=f"{right}={before}", after=f"{right}={allowed}",
        detail=f"object permission {right} on {object_name}",
    )  # fmt: skip


def set_field_permission(  # noqa: PLR0917
    vault: Vault, name: str, object_name: str, field: str, right: str, allowed: bool, *, at: float
) -> str:
    """Grant or revoke Read or Edit permission on a field in a permission set."""
    doc = copy.deepcopy(vault.live["permission_set"][name])
    rights = doc["fields"].setdefault(object_name, {}).setdefault(field, {})
    before = rights.get(right, True)
    rights[right] = allowed
    return change_configuration(
        vault, "permission_set", name, doc, at=at, object_name=object_name, field=field,
        scope=f"permission_set={name}", before=f"{right}={before}", after=f"{right}={allowed}",
        detail=f"field permission {right} on {object_name}.{field}",
    )  # fmt: skip


def set_application_permission(vault: Vault, name: str, key: str, value: bool, *, at: float) -> str:
    """Set `metadata_api` or `api` in the Application tab of a permission set."""
    doc = vault.live["permission_set"][name]
    return change_configuration(
        vault, "permission_set", name, doc | {key: value}, at=at, scope=f"permission_set={name}",
        field=key, before=doc[key], after=value, detail=f"application permission {key}",
    )  # fmt: skip


def set_field(vault: Vault, object_name: str, field: str, spec: JsonDict | None, *, at: float) -> str:
    """Add or change a field of an object. A `spec` of None removes the field."""
    doc = copy.deepcopy(vault.live["object"][object_name])
    before = doc["fields"].pop(field, None)
    if spec is not None:
        doc["fields"][field] = spec
    with vault.transaction():
        vault.configure("object", object_name, doc)
        change_id = write_audit_entry(
            vault, "field", object_name, at=at, by="admin", object_name=object_name, field=field,
            before=before, after=spec, detail=f"field {object_name}.{field}",
        )  # fmt: skip
        vault.publish()
    return change_id


def set_setting(vault: Vault, name: str, value: object, *, at: float) -> str:
    """Change a setting and clear the cache, so that it reaches devices."""
    before = vault.setting(name)
    return change_configuration(vault, "setting", name, {"value": value}, at=at, before=before, after=value)


def set_profile_setting(vault: Vault, name: str, profile: str, value: object, *, at: float) -> str:
    """Set the value of a setting for one application profile."""
    target = f"{name}/{profile}"
    before = vault.live.get("profile_setting", {}).get(target, {}).get("value")
    doc = {"name": name, "value": value, "application_profile": profile}
    return change_configuration(
        vault, "profile_setting", target, doc, at=at, scope=f"profile={profile}", before=before, after=value
    )


def clear_cache(vault: Vault, *, at: float, by: str = "admin") -> str:
    """Clear the cache, which publishes changed VMOCs and settings to devices."""
    with vault.transaction():
        vault.publish()
        return write_audit_entry(vault, "cache", "Vault CRM cache", at=at, by=by, detail="cache cleared")


def set_user(
    vault: Vault, user_id: str, by: str = "admin", /, *, at: float, quiet: bool = False, **values: object
) -> str | None:
    """Change a user in the name of `by` and return the id of the audit trail entry.

    `quiet` writes no entry, for changes that are no configuration, such as a new password. Returns None then.
    """
    before = vault.live["user"][user_id]
    doc = before | values
    if quiet:
        with vault.transaction():
            vault.configure("user", user_id, doc)
        return None
    previous_values = {name: before.get(name) for name in values}
    return change_configuration(
        vault,
        "user",
        user_id,
        doc,
        at=at,
        by=by,
        scope=f"user={user_id}",
        before=previous_values,
        after=values,
    )


def set_vmoc(
    vault: Vault, name: str, doc: JsonDict, *, at: float, by: str = "admin", publish: bool = True
) -> str:
    """Add or change a VMOC."""
    before = vault.live["vmoc"].get(name, {})
    new_values = {key: value for key, value in doc.items() if before.get(key) != value}
    previous_values = {key: before.get(key) for key in new_values}
    return change_configuration(
        vault, "vmoc", name, doc, at=at, by=by, object_name=doc["object_name__v"], before=previous_values,
        after=new_values, publish=publish,
    )  # fmt: skip


def realign_accounts(vault: Vault, accounts: list[str], territory: str, *, at: float) -> str:
    """Move accounts and their related records to another territory."""
    with vault.transaction():
        former = ""
        for account_id in accounts:
            record = records.find(vault, account_id)
            if record is not None and not record.deleted and record.territory != territory:
                former = record.territory
                records.move(vault, record, territory)
        return write_audit_entry(
            vault, "territory", territory, at=at, by="alignment", object_name="account__v", before=former,
            scope=f"territory={former}", after=territory, detail=f"{len(accounts)} accounts realigned",
        )  # fmt: skip


def merge_accounts(vault: Vault, loser: str, winner: str, *, at: float) -> str:
    """Merge two accounts: delete the loser and link its child records to the winner."""
    with vault.transaction():
        winner_record, loser_record = records.find(vault, winner), records.find(vault, loser)
        if winner_record is None or loser_record is None:
            raise ValueError(f"cannot merge {loser} into {winner}: one of them does not exist")
        for child in records.list_child_ids(vault, loser):
            record = records.find(vault, child)
            if record is not None:
                records.update(vault, record, {"account__v": winner}, at=at, by="network")
        records.delete(vault, loser_record, at=at, by="network")
        vault.db.execute("INSERT OR REPLACE INTO merged VALUES (?, ?)", (loser, winner))
        return write_audit_entry(
            vault, "object", "account__v", at=at, by="network", object_name="account__v", before=loser,
            after=winner, detail="account merge",
        )  # fmt: skip


def revoke_sessions(vault: Vault, user_id: str) -> None:
    """End every session of a user."""
    with vault.transaction():
        vault.db.execute("DELETE FROM session WHERE user = ?", (user_id,))
