"""Check that an installation can work; each failed check has a next step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import analysis
import ingest
from analysis.triage.database import triage_path

if TYPE_CHECKING:
    import httpx

LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, with a next step if it failed."""

    name: str
    ok: bool
    result: str
    next_step: str = ""


def run_checks(
    store: Path,
    *,
    environment: Mapping[str, str],
    get: Callable[[str], httpx.Response] | None = None,
) -> Iterator[Check]:
    """Check the store and its secrets, triage state, folder and disk, the catalogue, and a configured Vault.

    `environment` names the Vault in VAULT_DNS. `get` sends the request to it (default: httpx).
    """
    yield _check_store(store)
    yield _check_secrets(store)
    yield _check_triage(store)
    yield _check_folder(store)
    yield _check_disk(store)
    yield _check_catalogue()
    if dns := environment.get("VAULT_DNS"):
        yield _check_vault(dns, get or _get)
    else:
        yield Check("Vault", True, "not configured; set VAULT_DNS to check it")


def _check_store(path: Path) -> Check:
    try:
        with ingest.open_store(path, timeout_seconds=3) as store:
            health = analysis.health(store)
    except ingest.StoreMissing:
        return Check("store", True, f"no store at {path} yet; the first load creates it")
    except ingest.IngestError as error:
        return Check("store", False, str(error), error.next_step)
    counts = f"{health.syncs:,} syncs, {health.errors:,} errors, {health.devices:,} devices"
    return Check("store", True, f"{path}: {counts}")


def _check_secrets(path: Path) -> Check:
    try:
        with ingest.open_store(path, timeout_seconds=3) as store:
            stored = ingest.find_stored_secrets(store)
    except ingest.IngestError:
        return Check("secrets", True, "no store to search")
    if not stored:
        return Check("secrets", True, "no passwords, tokens or session ids in the store")
    places = ", ".join(
        f"{each.table.removeprefix('main.')}.{each.column} ({each.count:,})" for each in stored
    )
    return Check(
        "secrets",
        False,
        f"an older version stored secrets: {places}",
        f"Replace them: synclens doctor --store {path} --remove-secrets. Then change these passwords, end these "
        "sessions, and delete backups and exports made before.",
    )


def _check_triage(store: Path) -> Check:
    path = triage_path(store)
    if not path.exists():
        return Check("triage state", True, "no triage decisions yet")
    try:
        analysis.TriageState(path).states()
    except analysis.AnalysisError as error:
        return Check("triage state", False, str(error), error.next_step)
    return Check("triage state", True, str(path))


def _check_folder(path: Path) -> Check:
    folder = path.resolve().parent
    if not folder.is_dir():
        return Check("folder", False, f"{folder} does not exist", f"Create it: mkdir -p '{folder}'")
    ok = os.access(folder, os.R_OK | os.W_OK)
    return Check(
        "folder",
        ok,
        f"{folder} is readable and writable" if ok else f"{folder} is not writable",
        "" if ok else "Grant this user write permission, or choose another --store.",
    )


def _check_disk(path: Path) -> Check:
    folder = next(parent for parent in path.resolve().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    size = path.stat().st_size if path.exists() else 0
    # A load and its checkpoint may need as much space again as the store uses.
    ok = free > max(LOW_DISK_BYTES, size)
    return Check(
        "disk", ok, f"{free / 1e9:,.1f} GB free", "" if ok else "Free some space before the next load."
    )


def _check_catalogue() -> Check:
    version = analysis.load_catalogue().version
    return Check(
        "catalogue", True, f"{version}: {len(analysis.CAUSES)} causes, {len(analysis.METRICS)} metrics"
    )


def _check_vault(dns: str, get: Callable[[str], httpx.Response]) -> Check:
    import httpx  # noqa: PLC0415 - needed only if a Vault is configured

    url = dns if "://" in dns else f"https://{dns}"
    try:
        response = get(f"{url}/api/")
    except httpx.HTTPError as error:
        return Check("Vault", False, f"{dns}: {error}", "Check VAULT_DNS, the network and the proxy.")
    ok = response.status_code < 500
    return Check("Vault", ok, f"{dns} responds with {response.status_code}", "" if ok else "Try again later.")


def _get(url: str) -> httpx.Response:
    import httpx  # noqa: PLC0415

    return httpx.get(url, timeout=10)
