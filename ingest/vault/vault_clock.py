"""The Vault's time, from the Date header of its replies.

Vault limits trails and lists of deletions to 30 days before its own time, and stamps records with it. A clock of
this machine that is hours off would ask for the wrong days, and Vault returns an empty list without an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.store.batches import Clock
from ingest.vault.client import VaultClient

TOLERANCE = timedelta(minutes=2)
"""Difference between the clocks above which a pull reports it. A reply is read within this time."""
LONGEST_WINDOW = timedelta(days=30)
"""How far back Vault's audit trails and lists of deletions reach, as documented."""
MARGIN = timedelta(minutes=10)
"""Distance that is kept from the limit: a request must not exceed it while it is on its way."""
NO_DATE = "the replies have no Date header, so the clock of this machine is used for periods of time"


@dataclass(frozen=True, slots=True)
class VaultClock:
    """The clock of the Vault of `client`; `local` is the clock of this machine."""

    client: VaultClient
    local: Clock

    def now(self) -> datetime:
        """Return the time of the last reply, or the local time if Vault does not send it."""
        return self.client.vault_time or self.local()

    def earliest(self) -> datetime:
        """Return the earliest time to request from a trail, in whole seconds."""
        return (self.now() - LONGEST_WINDOW + MARGIN).replace(microsecond=0) + timedelta(seconds=1)

    def notes(self) -> list[str]:
        """Return a note if the clocks differ; call this directly after a reply."""
        if self.client.vault_time is None:
            return [NO_DATE]
        ahead = self.local() - self.client.vault_time
        if abs(ahead) <= TOLERANCE:
            return []
        position = "ahead of" if ahead > timedelta(0) else "behind"
        return [
            f"the clock of this machine is {format_duration(abs(ahead))} {position} the clock of the Vault; "
            "the pull uses the Vault's time"
        ]


def format_duration(duration: timedelta) -> str:
    """Format a duration with its two largest units, such as `3 h 5 min`."""
    minutes = round(duration.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join([f"{count} {unit}" for count, unit in units if count][:2]) or "less than 1 min"
