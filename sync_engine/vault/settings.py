"""The settings that reach a device: those for all users, overridden by those for its user's profile.

Documented: a record for a profile overrides the one for all users; the VMOC of `veeva_settings__v` filters the
records by profile; all users need Read on the object and all its fields. Our assumption: a device uses all
records that it receives, also those of other profiles if nothing filters them, and has no settings without Read.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync_engine.json_docs import JsonDict
from sync_engine.vault import permissions
from sync_engine.vault.scope import get_scope
from sync_engine.vault.state import Vault
from sync_engine.where_clause import matches


def get_device_settings(vault: Vault, user: JsonDict, platform: str) -> JsonDict:
    """Settings by name, as published, for this user on this platform; none where they may not be read."""
    if not permissions.can_read_all_fields(vault, user, permissions.SETTINGS):
        return {}
    rule = get_scope(vault, user["id"], platform).rules.get(permissions.SETTINGS)
    condition = None if rule is None else rule.condition
    return {
        name: value
        for name, value, profile in _records(vault)
        if matches(condition, _as_record(name, value, profile), lambda *_: None)
    }


def _records(vault: Vault) -> Iterator[tuple[str, object, str | None]]:
    """Name, value and profile of every published setting; those of profiles come last and so override."""
    for name, one in vault.published["setting"].items():
        yield name, one["value"], None
    for _, one in sorted(vault.published.get("profile_setting", {}).items()):
        yield one["name"], one["value"], one["application_profile"]


def _as_record(name: str, value: object, profile: str | None) -> JsonDict:
    return {
        "name__v": name,
        "value__v": value,
        "application_profile__v": profile,
        "security_profile__v": None,
    }
