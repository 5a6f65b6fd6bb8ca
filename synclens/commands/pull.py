"""`synclens pull`: update the store from a Vault over its REST API."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import ingest
from analysis.findings import update_findings
from synclens import console
from synclens.clock import now
from synclens.extras import install_command
from synclens.load_report import print_load_reports
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.triage_file import existing_triage

KEYRING_SERVICE = "synclens"


def pull(
    store: StoreOption = DEFAULT_STORE,
    dns: Annotated[str | None, typer.Option(envvar="VAULT_DNS", help="DNS name or URL of the Vault.")] = None,
    vault_id: Annotated[
        int | None, typer.Option(envvar="VAULT_ID", help="Expected Vault id of the session.")
    ] = None,
    direct_data: Annotated[
        str | None, typer.Option(help="Download Direct Data files instead: full, incremental or log.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only changes after this time, in UTC (default: since the last pull)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pull syncs, users, permissions, VMOCs, settings and audit trails from a Vault.

    An interrupted pull continues where it stopped. Credentials are read from the environment, never from options:
    VAULT_TOKEN, or VAULT_OAUTH_URL and VAULT_OAUTH_TOKEN, or VAULT_USERNAME and VAULT_PASSWORD. A missing password or
    token is read from the system keyring: service `synclens`, with the user name, or `token:` and the DNS name, as
    the account.

    Example: VAULT_DNS=crm.veevavault.com VAULT_USERNAME=svc@example.com synclens pull
    """
    if not dns:
        console.error("no Vault is configured", "Set VAULT_DNS, or pass --dns.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    credentials = find_credentials(os.environ, dns)
    reference = f"synclens-{now():%Y%m%dT%H%M%SZ}"
    with ingest.VaultClient(dns, credentials, vault_id=vault_id, reference_id=reference) as client:
        start = since.replace(tzinfo=UTC) if since else None
        reports = (
            _pull_direct_data(client, store, direct_data, start)
            if direct_data
            else _pull_tables(client, store, start)
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
    """Return the credentials for the Vault at `dns` from the environment or the system keyring.

    Raises IngestError if there are none; its next step names the variables.
    """
    if token := environment.get("VAULT_TOKEN"):
        return ingest.ApiToken(token)
    if (url := environment.get("VAULT_OAUTH_URL")) and (token := environment.get("VAULT_OAUTH_TOKEN")):
        return ingest.OAuth(url, token, environment.get("VAULT_OAUTH_CLIENT_ID"))
    if user := environment.get("VAULT_USERNAME"):
        if password := environment.get("VAULT_PASSWORD") or _read_keyring(user):
            return ingest.Password(user, password)
    elif token := _read_keyring(f"token:{dns}"):
        return ingest.ApiToken(token)
    raise ingest.IngestError(f"there are no credentials for {dns}", next_step=_credentials_next_step())


def _credentials_next_step() -> str:
    variables = "Set VAULT_TOKEN, or VAULT_USERNAME and VAULT_PASSWORD"
    if _keyring() is None:
        return f"{variables}. For the system keyring: {install_command('keyring')}"
    return f"{variables}; or store them in the keyring with `keyring set synclens USERNAME`."


def _read_keyring(account: str) -> str | None:
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        password: str | None = keyring.get_password(KEYRING_SERVICE, account)
    except keyring.errors.KeyringError:  # this machine has no keyring
        return None
    return password


def _keyring() -> Any | None:
    """Return the keyring package, None if the extra is not installed."""
    try:
        return import_module("keyring")
    except ModuleNotFoundError:
        return None


def _pull_tables(client: ingest.VaultClient, path: Path, since: datetime | None) -> list[ingest.BatchReport]:
    with console.progress("Pulling", None) as advance:
        reports = ingest.pull(path, client, since=since, clock=now, on_progress=lambda *_: advance())
    with ingest.open_store(path, read_only=False) as store:
        update_findings(store, existing_triage(path), at=now())
    return reports


def _pull_direct_data(
    client: ingest.VaultClient, path: Path, kind: str, since: datetime | None
) -> list[ingest.BatchReport]:
    extract = f"{kind}_directdata"
    with ingest.open_store(path, read_only=False) as store:
        start = since or ingest.direct_data_watermark(store, client.host, extract)
    with tempfile.TemporaryDirectory() as folder, console.progress("Fetching", None) as advance:
        fetched = ingest.fetch_direct_data(
            client, Path(folder), extract=extract, since=start, on_progress=lambda *_: advance()
        )
        for note in fetched.notes:
            console.info(f"  {note}")
        with ingest.open_store(path, read_only=False) as store:
            reports = ingest.load_all(fetched.paths, store, clock=now)
            if fetched.reached_at:
                ingest.set_direct_data_watermark(store, client.host, extract, fetched.reached_at)
            update_findings(store, existing_triage(path), at=now())
    return reports
