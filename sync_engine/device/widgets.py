"""The Sync widget and the Status widget, computed from the device's data.

States, colors and the age of the Apply button are those that Veeva documents for Vault CRM.
docs/engine-assumptions.md lists the choices for cases that are not documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sync_engine.device import errors_tab
from sync_engine.device.client import Device

DAY_SECONDS = 86_400.0
UNCOUNTED_OBJECTS = ("order__v",)
"""Objects that the count of pending uploads excludes."""

Color = Literal["green", "orange", "red", "blue", "none"]
State = Literal["up_to_date", "active", "pending", "errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWidget:
    """The widget of the blocking sync. `last_sync` is the time of the last successful sync, or None."""

    state: State
    color: Color
    symbol: str
    pending_uploads: int
    errors: int
    last_sync: float | None
    sync_overdue: bool  # more than `sync_warn_interval__v` days have passed


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWidget:
    """The widget of the non-blocking sync. `age_days` is the time since updates became ready to apply."""

    running: bool
    updates_ready: bool
    apply_color: Color
    age_days: float | None
    errors: int


def sync_widget(device: Device) -> SyncWidget:
    """Return the state of the Sync widget. Precedence: active sync, errors, pending uploads."""
    errors, pending = len(errors_tab.entries(device)), _count_pending_uploads(device)
    last_sync = device.get("last_sync")
    overdue = _is_overdue(device, last_sync)
    state, color, symbol = _appearance(device, errors=errors, pending=pending, overdue=overdue)
    return SyncWidget(
        state=state,
        color=color,
        symbol=symbol,
        pending_uploads=pending,
        errors=errors,
        last_sync=last_sync,
        sync_overdue=overdue,
    )


def status_widget(device: Device) -> StatusWidget:
    """Return the state of the Status widget: blue under one day, orange up to two, then red."""
    update = device.get("update_ready")
    age = None if not update else (device.env.now() - update["since"]) / DAY_SECONDS
    return StatusWidget(
        running=device.busy,
        updates_ready=bool(update),
        apply_color="none" if age is None else "blue" if age < 1 else "orange" if age <= 2 else "red",
        age_days=age,
        errors=len(errors_tab.entries(device)),
    )


def _appearance(device: Device, *, errors: int, pending: int, overdue: bool) -> tuple[State, Color, str]:
    if device.busy:
        return "active", "orange", "spinning arrows"
    if errors:
        return "errors", "red", "exclamation mark"
    if pending:
        return "pending", "red" if overdue else "orange", "arrow"
    return "up_to_date", "green", "check"


def _count_pending_uploads(device: Device) -> int:
    placeholders = ",".join("?" * len(UNCOUNTED_OBJECTS))
    row = device.journal.execute(
        f"SELECT count(*) FROM outbox WHERE acked_seq IS NULL AND object NOT IN ({placeholders})",
        UNCOUNTED_OBJECTS,
    ).fetchone()
    return int(row[0])


def _is_overdue(device: Device, last_sync: float | None) -> bool:
    """Return whether the warning interval has passed; 0 days turn the warning off."""
    interval = device.setting("sync_warn_interval__v", 0)
    return bool(interval) and last_sync is not None and device.env.now() - last_sync > interval * DAY_SECONDS
