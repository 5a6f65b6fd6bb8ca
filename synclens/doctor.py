"""`synclens doctor`: is this installation fit to work, and if not, what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

import analysis
import ingest
from analysis.triage.database import triage_path

LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: whether it is well, what was seen, and what to do when it is not."""

    name: str
    ok: bool
    seen: str
    next_step: str = ""


def run_checks(
    store: Path,
    *,
    environment: Mapping[str, str],
    get: Callable[[str], httpx.Response] | None = None,
) -> Iterator[Check]:
    """Look at the store, its folder, the disk, our own data and, where one is configured, the Vault.

    `environment` names the Vault in VAULT_DNS; `get` is how it is asked, httpx unless told otherwise.
    """
    yield _store(store)
    yield _triage(store)
    yield _folder(store)
    yield _disk(store)
    yield _catalogue()
    if dns := environment.get("VAULT_DNS"):
        yield _vault(dns, get or (lambda url: httpx.get(url, timeout=10)))
    else:
        yield Check("Vault", True, "none configured; set VAULT_DNS to have it looked at")


def _store(path: Path) -> Check:
    try:
        with ingest.open_store(path, timeout_seconds=3) as store:
            health = analysis.health(store)
    except ingest.StoreMissing:
        return Check("store", True, f"none at {path} yet; the first load makes it")
    except ingest.IngestError as error:
        return Check("store", False, str(error), error.next_step)
    counted = f"{health.syncs:,} syncs, {health.errors:,} errors, {health.devices:,} devices"
    return Check("store", True, f"{path}: {counted}")


def _triage(path: Path) -> Check:
    triage = triage_path(path)
    if not triage.exists():
        return Check("triage state", True, "nobody has decided anything yet")
    try:
        analysis.TriageState(triage).states()
    except analysis.AnalysisError as error:
        return Check("triage state", False, str(error), error.next_step)
    return Check("triage state", True, str(triage))


def _folder(path: Path) -> Check:
    folder = path.resolve().parent
    if not folder.is_dir():
        return Check("folder", False, f"{folder} is not there", f"Make it: mkdir -p '{folder}'")
    fine = os.access(folder, os.R_OK | os.W_OK)
    return Check(
        "folder",
        fine,
        f"{folder} can be read and written" if fine else f"{folder} cannot be written",
        "" if fine else "Give this user the right to write there, or choose another --store.",
    )


def _disk(path: Path) -> Check:
    folder = next(place for place in path.resolve().parents if place.is_dir())
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.exists() else 0
    # A load and a checkpoint may need as much again as the store holds.
    fine = free > max(LOW_DISK_BYTES, size)
    return Check(
        "disk", fine, f"{free / 1e9:,.1f} GB free", "" if fine else "Free some space before the next load."
    )


def _catalogue() -> Check:
    catalogue = analysis.load_catalogue()
    seen = f"{catalogue.version}: {len(analysis.CAUSES)} causes, {len(analysis.METRICS)} metrics"
    return Check("catalogue", True, seen)


def _vault(dns: str, get: Callable[[str], httpx.Response]) -> Check:
    url = dns if "://" in dns else f"https://{dns}"
    try:
        answer = get(f"{url}/api/")
    except httpx.HTTPError as error:
        return Check("Vault", False, f"{dns}: {error}", "Check VAULT_DNS, the network and the proxy.")
    fine = answer.status_code < 500
    return Check("Vault", fine, f"{dns} answers {answer.status_code}", "" if fine else "Try again later.")
