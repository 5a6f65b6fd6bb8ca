"""When is an issue escalating: a rise in *devices*, by a lower bound, among enough of them.

Events are worthless as a measure: one iPad that retries 500 times makes 500 of them. Counted are
device-days, each device once a day, against the device-days on which the fleet was active, so that weekends
and growth of the fleet explain themselves. Given all device-days of an issue, how many of them fall on the
last day is binomial; its exact lower bound (Clopper and Pearson 1934, Biometrika 26) gives the least rise
that the data support.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from scipy.special import betaincinv

BASELINE_DAYS = 14
RISE_LIMIT = 2.0
MIN_DEVICES = 3
MIN_SHARE = 0.01
# One-sided. Quiet weeks of seven looks then err in fewer than 1 of 200, even when days wobble by a third;
# 0.999 would never err, and miss every fourth rise to eight times the usual (tests/analysis/states).
CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Whether an issue escalates, and why: the rise, its lower bound, and the devices it took."""

    escalates: bool
    rise: float
    rise_low: float
    devices: int
    devices_needed: int

    @property
    def reason(self) -> str:
        """Say it in one sentence."""
        grown = f"{self.devices} devices in a day, at least {self.rise_low:.1f} times as many as usual"
        if self.escalates:
            return f"{grown} (limit {RISE_LIMIT:g} times, {self.devices_needed} devices)"
        if self.devices < self.devices_needed:
            return f"{self.devices} devices in a day, {self.devices_needed} are needed"
        return f"{grown}, which is within {RISE_LIMIT:g} times"


def assess_escalation(*, devices: int, active: int, before: int, active_before: int) -> Escalation:
    """Judge one issue on one day.

    `devices` had the issue in the last day, of `active` devices; `before` device-days had it in the baseline,
    of `active_before` device-days on which any device was active.
    """
    needed = max(MIN_DEVICES, ceil(MIN_SHARE * active))
    if devices == 0 or active == 0 or active_before == 0:
        # Without a past there is nothing to rise from; what is new is called new.
        return Escalation(escalates=False, rise=0.0, rise_low=0.0, devices=devices, devices_needed=needed)
    odds_to_ratio = active_before / active
    lowest = float(betaincinv(devices, before + 1, 1 - CONFIDENCE))
    rise_low = lowest / (1 - lowest) * odds_to_ratio
    rise = devices / (before + 0.5) * odds_to_ratio
    return Escalation(
        escalates=devices >= needed and rise_low > RISE_LIMIT,
        rise=rise,
        rise_low=rise_low,
        devices=devices,
        devices_needed=needed,
    )
