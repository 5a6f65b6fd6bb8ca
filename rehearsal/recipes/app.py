"""Causes in the app, its store and its way out: the Vault is well, and the device cannot use it."""

from __future__ import annotations

from collections.abc import Callable, Container
from random import Random

from rehearsal.issue_case import Case
from rehearsal.recipes.limits import CALL, CLOCK_HOURS, wrong_clock
from rehearsal.recipes.recipe import AGAIN, Act, Recipe, Way
from rehearsal.sandbox import Stage
from sync_engine.device.client import Device
from sync_engine.protocol import DeviceError, TransportError
from sync_engine.simulator.fleet.error_texts import draw_error_text

EXCHANGE = ("exchange",)
ANY_WRITE = ("upload.send", "download.page", "apply.middle", "refresh.downloaded")
OLD_DATA = ("download.page", "apply.middle")
"""The points at which a device works on the database that it has; a refresh builds another."""
Told = tuple[str, str]
"""What is done, and who does it."""


def _problem(cause: str) -> TransportError | DeviceError:
    words = draw_error_text(cause, "iPad", Random(0))  # noqa: S311 - one wording of several, always the same
    if cause in ("tls-certificate", "device-clock", "app-suspended"):
        return TransportError(words.error_type, words.message, transient=False)
    return DeviceError(words.error_type, words.message)


def _strikes(cause: str, points: Container[str]) -> Act:
    def plant(stage: Stage) -> None:
        for name in stage.case.devices:
            stage.make_ill(name, _problem(cause), points)

    return plant


def _heal(stage: Stage) -> None:
    for name in stage.case.devices:
        stage.make_well(name)


def _until_mended(cause: str, points: Container[str], assumes: str, *ways: Told) -> Callable[[Case], Recipe]:
    def recipe(_: Case) -> Recipe:
        return Recipe(
            unit="devices",
            assumes=assumes,
            plant=_strikes(cause, points),
            ways=(*(Way(name, who, _heal) for name, who in ways), AGAIN),
        )

    return recipe


def _device_clock(case: Case) -> Recipe:
    if any(row.object == CALL for one in case.saved if one.ours for row in one.rows):
        return wrong_clock(case)

    def plant(stage: Stage) -> None:
        _strikes("device-clock", EXCHANGE)(stage)
        for name in case.devices:
            stage.env(name).skew = CLOCK_HOURS * 3600

    def mend(stage: Stage) -> None:
        _heal(stage)
        for name in case.devices:
            stage.env(name).skew = 0.0

    return Recipe(
        unit="devices",
        assumes="No connection is accepted while the clock is wrong. Dates that people entered by it are not "
        "looked at; they stay wrong.",
        plant=plant,
        ways=(Way("Set date and time automatically, then sync", "user", mend), AGAIN),
    )


def _local_state_mismatch(_: Case) -> Recipe:
    def outdate(stage: Stage) -> None:
        for name in stage.case.devices:
            device = stage.device(name)
            stage.make_ill(name, _problem("local-state-mismatch"), OLD_DATA, _while_it_has(device))

    return Recipe(
        unit="devices",
        assumes="The database on the device does not fit what the app expects, until a refresh has built another; "
        "what waits to be sent is not touched by that.",
        plant=outdate,
        ways=(Way("Refresh the whole database on the device", "user", Stage.refresh), AGAIN),
    )


def _while_it_has(device: Device) -> Callable[[], bool]:
    """Whether the device still works on the database that it has now."""
    former = device.data
    return lambda: device.data is former


RECIPES: dict[str, Callable[[Case], Recipe]] = {
    "tls-certificate": _until_mended(
        "tls-certificate", EXCHANGE,
        "No secure connection comes about in the network where the devices are; which certificate is to blame is "
        "not rebuilt.",
        ("Sync over another network", "user"),
        ("Exempt the Vault from TLS inspection, or renew the certificate", "network team"),
    ),
    "app-suspended": _until_mended(
        "app-suspended", EXCHANGE,
        "The system ends every transfer, because the app leaves the foreground in each sync.",
        ("Keep the app in the foreground until the sync has ended", "user"),
    ),
    "local-database-busy": _until_mended(
        "local-database-busy", ANY_WRITE,
        "The app cannot write to its database until it is started again; why it is held is not rebuilt.",
        ("Close the app, unlock the device, open the app again and sync", "user"),
    ),
    "device-clock": _device_clock,
    "local-state-mismatch": _local_state_mismatch,
}  # fmt: skip
