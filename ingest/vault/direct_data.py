"""Download Direct Data files part by part, verify them, and return them in the order to load them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

from duckdb import DuckDBPyConnection

from ingest.errors import IngestError, PartDamaged, SignInRefused, VaultRefused, VaultUnreachable
from ingest.store.batches import to_naive_utc
from ingest.store.transaction import transaction
from ingest.vault.client import VaultClient
from ingest.vault.pull_report import Omission
from ingest.vault.responses import ends_pull
from ingest.vault.timestamps import parse_timestamp

EXTRACTS = ("full_directdata", "incremental_directdata", "log_directdata")
_LOAD_FULL = "Load a full file: run `synclens pull --direct-data full`."
_TURN_ON = (
    "Check that Direct Data is turned on for this Vault; the first full file is published within a day. "
    "Grant the service user API Direct Data."
)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FetchedArchives:
    """Downloaded archives: the first part of each in the order to load them, what is missing, and notes."""

    paths: tuple[Path, ...]
    reached_at: datetime | None
    omissions: tuple[Omission, ...]
    notes: tuple[str, ...]


def fetch_direct_data(
    client: VaultClient,
    folder: Path,
    *,
    extract: str = "incremental_directdata",
    since: datetime | None = None,
    on_progress: Progress | None = None,
) -> FetchedArchives:
    """Download every file of one extract type that ends after `since` into `folder`.

    Only the newest full file is downloaded, and the incremental files after it. The size and MD5 hash of each
    part are verified. Complete parts in the folder are not downloaded again, so an interrupted download
    continues. Omissions are files that Vault could not publish, files that were damaged twice or refused, gaps
    between files, and a list that has no file although one is due. After an error of the connection the other files
    are omitted too. Raises VaultRefused or VaultUnreachable if the files cannot be listed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    query = {"extract_type": extract} | (
        {"start_time": _minutes(since)} if since and "full" not in extract else {}
    )
    listed = client.call("GET", f"/services/directdata/files?{urlencode(query)}").data
    omissions = [_unpublished(extract, each) for each in listed if each.get("error")]
    files = [each for each in listed if not each.get("error") and each.get("filepart_details")]
    files = sorted((each for each in files if since is None or _time(each, "stop_time") > since), key=_stop)
    files, notes = _needed(files)
    omissions += _gaps(extract, files, since)
    if not listed:
        omissions += _due(extract, since, client.vault_time)
    if since is None and extract == EXTRACTS[1] and files and not _is_full(files[0]):
        omissions.append(Omission(extract, "unchanged records", "these files have changes only", _LOAD_FULL))
    downloads = _Downloads(client, folder, extract, on_progress)
    paths = downloads.run(files)
    missing = [_stop_of_name(each) for each in listed if each.get("error")] + downloads.missing
    reached = _reached(files, [each for each in missing if each])
    return FetchedArchives(tuple(paths), reached, (*omissions, *downloads.omissions), tuple(notes))


@dataclass(slots=True)
class _Downloads:
    client: VaultClient
    folder: Path
    extract: str
    on_progress: Progress | None
    omissions: list[Omission] = field(default_factory=list)
    missing: list[datetime] = field(default_factory=list)

    def run(self, files: list[dict[str, Any]]) -> list[Path]:
        """Download the files, and return the first part of each."""
        total, done, paths = sum(len(each["filepart_details"]) for each in files), 0, list[Path]()
        error: IngestError | None = None
        for each in files:
            parts = sorted(each["filepart_details"], key=lambda part: int(part.get("filepart") or 0))
            if each.get("record_count") != 0 and error is None:
                try:
                    first, *_ = [_download(self.client, self.folder, part) for part in parts]
                    paths.append(first)
                except (PartDamaged, VaultRefused, VaultUnreachable, SignInRefused) as failure:
                    self._omit(each, failure)
                    error = failure if ends_pull(failure) else None
            elif error is not None:
                self._omit(each, error)
            done += len(parts)
            if self.on_progress:
                self.on_progress(self.extract, done, total)
        return paths

    def _omit(self, each: dict[str, Any], error: IngestError) -> None:
        self.omissions.append(Omission.from_error(self.extract, error, str(each.get("name"))))
        self.missing.append(_stop(each))


