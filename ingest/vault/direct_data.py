"""Direct Data files: found, fetched part by part, checked, and handed over in the order to apply them."""

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
"""How long Vault keeps incremental files; whoever is further behind needs a full one."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FetchedArchives:
    """What a fetch brought: the first part of each archive in the order to apply them, and what to know."""

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
    """Fetch every file of one extract type that ends after `since` into `folder`.

    Of full files only the newest is fetched, and of others those that go on after it. Each part is checked
    against the size and the md5 that Vault announces. A file that is there already and passes is not fetched
    again, so an interrupted fetch goes on. What was left out, files that Vault could not publish and gaps
    between files are told in the notes. Raises PartDamaged when a part fails twice.
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
        notes.append("these files hold changes only; fetch a full file first to have what did not change")
    paths, parts = [], sum(len(each["filepart_details"]) for each in files)
    done = 0
    for each in files:
        if each.get("record_count") == 0:
            done += len(each["filepart_details"])
            continue
        fetched = []
        for part in sorted(each["filepart_details"], key=lambda part: int(part.get("filepart") or 0)):
            fetched.append(_fetch(client, folder, part))
            done += 1
            if on_progress:
                on_progress(extract, done, parts)
        paths.append(fetched[0])
    return FetchedArchives(tuple(paths), _reached(files, listed), tuple(notes))


def direct_data_watermark(store: DuckDBPyConnection, host: str, extract: str) -> datetime | None:
    """Say up to when the files of one extract type were applied; None when that is not known.

    A full file brings everything up to its end, so increments go on after it.
    """
    kinds = [extract, EXTRACTS[0]] if extract == EXTRACTS[1] else [extract]
    row = store.execute(
        "SELECT max(reached_at) FROM watermark WHERE source = ? AND target IN (SELECT unnest(?))",
        [host, kinds],
    ).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None


def set_direct_data_watermark(store: DuckDBPyConnection, host: str, extract: str, reached: datetime) -> None:
    """Remember that all files of one extract type up to `reached` are in the store; call it after the load."""
    with transaction(store):
        place = [host, extract]
        store.execute("DELETE FROM watermark WHERE source = ? AND target = ?", place)
        store.execute("INSERT INTO watermark VALUES (?, ?, ?, NULL)", [*place, to_naive_utc(reached)])


def _reached(files: list[dict[str, Any]], listed: list[dict[str, Any]]) -> datetime | None:
    # A file that is still to be published must not fall behind what counts as applied.
    found = (
        re.search(r"-(\d{8}-\d{4})-[FNL]", str(each.get("name"))) for each in listed if each.get("error")
    )
    missing = [datetime.strptime(each[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) for each in found if each]
    stops = [_time(each, "stop_time") for each in files]
    return max((stop for stop in stops if all(stop < each for each in missing)), default=None)


def _fetch(client: VaultClient, folder: Path, part: dict[str, Any]) -> Path:
    # The name comes from outside; only its last piece may name a file here.
    path = folder / PurePosixPath(str(part.get("filename") or part.get("name")).replace("\\", "/")).name
    for _ in range(2):
        if path.exists() and _is_whole(path, part):
            return path
        client.download(f"/services/directdata/files/{part['name']}", path)
    if _is_whole(path, part):
        return path
    path.unlink(missing_ok=True)
    raise PartDamaged(path.name)


def _is_whole(path: Path, part: dict[str, Any]) -> bool:
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
    # Each full file holds the whole Vault at its end, so whatever ends before the newest one is in it.
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
    return needed, [f"older files not fetched, because {newest} holds what they hold: {superseded}"]


def _is_full(each: dict[str, Any]) -> bool:
    told = str(each.get("extract_type") or "")
    return told == EXTRACTS[0] or (not told and str(each.get("name") or "").endswith("-F"))


def _gaps(files: list[dict[str, Any]], since: datetime | None) -> list[str]:
    notes, reached = [], since
    for each in files:
        start = _time(each, "start_time")
        if reached is not None and start > reached:
            notes.append(f"nothing covers {_minutes(reached)} to {_minutes(start)}: load a full file")
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
    told = error if isinstance(error, dict) else {}
    reason, again = told.get("message") or "no reason given", told.get("next_retry") or "unknown"
    return f"not published ({reason}), next try {again}"
