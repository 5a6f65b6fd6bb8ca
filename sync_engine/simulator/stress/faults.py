"""Fault plans of stress worlds. Each fault is a field with its rate; a swarm draws a plan from a seed."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """The rates of all faults, from 0 to 1.

    A rate is the probability per exchange, per fault point, per edit, or per step of the world, as listed.
    """

    request_loss: float = 0.0  # per exchange: the Vault never receives it
    reply_loss: float = 0.0  # per exchange: the Vault processes it, but the device receives no reply
    duplicate: float = 0.0  # per exchange: delivered twice in a row
    late_duplicate: float = 0.0  # per exchange: delivered again, minutes later
    delay: float = 0.0  # per exchange: minutes instead of a second
    truncated: float = 0.0  # per exchange: the reply is cut in the middle
    portal: float = 0.0  # per exchange: a captive portal answers instead of the Vault
    partition: float = 0.0  # per step: a device has no network for a while
    throttle: float = 0.0  # per exchange: HTTP 429
    outage: float = 0.0  # per exchange: HTTP 503
    server_crash: float = 0.0  # per exchange: the transaction is rolled back, no reply
    epoch_change: float = 0.0  # per step: the Vault rebuilds its log
    kill: float = 0.0  # per fault point: the app's process is killed
    disk_full: float = 0.0  # per fault point that writes
    background: float = 0.0  # per step: the app leaves the foreground for a while
    power_loss: float = 0.0  # per step: the data database is replaced by an older state
    device_restored: float = 0.0  # per step: both databases are replaced by a backup
    clock_skew: float = 0.0  # per step: the device's clock jumps
    rows_lost: float = 0.0  # per step: a record is deleted from the data database, silently
    session_end: float = 0.0  # per step: the user's sessions are revoked
    overlap: float = 0.0  # per step: a second sync starts during the first
    poison: float = 0.0  # per edit: a value that is always refused
    undo: float = 0.0  # per step: the user acts on the Errors tab
    server_edit: float = 0.0  # per step: another user writes
    server_delete: float = 0.0  # per step: another user deletes or restores
    realign: float = 0.0  # per step: an account changes territory, or a user does
    lock: float = 0.0  # per step: a call is submitted or unlocked
    merge: float = 0.0  # per step: two accounts are merged
    permission: float = 0.0  # per step: a permission is revoked or granted
    vmoc: float = 0.0  # per step: a WHERE clause changes
    schema: float = 0.0  # per step: a field is removed or added again
    files: float = 0.0  # per step: a file is added, changed or removed; without it the Vault has none

    @classmethod
    def of_seed(cls, seed: int) -> FaultPlan:
        """Return the plan of a seed. About every third world has files, which are drawn separately."""
        rng = Random(f"{seed}/files")
        files = rng.uniform(0.05, 0.3) if rng.random() < 0.34 else 0.0
        return replace(cls.swarm(Random(f"{seed}/plan")), files=files)

    @classmethod
    def swarm(cls, rng: Random) -> FaultPlan:
        """Draw a plan: each fault is absent or has a random rate up to its limit.

        About every third plan has at most two faults. `files` is not drawn here, but in `of_seed`.
        """
        names = [spec.name for spec in fields(cls) if spec.name != "files"]
        if rng.random() < 0.34:
            present = {rng.choice(names), rng.choice(names[-8:])}
        else:
            present = {name for name in names if rng.random() < 0.5}
        return cls(**{name: rng.uniform(0.02, LIMITS.get(name, 0.2)) for name in names if name in present})


LIMITS = {
    "partition": 0.1,
    "epoch_change": 0.06,
    "kill": 0.06,
    "disk_full": 0.06,
    "power_loss": 0.08,
    "device_restored": 0.06,
    "background": 0.1,
    "outage": 0.15,
    "throttle": 0.15,
    "poison": 0.3,
    "server_edit": 0.5,
    "undo": 0.4,
    "overlap": 0.15,
}
"""Maximum rates in `FaultPlan.swarm`, for faults whose maximum is not 0.2."""

CALM = FaultPlan()
"""Plan without faults. Users still edit the same records."""