def direct_data_watermark(store: DuckDBPyConnection, host: str, extract: str) -> datetime | None:
    """Return up to when the files of one extract type were loaded, or None.

    Incremental files continue after the end of a full file.
    """
    kinds = [extract, EXTRACTS[0]] if extract == EXTRACTS[1] else [extract]
    row = store.execute(
        "SELECT max(reached_at) FROM watermark WHERE source = ? AND target IN (SELECT unnest(?))",
        [host, kinds],
    ).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None


def set_direct_data_watermark(store: DuckDBPyConnection, host: str, extract: str, reached: datetime) -> None:
    """Record that all files of one extract type up to `reached` are loaded; call this after the load."""
    with transaction(store):
        key = [host, extract]
        store.execute("DELETE FROM watermark WHERE source = ? AND target = ?", key)
        store.execute("INSERT INTO watermark VALUES (?, ?, ?, NULL)", [*key, to_naive_utc(reached)])


def _reached(files: list[dict[str, Any]], missing: list[datetime]) -> datetime | None:
    # Files that are missing must be later than the watermark.
    stops = [_stop(each) for each in files]
    return max((stop for stop in stops if all(stop < each for each in missing)), default=None)


def _stop_of_name(each: dict[str, Any]) -> datetime | None:
    match = re.search(r"-(\d{8}-\d{4})-[FNL]", str(each.get("name")))
    return datetime.strptime(match[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) if match else None


def _download(client: VaultClient, folder: Path, part: dict[str, Any]) -> Path:
    # The name is not trusted; only its last part names a file here.
    path = folder / PurePosixPath(str(part.get("filename") or part.get("name")).replace("\\", "/")).name
    for _ in range(2):
        if path.exists() and _is_complete(path, part):
            return path
        client.download(f"/services/directdata/files/{part['name']}", path)
    if _is_complete(path, part):
        return path
    path.unlink(missing_ok=True)
    raise PartDamaged(path.name)


def _is_complete(path: Path, part: dict[str, Any]) -> bool:
    if part.get("size") is not None and path.stat().st_size != int(part["size"]):
        return False
    announced = str(part.get("md5checksum") or "")
    if not announced:
        return True
    with path.open("rb") as file:
        return (
            hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            == announced.lower()
        )


def _needed(files: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    # A full file has the whole Vault at its end, so earlier files are superseded.
    full = [each for each in files if _is_full(each)]
    if not full:
        return files, []
    needed = [
        each for each in files if each is full[-1] or (not _is_full(each) and _stop(each) > _stop(full[-1]))
    ]
    superseded = len(files) - len(needed)
    if not superseded:
        return needed, []
    newest = full[-1].get("name")
    return needed, [f"older files not downloaded, superseded by {newest}: {superseded}"]


def _is_full(each: dict[str, Any]) -> bool:
    extract_type = str(each.get("extract_type") or "")
    return extract_type == EXTRACTS[0] or (not extract_type and str(each.get("name") or "").endswith("-F"))


def _gaps(extract: str, files: list[dict[str, Any]], since: datetime | None) -> Iterator[Omission]:
    reached = since
    for each in files:
        start = _time(each, "start_time")
        if reached is not None and start > reached:
            yield _gap(extract, reached, start, "no file covers this period")
        reached = _stop(each)


def _due(extract: str, since: datetime | None, now: datetime | None) -> list[Omission]:
    """Return an omission if Vault lists no file at all, although it publishes one every quarter hour or day."""
    interval = timedelta(hours=1) if extract == EXTRACTS[1] else timedelta(days=2)
    if since is None:
        return [Omission(extract, "", "Vault lists no file of this type", _TURN_ON)]
    if now is None or now - since <= interval:
        return []
    return [_gap(extract, since, now, "Vault lists no file of this type")]


def _gap(extract: str, start: datetime, end: datetime, reason: str) -> Omission:
    return Omission(extract, f"changes from {_minutes(start)} to {_minutes(end)}", reason, _LOAD_FULL)


def _stop(each: dict[str, Any]) -> datetime:
    return _time(each, "stop_time")


def _time(each: dict[str, Any], name: str) -> datetime:
    return parse_timestamp(each.get(name)) or datetime.min.replace(tzinfo=UTC)


def _minutes(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _unpublished(extract: str, each: dict[str, Any]) -> Omission:
    error = each.get("error")
    details = error if isinstance(error, dict) else {}
    reason = f"not published ({details.get('message') or 'unknown reason'})"
    retry = details.get("next_retry")
    next_step = f"Run the same command again after {retry}." if retry else "Run the same command again later."
    return Omission(extract, str(each.get("name")), reason, next_step)
