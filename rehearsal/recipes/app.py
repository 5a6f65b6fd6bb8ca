"""Causes in the app, its store and its way out: the Vault is well, and the device cannot use it."""

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
"""The points at which a device works on the database that it has; a refresh builds another."""
NamedFix = tuple[str, str]
"""What is done, and who does it."""


def _device_error(cause: str) -> TransportError | DeviceError:
    words = draw_error_text(cause, "iPad", Random(0))  # noqa: S311 - one wording of several, always the same
    if cause in ("tls-certificate", "device-clock", "app-suspended"):
        return TransportError(words.error_type, words.message, transient=False)
    return DeviceError(words.error_type, words.message)


def _inject_error_at(cause: str, points: Container[str]) -> Step:
    def plant(sandbox: Sandbox) -> None:
        for name in sandbox.case.devices:
            sandbox.inject_error(name, _device_error(cause), points)

    return plant


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
    if any(row.object == CALL for one in case.save_groups if one.from_issue for row in one.records):
        return wrong_clock(case)

    def plant(sandbox: Sandbox) -> None:
        _inject_error_at("device-clock", REQUEST_POINTS)(sandbox)
        for name in case.devices:
            sandbox.env(name).skew = CLOCK_HOURS * 3600

    def mend(sandbox: Sandbox) -> None:
        _clear_errors(sandbox)
        for name in case.devices:
            sandbox.env(name).skew = 0.0

    return Recipe(
        unit="devices",
        assumption="No connection is accepted while the clock is wrong. Dates that people entered by it are not "
        "looked at; they stay wrong.",
        inject_fault=plant,
        fixes=(Fix("Set date and time automatically, then sync", "user", mend), SYNC_AGAIN),
    )


def _local_state_mismatch(_: IssueCase) -> Recipe:
    def outdate(sandbox: Sandbox) -> None:
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
        assumption="The database on the device does not fit what the app expects, until a refresh has built another; "
        "what waits to be sent is not touched by that.",
        inject_fault=outdate,
        fixes=(
            Fix("Refresh the whole database on the device", "user", Sandbox.refresh_databases),
            SYNC_AGAIN,
        ),
    )


def _while_database_unchanged(device: Device) -> Callable[[], bool]:
    """Whether the device still works on the database that it has now."""
    former = device.data
    return lambda: device.data is former


RECIPES: dict[str, Callable[[IssueCase], Recipe]] = {
    "tls-certificate": _fails_until_fixed(
        "tls-certificate", REQUEST_POINTS,
        "No secure connection comes about in the network where the devices are; which certificate is to blame is "
        "not rebuilt.",
        ("Sync over another network", "user"),
        ("Exempt the Vault from TLS inspection, or renew the certificate", "network team"),
    ),
    "app-suspended": _fails_until_fixed(
        "app-suspended", REQUEST_POINTS,
        "The system ends every transfer, because the app leaves the foreground in each sync.",
        ("Keep the app in the foreground until the sync has ended", "user"),
    ),
    "local-database-busy": _fails_until_fixed(
        "local-database-busy", WRITE_POINTS,
        "The app cannot write to its database until it is started again; why it is held is not rebuilt.",
        ("Close the app, unlock the device, open the app again and sync", "user"),
    ),
    "device-clock": _device_clock,
    "local-state-mismatch": _local_state_mismatch,
}  # fmt: skip
