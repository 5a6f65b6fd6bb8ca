"""Recipes for causes that stop a whole sync. The outcome is counted in devices."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.issue_case import IssueCase
from rehearsal.recipes.recipe import SYNC_AGAIN, Fix, Recipe, Step, do_nothing, permission_fixes
from rehearsal.sandbox import Sandbox
from sync_engine.vault import admin
from sync_engine.vmoc import vmoc

_NO_VMOC = (
    "The errors name no object, so it is unknown which VMOC is wrong, or whether any is. Check the address of the "
    "server and the settings that the errors name."
)
_UNKNOWN_POLICY = "The errors do not name the policy that blocks the users."
NEW_PASSWORD = "new secret"  # noqa: S105 - of a simulated user


def _fault_recipe(rates: dict[str, float], assumption: str, *fixes: Fix) -> Recipe:
    return Recipe(
        unit="devices",
        assumption=assumption,
        inject_fault=lambda sandbox: sandbox.set_fault_rates(**rates),
        fixes=(*fixes, SYNC_AGAIN),
    )


def _clear_fault_rates(sandbox: Sandbox) -> None:
    sandbox.set_fault_rates()


def _network(_: IssueCase) -> Recipe:
    return _fault_recipe(
        {"request_loss": 1.0},
        "No request of a device arrives until its connection works again; the failing part of the network is not "
        "reproduced.",
        Fix("Connect to a working network, then sync again", "user", _clear_fault_rates),
    )


def _server_unavailable(_: IssueCase) -> Recipe:
    return _fault_recipe(
        {"outage": 1.0},
        "Vault answers every request with HTTP 503 until the outage is over.",
        Fix("Wait until Vault is available, then sync again", "user", _clear_fault_rates),
    )


def _rate_limit(_: IssueCase) -> Recipe:
    return _fault_recipe(
        {"throttle": 1.0},
        "Vault answers every request with HTTP 429 until the limit is reset.",
        Fix("Wait until the limit is reset, then sync again", "user", _clear_fault_rates),
    )


def _device_storage_full(case: IssueCase) -> Recipe:
    more = (
        "; this issue fails in the upload phase, where the engine needs no space"
        if case.phase == "upload"
        else ""
    )
    return _fault_recipe(
        {"disk_full": 1.0},
        f"Every write of a download fails until storage is free{more}.",
        Fix("Free storage on the device, then sync again", "user", _clear_fault_rates),
    )


def _end_sessions(sandbox: Sandbox) -> None:
    for device in sandbox.case.devices:
        admin.revoke_sessions(sandbox.vault, sandbox.user_of(device))
    sandbox.can_sign_in = False


def _sign_in_again(sandbox: Sandbox) -> None:
    sandbox.can_sign_in = True


def _session_expired(_: IssueCase) -> Recipe:
    return Recipe(
        unit="devices",
        assumption="The sessions ended in Vault; the reason is not reproduced.",
        inject_fault=_end_sessions,
        fixes=(
            Fix("Sign in again, then sync", "user", _sign_in_again),
            Fix("Sync again without signing in", "user", do_nothing),
        ),
    )


def _set_users(fields: dict[str, object]) -> Step:
    def change(sandbox: Sandbox) -> None:
        for device in sandbox.case.devices:
            sandbox.set_user(device, **fields)

    return change


def _lock_out(fields: dict[str, object]) -> Step:
    def plant(sandbox: Sandbox) -> None:
        _end_sessions(sandbox)
        for device in sandbox.case.devices:
            sandbox.device(device).session = None
        _set_users(fields)(sandbox)
        sandbox.can_sign_in = True

    return plant


def _change_password(sandbox: Sandbox) -> None:
    _set_users({"password": NEW_PASSWORD, "password_expired": False})(sandbox)
    _type_password(sandbox, NEW_PASSWORD)


def _type_password(sandbox: Sandbox, password: str) -> None:
    users = {sandbox.user_of(device) for device in sandbox.case.devices}
    for name in sandbox.lab.users:
        if sandbox.user_of(name) in users:
            sandbox.device(name).password = password


def _password_expired(_: IssueCase) -> Recipe:
    return Recipe(
        unit="devices",
        assumption="The passwords expired while the devices were signed out.",
        inject_fault=_lock_out({"password_expired": True}),
        fixes=(Fix("Set a new password and sign in with it", "user", _change_password), SYNC_AGAIN),
    )


def _sign_in_failed(case: IssueCase) -> Recipe:
    if case.error_type in ("INACTIVE_USER", "USER_LOCKED_OUT"):
        inactive = case.error_type == "INACTIVE_USER"
        blocked: dict[str, object] = {"active": False} if inactive else {"locked": True}
        restored: dict[str, object] = {"active": True} if inactive else {"locked": False}
        name = "Reactivate the users" if inactive else "Unlock the users"
        return Recipe(
            unit="devices",
            assumption=f"The users are {'inactive' if inactive else 'locked'} in Vault, as the error states.",
            inject_fault=_lock_out(blocked),
            fixes=(Fix(name, "admin", _set_users(restored)), SYNC_AGAIN),
        )
    return Recipe(
        unit="devices",
        assumption="The users enter a wrong password.",
        inject_fault=_lock_out({"password": NEW_PASSWORD}),
        fixes=(
            Fix("Sign in with the correct password", "user", lambda s: _type_password(s, NEW_PASSWORD)),
            SYNC_AGAIN,
        ),
    )


def _sync_configuration(case: IssueCase) -> Recipe:
    if case.error_type == "TOO_MANY_ACCOUNTS":
        return _too_many_accounts()
    name = case.object or ""
    missing = "does not exist" in case.message
    broken = vmoc(name) if missing else vmoc(name, where="name__v ==")

    def publish(sandbox: Sandbox, active: bool, cleared: bool = True) -> None:
        fixed = vmoc(name, active__v=active) if missing else vmoc(name)
        sandbox.configure("vmoc", name, fixed, publish=cleared)

    def plant(sandbox: Sandbox) -> None:
        if missing:  # another record of the store may have added the object
            sandbox.configure("object", name, None, publish=False)
        sandbox.configure("vmoc", name, broken)

    vmoc_names = f" ({', '.join(case.vault_facts.vmocs)})" if set(case.vault_facts.vmocs) - {name} else ""
    fix = (
        f"Deactivate the VMOC of {name}{vmoc_names}"
        if missing
        else f"Fix the WHERE clause of the VMOC of {name}{vmoc_names}"
    )
    fault = "an object that does not exist" if missing else "an invalid WHERE clause"
    return Recipe(
        unit="devices",
        assumption=f"The VMOC of {name} has {fault}; its other settings are the engine's defaults.",
        inject_fault=plant,
        fixes=(
            Fix(f"{fix} and clear the cache", "admin", lambda s: publish(s, False)),
            Fix(f"{fix} without clearing the cache", "admin", lambda s: publish(s, False, cleared=False)),
            SYNC_AGAIN,
        ),
        skip_reason=lambda case: None if case.object else _NO_VMOC,
    )


def _too_many_accounts() -> Recipe:
    limits = ("max_accounts__v", "max_accounts_ipad__v")

    def set_limit(sandbox: Sandbox, limit: int) -> None:
        for device in sandbox.case.devices:  # each user needs at least one account
            sandbox.lab.add_account(f"Account of {device}")
        for name in limits:
            admin.set_setting(sandbox.vault, name, limit, at=sandbox.now)

    def narrow(sandbox: Sandbox) -> None:
        sandbox.configure("vmoc", "account__v", vmoc("account__v", where="name__v = 'no account'"))

    return Recipe(
        unit="devices",
        assumption="The account limit is below the number of accounts that sync to a device; both are scaled down.",
        inject_fault=lambda sandbox: set_limit(sandbox, 0),
        fixes=(
            Fix("Narrow the WHERE clause of the account VMOC", "admin", narrow),
            Fix("Raise the account limit", "admin", lambda s: set_limit(s, 1_000_000)),
            SYNC_AGAIN,
        ),
    )


def _access_policy(case: IssueCase) -> Recipe:
    api = "API_Access" in case.message
    key, bad = ("api", False) if api else ("metadata_api", True)
    mode = case.error_type == "CONFIGURATION_MODE_ENABLED"

    def set_policy(sandbox: Sandbox, names: tuple[str, ...], value: bool) -> None:
        for name in names:
            admin.set_application_permission(sandbox.vault, name, key, value, at=sandbox.now)

    def switch(sandbox: Sandbox, on: bool) -> None:
        admin.set_setting(sandbox.vault, "configuration_mode", on, at=sandbox.now)

    if mode:
        return Recipe(
            unit="devices",
            assumption="Only Configuration Mode blocks the users.",
            inject_fault=lambda sandbox: switch(sandbox, True),
            fixes=(Fix("Turn off Configuration Mode", "admin", lambda s: switch(s, False)), SYNC_AGAIN),
        )
    fix = "Grant API access" if api else "Revoke Metadata API access"
    return Recipe(
        unit="devices",
        assumption=f"{case.permission_set_assumption}; only the policy in the message blocks them.",
        inject_fault=lambda sandbox: set_policy(sandbox, sandbox.permission_sets, bad),
        fixes=(*permission_fixes(case, fix, lambda s, names: set_policy(s, names, not bad)), SYNC_AGAIN),
        skip_reason=lambda _: None if api or "Metadata API" in case.message else _UNKNOWN_POLICY,
    )


def _server_quota(_: IssueCase) -> Recipe:
    def fill(sandbox: Sandbox, share: float) -> None:
        admin.set_setting(sandbox.vault, "storage_used_share", share, at=sandbox.now)

    return Recipe(
        unit="devices",
        assumption="The storage of the Vault is full, so it rejects every upload.",
        inject_fault=lambda sandbox: fill(sandbox, 1.0),
        fixes=(Fix("Free up or buy storage in Vault", "admin", lambda s: fill(s, 0.5)), SYNC_AGAIN),
    )


def _app_outdated(_: IssueCase) -> Recipe:
    def require_version(sandbox: Sandbox) -> None:
        admin.set_setting(sandbox.vault, "minimum_app_version", "999.0.0", at=sandbox.now)

    def update(sandbox: Sandbox) -> None:
        for name in sandbox.case.devices:
            sandbox.device(name).version = "999.0.0"

    return Recipe(
        unit="devices",
        assumption="Vault requires a newer app version than the devices have; the version numbers are placeholders.",
        inject_fault=require_version,
        fixes=(Fix("Update the app, then sync", "user", update), SYNC_AGAIN),
    )


def unreadable_field(case: IssueCase) -> Recipe:
    """Return the recipe for missing Read permission on a field that incremental sync needs."""
    name, field = case.object or "account__v", "modified_date__v"

    def set_read(sandbox: Sandbox, names: tuple[str, ...], allowed: bool) -> None:
        for permission_set in names:
            admin.set_field_permission(
                sandbox.vault, permission_set, name, field, "read", allowed, at=sandbox.now
            )

    return Recipe(
        unit="devices",
        assumption=f"{case.permission_set_assumption}; only Read permission on the field is missing.",
        inject_fault=lambda sandbox: set_read(sandbox, sandbox.permission_sets, False),
        fixes=(
            *permission_fixes(
                case, f"Grant Read on {name}.{field}", lambda s, names: set_read(s, names, True)
            ),
            SYNC_AGAIN,
        ),
    )


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
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
