"""Read an audit trail of a Vault from the last pull, or from as far back as Vault allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.errors import PullIncomplete
from ingest.vault.client import VaultClient
from ingest.vault.pull_report import Finding, Omission
from ingest.vault.pull_state import PullState
from ingest.vault.timestamps import format_second
from ingest.vault.vault_clock import VaultClock

Progress = Callable[[str, int, int], None]
"""Called with a target, the number of rows read, and the total."""

OVERLAP = timedelta(minutes=15)
"""Overlap between pulls: a row may be committed later than its modification time."""
_PAGE = 1000
_LOG_FILES = "Load the log files of Direct Data, or an export of the trail from Vault, for this period."
_NEW_STORE = (
    "Load a full Direct Data file, or pull into a new store, to remove records that were deleted then."
)


@dataclass(frozen=True, slots=True)
class Window:
    """A period to request from a trail or a list of deletions, and what cannot be requested.

    `reached` is the end of the last pull.
    """

    start: datetime
    end: datetime
    reached: datetime | None
    findings: tuple[Finding, ...] = ()


def window_since(target: str, reached: datetime | None, since: datetime | None, clock: VaultClock) -> Window:
    """Return the period after the last pull (`reached`), or after `since`, that Vault still lists.

    Vault lists 30 days by its own time. An older part of the period is an omission if an earlier pull reached it.
    """
    end, earliest = clock.now().replace(microsecond=0), clock.earliest()
    if reached is not None and reached > end + OVERLAP:
        note = (
            f"{target}: the last pull ended at {format_second(reached)}, which is later than the Vault's time "
            f"{format_second(end)}; all {(end - earliest).days + 1} days are read again"
        )
        return Window(earliest, end, None, (note,))
    if reached is None:
        return Window(min(max(since or earliest, earliest), end), end, reached)
    wanted = min(reached - OVERLAP, since or reached)
    if reached >= earliest:
        return Window(max(wanted, earliest), end, reached)
    period = f"{format_second(reached)} to {format_second(earliest)}"
    reason = "Vault lists only the last 30 days"
    next_step = _NEW_STORE if target.endswith("deletions") else _LOG_FILES
    return Window(earliest, end, reached, (Omission(target, period, reason, next_step),))


def pull_trail(
    client: VaultClient, pull_state: PullState, name: str, window: Window, progress: Progress
) -> Iterator[Finding]:
    """Load the entries of an audit trail, one batch for each page.

    The watermark moves after the last page. Raises PullIncomplete if Vault returns fewer entries than it announced.
    """
    yield from window.findings
    span = f"start_date={format_second(window.start)}&end_date={format_second(window.end)}&limit={_PAGE}"
    rows, total = 0, 0
    for page in client.pages(f"/audittrail/{name}?{span}"):
        rows, total = rows + len(page.data) + page.unreadable_rows, int(page.details.get("total") or 0)
        done = not page.details.get("next_page") and rows >= total
        yield from page.findings(name)
        yield pull_state.store_page(name, page.data, reached=window.end if done else window.reached)
        progress(name, rows, max(rows, total))
        if page.details.get("next_page") and not page.data:
            break
    if rows < total:
        raise PullIncomplete(name, rows, total)
