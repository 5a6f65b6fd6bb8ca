"""Recipes for causes in the app, its database or its connection, while Vault itself works."""

from __future__ import annotations

from collections.abc import Callable, Container
from random import Random

from rehearsal.issue_case import IssueCase
from rehearsal.recipes.limits import CALL, CLOCK_HOURS, wrong_clock
from rehearsal.recipes.recipe import SYNC_AGAIN, Fix, Recipe, Step
from rehearsal.sandbox import Sandbox
from sync_engine.device.client import Device
from sync_engine.protocol import DeviceError, TransportError
from sync_engine.simulator.fleet.error_texts import draw_error_text

REQUEST_POINTS = ("exchange",)
WRITE_POINTS = ("upload.send", "download.page", "apply.middle", "refresh.downloaded")
OLD_DATABASE_POINTS = ("download.page", "apply.middle")
"""Fault points at which a device uses its current database. A refresh builds a new one."""
NamedFix = tuple[str, str]
"""Name of a fix, and who applies it."""


def _device_error(cause: str) -> TransportError | DeviceError:
    text = draw_error_text(cause, "iPad", Random(0))  # noqa: S311 - one of several texts, always the same
    if cause in ("tls-certificate", "device-clock", "app-suspended"):
        return TransportError(text.error_type, text.message, transient=False)
    return DeviceError(text.error_type, text.message)


def _inject_error_at(cause: str, points: Container[str]) -> Step:
    def inject(sandbox: Sandbox) -> None:
        for name in sandbox.case.devices:
            sandbox.inject_error(name, _device_error(cause), points)

    return inject


def _clear_errors(sandbox: Sandbox) -> None:
    for name in sandbox.case.devices:
        sandbox.clear_errors(name)


def _fails_until_fixed(
    cause: str, points: Container[str], assumption: str, *fixes: NamedFix
) -> Callable[[IssueCase], Recipe]:
    def recipe(_: IssueCase) -> Recipe:
        return Recipe(
            unit="devices",
            assumption=assumption,
            inject_fault=_inject_error_at(cause, points),
            fixes=(*(Fix(name, who, _clear_errors) for name, who in fixes), SYNC_AGAIN),
        )

    return recipe


def _device_clock(case: IssueCase) -> Recipe:
    if any(row.object == CALL for group in case.save_groups if group.from_issue for row in group.records):
        return wrong_clock(case)

    def break_clocks(sandbox: Sandbox) -> None:
        _inject_error_at("device-clock", REQUEST_POINTS)(sandbox)
        for name in case.devices:
            sandbox.env(name).skew = CLOCK_HOURS * 3600

    def set_clocks(sandbox: Sandbox) -> None:
        _clear_errors(sandbox)
        for name in case.devices:
            sandbox.env(name).skew = 0.0

    return Recipe(
        unit="devices",
        assumption="No connection is accepted while the clock is wrong. Dates that users entered with the wrong "
        "clock are not checked; they stay wrong.",
        inject_fault=break_clocks,
        fixes=(Fix("Set date and time automatically, then sync", "user", set_clocks), SYNC_AGAIN),
    )


def _local_state_mismatch(_: IssueCase) -> Recipe:
    def break_databases(sandbox: Sandbox) -> None:
        for name in sandbox.case.devices:
            device = sandbox.device(name)
            sandbox.inject_error(
                name,
                _device_error("local-state-mismatch"),
                OLD_DATABASE_POINTS,
                _while_database_unchanged(device),
            )

    return Recipe(
        unit="devices",
        assumption="The database on the device does not have the schema that the app expects, until a refresh "
        "builds a new one. A refresh keeps pending records.",
        inject_fault=break_databases,
        fixes=(
            Fix("Refresh the whole database on the device", "user", Sandbox.refresh_databases),
            SYNC_AGAIN,
        ),
    )


def _while_database_unchanged(device: Device) -> Callable[[], bool]:
    """Return a check whether the device still uses its current database."""
    database = device.data
    return lambda: device.data is database


def rollback_fixes(case: IssueCase) -> tuple[Fix, ...]:
    """Return the rollback of the app version that the issue is attributed to; nothing without one.

    What the old version wrote or built on the device stays: a rollback ends errors only if the app itself fails.
    """
    if case.change is None or case.change.kind != "app_version" or case.cause not in _VERSION_CAUSES:
        return ()
    former = case.change.before or case.former_version

    def roll_back(sandbox: Sandbox) -> None:
        for name in sandbox.case.devices:
            sandbox.device(name).version = former or sandbox.device(name).version
        if case.cause == "local-database-busy":
            _clear_errors(sandbox)

    def roll_back_and_refresh(sandbox: Sandbox) -> None:
        roll_back(sandbox)
        sandbox.refresh_databases()

    name = f"Roll back app version {case.change.target} to {former or 'the version before it'}"
    refresh = Fix(f"{name} and refresh the whole database", "device management", roll_back_and_refresh)
    rollback = Fix(name, "device management", roll_back)
    return (rollback, refresh) if case.cause == "local-state-mismatch" else (rollback,)


_VERSION_CAUSES = frozenset({
    "local-database-busy", "local-state-mismatch", "invalid-value", "invalid-reference", "schema-mismatch",
    "duplicate-record",
})  # fmt: skip
"""Causes that an app version can have. Only a busy database ends with the version."""

RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "tls-certificate": _fails_until_fixed(
        "tls-certificate", REQUEST_POINTS,
        "No TLS connection succeeds from the network of the devices; the certificate at fault is not reproduced.",
        ("Sync over another network", "user"),
        ("Exempt the Vault from TLS inspection, or renew the certificate", "network team"),
    ),
    "app-suspended": _fails_until_fixed(
        "app-suspended", REQUEST_POINTS,
        "The operating system ends every transfer, because the app leaves the foreground during each sync.",
        ("Keep the app in the foreground until the sync ends", "user"),
    ),
    "local-database-busy": _fails_until_fixed(
        "local-database-busy", WRITE_POINTS,
        "The app cannot write to its database until it is restarted; the reason for the lock is not reproduced.",
        ("Close the app, unlock the device, open the app again and sync", "user"),
    ),
    "device-clock": _device_clock,
    "local-state-mismatch": _local_state_mismatch,
}  # fmt: skip
