"""Causes that stop a whole sync: each device of the issue is stuck, with what it still has to send."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.issue_case import Case
from rehearsal.recipes.recipe import AGAIN, Act, Recipe, Way, nothing, right_ways
from rehearsal.sandbox import Stage
from sync_engine.vault import admin
from sync_engine.vmoc import vmoc

_NO_POLICY = "The store does not say which policy stops the users."
FRESH_PASSWORD = "fresh secret"  # noqa: S105 - of a person who does not exist


def _unkind(rates: dict[str, float], assumes: str, *ways: Way) -> Recipe:
    return Recipe(
        unit="devices", assumes=assumes, plant=lambda stage: stage.plan(**rates), ways=(*ways, AGAIN)
    )


def _kind_again(stage: Stage) -> None:
    stage.plan()


def _network(_: Case) -> Recipe:
    return _unkind(
        {"request_loss": 1.0},
        "Nothing that a device sends arrives until its connection is back; which part of the way fails is not "
        "rebuilt.",
        Way("Get a working connection, then sync again", "user", _kind_again),
    )


def _server_unavailable(_: Case) -> Recipe:
    return _unkind(
        {"outage": 1.0},
        "Vault answers every request with HTTP 503 until the outage is over.",
        Way("Wait until Vault is back, then sync again", "user", _kind_again),
    )


def _rate_limit(_: Case) -> Recipe:
    return _unkind(
        {"throttle": 1.0},
        "Vault answers every request with HTTP 429 until the limit is reset.",
        Way("Wait until the limit is reset, then sync again", "user", _kind_again),
    )


def _device_storage_full(case: Case) -> Recipe:
    more = (
        "; the phase of this issue is upload, which the engine lets through" if case.phase == "upload" else ""
    )
    return _unkind(
        {"disk_full": 1.0},
        f"Every write of a download fails until there is space{more}.",
        Way("Free storage on the device, then sync again", "user", _kind_again),
    )


def _end_sessions(stage: Stage) -> None:
    for device in stage.case.devices:
        admin.revoke_sessions(stage.vault, stage.user_of(device))
    stage.signs_in = False


def _sign_in_again(stage: Stage) -> None:
    stage.signs_in = True


def _session_expired(_: Case) -> Recipe:
    return Recipe(
        unit="devices",
        assumes="The sessions ended in Vault; why they did is not rebuilt.",
        plant=_end_sessions,
        ways=(
            Way("Sign in again, then sync", "user", _sign_in_again),
            Way("Sync again without signing in", "user", nothing),
        ),
    )


def _users(fields: dict[str, object]) -> Act:
    def change(stage: Stage) -> None:
        for device in stage.case.devices:
            stage.set_user(device, **fields)

    return change


def _locked_out(fields: dict[str, object]) -> Act:
    def plant(stage: Stage) -> None:
        _end_sessions(stage)
        for device in stage.case.devices:
            stage.device(device).session = None
        _users(fields)(stage)
        stage.signs_in = True

    return plant


def _change_password(stage: Stage) -> None:
    _users({"password": FRESH_PASSWORD, "password_expired": False})(stage)
    _type_password(stage, FRESH_PASSWORD)


def _type_password(stage: Stage, password: str) -> None:
    users = {stage.user_of(device) for device in stage.case.devices}
    for name in stage.story.people:
        if stage.user_of(name) in users:
            stage.device(name).password = password


def _password_expired(_: Case) -> Recipe:
    return Recipe(
        unit="devices",
        assumes="The passwords expired while the devices were signed out.",
        plant=_locked_out({"password_expired": True}),
        ways=(Way("Set a new password and sign in with it", "user", _change_password), AGAIN),
    )


def _sign_in_failed(case: Case) -> Recipe:
    if case.error_type in ("INACTIVE_USER", "USER_LOCKED_OUT"):
        inactive = case.error_type == "INACTIVE_USER"
        stuck: dict[str, object] = {"active": False} if inactive else {"locked": True}
        well: dict[str, object] = {"active": True} if inactive else {"locked": False}
        name = "Make the users active again" if inactive else "Unlock the users"
        return Recipe(
            unit="devices",
            assumes=f"The users are {'inactive' if inactive else 'locked out'} in Vault, as the error says.",
            plant=_locked_out(stuck),
            ways=(Way(name, "admin", _users(well)), AGAIN),
        )
    return Recipe(
        unit="devices",
        assumes="The users type a password that is not theirs.",
        plant=_locked_out({"password": FRESH_PASSWORD}),
        ways=(
            Way("Sign in with the right password", "user", lambda s: _type_password(s, FRESH_PASSWORD)),
            AGAIN,
        ),
    )


def _sync_configuration(case: Case) -> Recipe:
    if case.error_type == "TOO_MANY_ACCOUNTS":
        return _too_many_accounts()
    name = case.object or "missing_object__c"
    missing = "does not exist" in case.message or case.object is None
    broken = vmoc(name) if missing else vmoc(name, where="name__v ==")

    def publish(stage: Stage, active: bool, cleared: bool = True) -> None:
        mended = vmoc(name, active__v=active) if missing else vmoc(name)
        stage.configure("vmoc", name, mended, publish=cleared)

    def plant(stage: Stage) -> None:
        if missing:  # another record of the store may have brought the object in
            stage.configure("object", name, None, publish=False)
        stage.configure("vmoc", name, broken)

    called = f" ({', '.join(case.known.vmocs)})" if set(case.known.vmocs) - {name} else ""
    what = (
        f"Make the VMOC of {name}{called} inactive"
        if missing
        else f"Mend the WHERE clause of the VMOC of {name}{called}"
    )
    wrong = "an object that Vault does not have" if missing else "a WHERE clause that cannot be read"
    return Recipe(
        unit="devices",
        assumes=f"The VMOC of {name} has {wrong}; its other settings are the engine's own.",
        plant=plant,
        ways=(
            Way(f"{what} and clear the cache", "admin", lambda s: publish(s, False)),
            Way(f"{what} without clearing the cache", "admin", lambda s: publish(s, False, cleared=False)),
            AGAIN,
        ),
    )


def _too_many_accounts() -> Recipe:
    limits = ("max_accounts__v", "max_accounts_ipad__v")

    def limit(stage: Stage, most: int) -> None:
        for device in stage.case.devices:  # each user needs an account that counts
            stage.story.account(f"Account of {device}")
        for name in limits:
            admin.set_setting(stage.vault, name, most, at=stage.now)

    def narrow(stage: Stage) -> None:
        stage.configure("vmoc", "account__v", vmoc("account__v", where="name__v = 'none of them'"))

    return Recipe(
        unit="devices",
        assumes="The limit on accounts lies below what syncs to each device; the real numbers are smaller here.",
        plant=lambda stage: limit(stage, 0),
        ways=(
            Way("Narrow the WHERE clause of the account VMOC", "admin", narrow),
            Way("Raise the limit on accounts", "admin", lambda s: limit(s, 1_000_000)),
            AGAIN,
        ),
    )


def _access_policy(case: Case) -> Recipe:
    api = "API_Access" in case.message
    key, bad = ("api", False) if api else ("metadata_api", True)
    mode = case.error_type == "CONFIGURATION_MODE_ENABLED"

    def put(stage: Stage, names: tuple[str, ...], value: bool) -> None:
        for name in names:
            admin.set_in_permission_set(stage.vault, name, key, value, at=stage.now)

    def switch(stage: Stage, on: bool) -> None:
        admin.set_setting(stage.vault, "configuration_mode", on, at=stage.now)

    if mode:
        return Recipe(
            unit="devices",
            assumes="Configuration Mode is the only thing that stops the users.",
            plant=lambda stage: switch(stage, True),
            ways=(Way("Leave Configuration Mode", "admin", lambda s: switch(s, False)), AGAIN),
        )
    fix = "Give API access" if api else "Take Metadata API access away"
    return Recipe(
        unit="devices",
        assumes=f"{case.shares}; the policy in the message is the only one that stops them.",
        plant=lambda stage: put(stage, stage.permission_sets, bad),
        ways=(*right_ways(case, fix, lambda s, names: put(s, names, not bad)), AGAIN),
        unfit=lambda _: None if api or "Metadata API" in case.message else _NO_POLICY,
    )


def _server_quota(_: Case) -> Recipe:
    def use(stage: Stage, share: float) -> None:
        admin.set_setting(stage.vault, "storage_used_share", share, at=stage.now)

    return Recipe(
        unit="devices",
        assumes="The storage of the Vault is used up, so that it takes no upload.",
        plant=lambda stage: use(stage, 1.0),
        ways=(Way("Free storage in Vault or buy more", "admin", lambda s: use(s, 0.5)), AGAIN),
    )


def _app_outdated(_: Case) -> Recipe:
    def demand(stage: Stage) -> None:
        admin.set_setting(stage.vault, "minimum_app_version", "999.0.0", at=stage.now)

    def update(stage: Stage) -> None:
        for name in stage.case.devices:
            stage.device(name).version = "999.0.0"

    return Recipe(
        unit="devices",
        assumes="Vault asks for a newer version than the devices have; the numbers are made up.",
        plant=demand,
        ways=(Way("Update the app, then sync", "user", update), AGAIN),
    )


def unreadable(case: Case) -> Recipe:
    """Read is missing on a field that incremental sync lives on, so that an object cannot be downloaded."""
    name, field = case.object or "account__v", "modified_date__v"

    def put(stage: Stage, names: tuple[str, ...], allowed: bool) -> None:
        for one in names:
            admin.set_field_right(stage.vault, one, name, field, "read", allowed, at=stage.now)

    return Recipe(
        unit="devices",
        assumes=f"{case.shares}; of the device's rights only Read on the field is missing.",
        plant=lambda stage: put(stage, stage.permission_sets, False),
        ways=(
            *right_ways(case, f"Give Read on {name}.{field} back", lambda s, names: put(s, names, True)),
            AGAIN,
        ),
    )


RECIPES: dict[str, Callable[[Case], Recipe]] = {
    "network": _network,
    "server-unavailable": _server_unavailable,
    "rate-limit": _rate_limit,
    "device-storage-full": _device_storage_full,
    "session-expired": _session_expired,
    "password-expired": _password_expired,
    "sign-in-failed": _sign_in_failed,
    "sync-configuration": _sync_configuration,
    "access-policy": _access_policy,
    "server-quota": _server_quota,
    "app-outdated": _app_outdated,
}
