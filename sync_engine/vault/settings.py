"""Device settings: values for all users, overridden by values for the user's profile.

Documented: a record for a profile overrides the record for all users; the VMOC of `veeva_settings__v` filters the
records by profile; all users need Read on the object and all its fields. Assumption: a device uses all records
that it receives, including those of other profiles if no VMOC filters them. Without Read it has no settings.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync_engine.json_docs import JsonDict
from sync_engine.vault import permissions
from sync_engine.vault.scope import get_scope
from sync_engine.vault.state import Vault
from sync_engine.where_clause import matches


def get_device_settings(vault: Vault, user: JsonDict, platform: str) -> JsonDict:
    """Return the published settings by name for a user and platform.

    The result is empty if the user may not read settings.
    """
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
    """Yield name, value and profile of each published setting.

    Profile settings come last, so that they override the others.
    """
    for name, setting in vault.published["setting"].items():
        yield name, setting["value"], None
    for _, setting in sorted(vault.published.get("profile_setting", {}).items()):
        yield setting["name"], setting["value"], setting["application_profile"]


def _as_record(name: str, value: object, profile: str | None) -> JsonDict:
    return {
        "name__v": name,
        "value__v": value,
        "application_profile__v": profile,
        "security_profile__v": None,
    }
