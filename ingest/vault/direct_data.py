"""Download Direct Data files part by part, verify them, and return them in the order to load them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

from duckdb import DuckDBPyConnection

from ingest.errors import PartDamaged
from ingest.store.batches import to_naive_utc
from ingest.store.transaction import transaction
from ingest.vault.client import VaultClient
from ingest.vault.timestamps import parse_timestamp

EXTRACTS = ("full_directdata", "incremental_directdata", "log_directdata")
KEPT = timedelta(days=10)
"""How long Vault keeps incremental files; an older store needs a full file."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FetchedArchives:
    """Downloaded archives: the first part of each, in the order to load them, and notes."""

    paths: tuple[Path, ...]
    reached_at: datetime | None
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
    continues. The notes list skipped files, files that Vault could not publish, and gaps between files. Raises
    PartDamaged if a part fails verification twice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    query = {"extract_type": extract} | (
        {"start_time": _minutes(since)} if since and "full" not in extract else {}
    )
    listed = client.call("GET", f"/services/directdata/files?{urlencode(query)}").data
    notes = [f"{each.get('name')}: {_error(each)}" for each in listed if each.get("error")]
    files = [each for each in listed if not each.get("error") and each.get("filepart_details")]
    files = sorted((each for each in files if since is None or _time(each, "stop_time") > since), key=_stop)
    files, superseded = _needed(files)
    notes += superseded + _gaps(files, since)
    if since is None and extract == EXTRACTS[1] and files and not _is_full(files[0]):
        notes.append("these files have changes only; load a full file first for unchanged records")
    paths, parts = [], sum(len(each["filepart_details"]) for each in files)
    done = 0
    for each in files:
        if each.get("record_count") == 0:
            done += len(each["filepart_details"])
            continue
        downloaded = []
        for part in sorted(each["filepart_details"], key=lambda part: int(part.get("filepart") or 0)):
            downloaded.append(_download(client, folder, part))
            done += 1
            if on_progress:
                on_progress(extract, done, parts)
        paths.append(downloaded[0])
    return FetchedArchives(tuple(paths), _reached(files, listed), tuple(notes))


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


def _reached(files: list[dict[str, Any]], listed: list[dict[str, Any]]) -> datetime | None:
    # Files that are not published yet must be later than the watermark.
    matches = (
        re.search(r"-(\d{8}-\d{4})-[FNL]", str(each.get("name"))) for each in listed if each.get("error")
    )
    missing = [datetime.strptime(each[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) for each in matches if each]
    stops = [_time(each, "stop_time") for each in files]
    return max((stop for stop in stops if all(stop < each for each in missing)), default=None)


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


def _gaps(files: list[dict[str, Any]], since: datetime | None) -> list[str]:
    notes, reached = [], since
    for each in files:
        start = _time(each, "start_time")
        if reached is not None and start > reached:
            notes.append(f"no file covers {_minutes(reached)} to {_minutes(start)}: load a full file")
        reached = _time(each, "stop_time")
    return notes


def _stop(each: dict[str, Any]) -> datetime:
    return _time(each, "stop_time")


def _time(each: dict[str, Any], name: str) -> datetime:
    return parse_timestamp(each.get(name)) or datetime.min.replace(tzinfo=UTC)


def _minutes(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _error(each: dict[str, Any]) -> str:
    error = each.get("error")
    details = error if isinstance(error, dict) else {}
    reason = details.get("message") or "unknown reason"
    return f"not published ({reason}), next attempt {details.get('next_retry') or 'unknown'}"
