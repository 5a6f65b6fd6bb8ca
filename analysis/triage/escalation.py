"""Decide whether an issue escalates: more devices than usual, by a lower confidence bound.

Events do not measure a rise: one iPad that retries 500 times causes 500 of them. The unit is the device-day: each
device counts once a day, compared with the device-days on which the fleet was active. Weekends and a growing fleet
therefore do not look like a rise. Of all device-days of an issue, the number on the last day is binomial; its exact
lower bound (Clopper and Pearson 1934, Biometrika 26) is the smallest rise that the data support.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from scipy.special import betaincinv

BASELINE_DAYS = 14
RISE_LIMIT = 2.0
MIN_DEVICES = 3
MIN_SHARE = 0.01
# One-sided. With one check a day, fewer than 1 of 200 stable weeks then escalate, even if days vary by a third.
# 0.999 would have no false escalation, and miss every fourth rise to eight times the usual level
# (tests/analysis/triage/test_auto_review.py).
CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """The escalation check of an issue: the rise, its lower bound, and the devices it affects and needs."""

    escalates: bool
    rise: float
    rise_low: float
    devices: int
    devices_needed: int

    @property
    def reason(self) -> str:
        """Return the reason in one sentence."""
        rise = f"{self.devices} devices in a day, at least {self.rise_low:.1f} times as many as usual"
        if self.escalates:
            return f"{rise} (limit {RISE_LIMIT:g} times, {self.devices_needed} devices)"
        if self.devices < self.devices_needed:
            return f"{self.devices} devices in a day, {self.devices_needed} are needed"
        return f"{rise}, which is within {RISE_LIMIT:g} times"


def assess_escalation(*, devices: int, active: int, before: int, active_before: int) -> Escalation:
    """Decide whether one issue escalates on one day.

    `devices` of `active` devices had the issue in the last day. In the baseline period, `before` of `active_before`
    device-days had it.
    """
    needed = max(MIN_DEVICES, ceil(MIN_SHARE * active))
    if devices == 0 or active == 0 or active_before == 0:
        # Without a baseline there is no rise: the state "new" covers new issues.
        return Escalation(escalates=False, rise=0.0, rise_low=0.0, devices=devices, devices_needed=needed)
    activity_ratio = active_before / active
    share_low = float(betaincinv(devices, before + 1, 1 - CONFIDENCE))
    rise_low = share_low / (1 - share_low) * activity_ratio
    rise = devices / (before + 0.5) * activity_ratio
    return Escalation(
        escalates=devices >= needed and rise_low > RISE_LIMIT,
        rise=rise,
        rise_low=rise_low,
        devices=devices,
        devices_needed=needed,
    )
