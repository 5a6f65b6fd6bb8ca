"""How a source writes times and dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CellFormat:
    """The context needed to read the times and dates of cells.

    `time_zone` is the IANA zone of times without one. `date_order` is the order of day and month in dates
    with slashes; without it such dates are rejected.
    """

    time_zone: str = "UTC"
    date_order: Literal["dmy", "mdy"] | None = None


VAULT_FORMAT = CellFormat()
"""The format of Vault's own exports: UTC, and no dates with slashes."""
