"""Download Direct Data files and load them, each file as its own target of the report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from ingest.errors import IngestError, SignInRefused, VaultRefused, VaultUnreachable
from ingest.loader import load_all
from ingest.protection.pseudonyms import Pseudonymizer
from ingest.readers.direct_data import ArchiveName
from ingest.store.batches import BatchReport, Clock, utc_now
from ingest.vault.client import VaultClient
from ingest.vault.direct_data import (
    Progress,
    direct_data_watermark,
    fetch_direct_data,
    set_direct_data_watermark,
)
from ingest.vault.pull_report import Finding, Omission, PullReport, TargetReport
from ingest.vault.pull_state import PullState
from ingest.vault.vault_clock import VaultClock


def pull_direct_data(
    store: DuckDBPyConnection | Path | str,
    client: VaultClient,
    folder: Path,
    *,
    extract: str = "incremental_directdata",
    since: datetime | None = None,
    pseudonymizer: Pseudonymizer | None = None,
    clock: Clock = utc_now,
    on_progress: Progress | None = None,
) -> PullReport:
    """Download the files of one extract type into `folder`, load them, and return one report for each.

    Files that end after the last pull are read, or after `since`. A file that cannot be loaded is an omission,
    and the next pull downloads it again. If `store` is a path, the store is open only while a file is loaded. A
    `pseudonymizer` replaces names before anything is stored.
    """
    state = PullState(store, client.host, clock)
    with state.open_store() as opened:
        start = since or direct_data_watermark(opened, client.host, extract)
    try:
        fetched = fetch_direct_data(client, folder, extract=extract, since=start, on_progress=on_progress)
    except (VaultRefused, VaultUnreachable, SignInRefused) as error:
        return PullReport((TargetReport(extract, omissions=(_listing_omission(extract, error),)),))
    notes = VaultClock(client, clock).notes()
    with state.open_store() as opened:
        reports = _by_file(load_all(fetched.paths, opened, pseudonymizer=pseudonymizer, clock=clock))
        reached = _reached(fetched.reached_at, reports)
        if reached:
            set_direct_data_watermark(opened, client.host, extract, reached)
    listing = TargetReport(extract, omissions=fetched.omissions, notes=fetched.notes)
    listed = [listing] if listing.omissions or listing.notes or not reports else []
    return PullReport((*listed, *reports), tuple(notes))


def _by_file(batches: Iterable[BatchReport]) -> list[TargetReport]:
    """Group the parts of the files. A refused part is an omission."""
    files: dict[str, list[Finding]] = {}
    for batch in batches:
        name = Path(batch.path).name if batch.path else "configuration changes"
        findings = files.setdefault(name, [])
        if batch.outcome == "refused":
            part = "" if batch.source == name else batch.source
            findings.append(Omission(name, part, batch.reason or "", batch.next_step or "Check the file."))
        else:
            findings.append(batch)
    return [TargetReport.from_findings(name, findings) for name, findings in files.items()]


def _listing_omission(extract: str, error: IngestError) -> Omission:
    if not isinstance(error, VaultRefused):
        return Omission.from_error(extract, error)
    grant = "Grant the service user API Access and API Direct Data, and check that Direct Data is turned on."
    return Omission(extract, "", str(error), grant)


def _reached(fetched: datetime | None, reports: Iterable[TargetReport]) -> datetime | None:
    """Return the time up to which every file is loaded: before the first that failed."""
    names = [(ArchiveName.parse(Path(each.target)), each) for each in reports]
    loaded = [name.stop_time for name, each in names if name and not each.omissions]
    failed = [name.stop_time for name, each in names if name and each.omissions]
    if fetched is None or not failed:
        return fetched
    return max((stop for stop in loaded if stop < min(failed) and stop <= fetched), default=None)
