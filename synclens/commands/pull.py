"""`synclens pull`: bring the store up to date with a Vault over its REST API."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import keyring
import typer

import ingest
from analysis.findings import update_findings
from synclens import console
from synclens.clock import now
from synclens.load_report import print_load_reports
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.triage_file import existing_triage

KEYRING_SERVICE = "synclens"


def pull(
    store: StoreOption = DEFAULT_STORE,
    dns: Annotated[str | None, typer.Option(envvar="VAULT_DNS", help="The Vault's DNS name or URL.")] = None,
    vault_id: Annotated[
        int | None, typer.Option(envvar="VAULT_ID", help="The id that the session must be for.")
    ] = None,
    direct_data: Annotated[
        str | None, typer.Option(help="Fetch Direct Data files instead: full, incremental or log.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Take what changed after this time, in UTC. Without it a pull goes on from the last."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pull syncs, users, permissions, VMOCs, settings and audit trails from a Vault; resumable.

    Credentials come from the environment, never from options: VAULT_TOKEN, or VAULT_OAUTH_URL with
    VAULT_OAUTH_TOKEN, or VAULT_USERNAME with VAULT_PASSWORD. A password or token that is not there is asked
    of the system's keyring (service `synclens`, the user name or `token:` and the DNS name).

    Example: VAULT_DNS=crm.veevavault.com VAULT_USERNAME=svc@example.com synclens pull
    """
    if not dns:
        console.error("no Vault is named", "Set VAULT_DNS, or give --dns.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    credentials = find_credentials(os.environ, dns)
    reference = f"synclens-{now():%Y%m%dT%H%M%SZ}"
    with ingest.VaultClient(dns, credentials, vault_id=vault_id, reference_id=reference) as client:
        begin = since.replace(tzinfo=UTC) if since else None
        reports = (
            _direct_data(client, store, direct_data, begin) if direct_data else _tables(client, store, begin)
        )
    if as_json:
        console.print_json([report.to_dict() for report in reports])
    else:
        print_load_reports(reports)
    if any(report.rows_rejected for report in reports):
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def find_credentials(
    environment: Mapping[str, str], dns: str
) -> ingest.ApiToken | ingest.OAuth | ingest.Password:
    """The credentials that the environment or the keyring holds for the Vault at `dns`.

    Raises IngestError, which names the variables, when there are none.
    """
    if token := environment.get("VAULT_TOKEN"):
        return ingest.ApiToken(token)
    if (url := environment.get("VAULT_OAUTH_URL")) and (token := environment.get("VAULT_OAUTH_TOKEN")):
        return ingest.OAuth(url, token, environment.get("VAULT_OAUTH_CLIENT_ID"))
    if user := environment.get("VAULT_USERNAME"):
        if password := environment.get("VAULT_PASSWORD") or _kept(user):
            return ingest.Password(user, password)
    elif token := _kept(f"token:{dns}"):
        return ingest.ApiToken(token)
    raise ingest.IngestError(
        f"there are no credentials for {dns}",
        next_step="Set VAULT_TOKEN, or VAULT_USERNAME and VAULT_PASSWORD; or keep them in the keyring with "
        "`keyring set synclens USERNAME`.",
    )


def _kept(name: str) -> str | None:
    try:
        return keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError:  # a machine without a keyring keeps nothing
        return None


def _tables(client: ingest.VaultClient, path: Path, since: datetime | None) -> list[ingest.BatchReport]:
    with console.progress("Pulling", None) as advance:
        reports = ingest.pull(path, client, since=since, clock=now, on_progress=lambda *_: advance())
    with ingest.open_store(path, read_only=False) as store:
        update_findings(store, existing_triage(path), at=now())
    return reports


def _direct_data(
    client: ingest.VaultClient, path: Path, kind: str, since: datetime | None
) -> list[ingest.BatchReport]:
    extract = f"{kind}_directdata"
    with ingest.open_store(path, read_only=False) as store:
        begin = since or ingest.direct_data_watermark(store, client.host, extract)
    with tempfile.TemporaryDirectory() as folder, console.progress("Fetching", None) as advance:
        fetched = ingest.fetch_direct_data(
            client, Path(folder), extract=extract, since=begin, on_progress=lambda *_: advance()
        )
        for note in fetched.notes:
            console.info(f"  {note}")
        with ingest.open_store(path, read_only=False) as store:
            reports = ingest.load_all(fetched.paths, store, clock=now)
            if fetched.reached_at:
                ingest.set_direct_data_watermark(store, client.host, extract, fetched.reached_at)
            update_findings(store, existing_triage(path), at=now())
    return reports
