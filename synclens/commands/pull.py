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
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption
from synclens.pseudonyms import store_pseudonymizer
from synclens.pull_output import print_pull_report
from synclens.triage_file import existing_triage

KEYRING_SERVICE = "synclens"
DIRECT_DATA = ("full", "incremental", "log")


def pull(
    store: StoreOption = DEFAULT_STORE,
    dns: Annotated[str | None, typer.Option(envvar="VAULT_DNS", help="DNS name or URL of the Vault.")] = None,
    vault_id: Annotated[
        int | None, typer.Option(envvar="VAULT_ID", help="Expected Vault id of the session.")
    ] = None,
    direct_data: Annotated[
        str | None, typer.Option(help=f"Download Direct Data files instead: {', '.join(DIRECT_DATA)}.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Read changes after this time again, in UTC; a first pull reads only these "
            "(default: since the last pull)."
        ),
    ] = None,
    pseudonymize: Annotated[
        bool,
        typer.Option("--pseudonymize", help="Replace names and e-mail addresses with stable pseudonyms."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pull syncs, users, permissions, VMOCs, settings and audit trails from a Vault.

    An interrupted pull continues where it stopped. A field, object or audit trail that Vault refuses is listed with
    the permission to grant, and the pull continues with the others. Periods of time are those of the Vault's clock.
    Exits 1 if anything is missing or rows were rejected, 2 if nothing was pulled.

    Credentials are read from the environment, never from options:
    VAULT_TOKEN, or VAULT_OAUTH_URL and VAULT_OAUTH_TOKEN, or VAULT_USERNAME and VAULT_PASSWORD. A missing password or
    token is read from the system keyring: service `synclens`, with the user name, or `token:` and the DNS name, as
    the account.

    Example: VAULT_DNS=crm.veevavault.com VAULT_USERNAME=svc@example.com synclens pull
    """
    if not dns:
        console.error("no Vault is configured", "Set VAULT_DNS, or pass --dns.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    if direct_data is not None and direct_data not in DIRECT_DATA:
        console.error(
            f"there are no Direct Data files of type {direct_data!r}",
            f"Use one of: {', '.join(DIRECT_DATA)}.",
        )
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    credentials = find_credentials(os.environ, dns)
    reference = f"synclens-{now():%Y%m%dT%H%M%SZ}"
    with ingest.VaultClient(dns, credentials, vault_id=vault_id, reference_id=reference) as client:
        start = since.replace(tzinfo=UTC) if since else None
        pseudonymizer = store_pseudonymizer(store) if pseudonymize else None
        report = (
            _pull_direct_data(client, store, direct_data, start, pseudonymizer)
            if direct_data
            else _pull_tables(client, store, start, pseudonymizer)
        )
    if report.batches:
        with ingest.open_store(store, read_only=False) as opened:
            update_findings(opened, existing_triage(store), at=now())
    if as_json:
        console.print_json(report.to_dict())
    else:
        print_pull_report(report)
    if report.got_nothing:
        console.error(f"nothing was pulled from {dns}", _next_step(report))
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    if not report.is_complete:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _next_step(report: ingest.PullReport) -> str:
    return next((each.next_step for each in report.omissions), "Check the address and the credentials.")


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


def _pull_tables(
    client: ingest.VaultClient,
    path: Path,
    since: datetime | None,
    pseudonymizer: ingest.Pseudonymizer | None,
) -> ingest.PullReport:
    with console.progress("Pulling", None) as advance:
        return ingest.pull(
            path,
            client,
            since=since,
            pseudonymizer=pseudonymizer,
            clock=now,
            on_progress=lambda *_: advance(),
        )


def _pull_direct_data(
    client: ingest.VaultClient,
    path: Path,
    kind: str,
    since: datetime | None,
    pseudonymizer: ingest.Pseudonymizer | None,
) -> ingest.PullReport:
    with tempfile.TemporaryDirectory() as folder, console.progress("Fetching", None) as advance:
        return ingest.pull_direct_data(
            path,
            client,
            Path(folder),
            extract=f"{kind}_directdata",
            since=since,
            pseudonymizer=pseudonymizer,
            clock=now,
            on_progress=lambda *_: advance(),
        )
