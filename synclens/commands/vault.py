"""`synclens vault`: serve the reference Vault over HTTP."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.vault.state import Vault
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.fault_injection import FAULTS, FaultInjection
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState
from synclens import console
from synclens.clock import now
from synclens.extras import require_extra
from synclens.scenario_option import require_scenarios
from synclens.tls import LoopbackCertificate, make_loopback_certificate

vault_app = typer.Typer(
    help="Serve a reference Vault that devices sync with and `synclens pull` reads.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DatabaseOption = Annotated[Path, typer.Option("--db", help="SQLite file of the Vault.")]
LINK_FORMATS = ("full", "versioned", "bare", "mixed")


@vault_app.command("serve")
def serve_vault(
    db: DatabaseOption = Path("vault.sqlite"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on localhost; 0 selects a free one.")
    ] = 8700,
    scenario: Annotated[
        str, typer.Option(callback=require_scenarios, help="Fault scenario of a new Vault.")
    ] = "demo",
    seed: Annotated[int, typer.Option(help="Random seed. The same seed produces an identical Vault.")] = 1,
    devices: Annotated[int, typer.Option(min=1, help="Number of simulated devices of a new Vault.")] = 20,
    days: Annotated[
        int, typer.Option(min=0, help="Number of simulated days of a new Vault; 0 leaves it empty.")
    ] = 7,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="SYNCLENS_VAULT_PASSWORD", help="Password of the integration user (default: generated)."
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="SYNCLENS_VAULT_TOKEN", help="API access token to accept, veeva-vault-…."),
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="Fault to inject, as NAME=N; see `vault faults`. Repeatable.")
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option(
            help="Object, OBJECT.FIELD, audit trail or path (such as /objects/picklists) that no user may read. "
            "Repeatable."
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option("--now", help="Time of the Vault at the start, in UTC (default: the system clock)."),
    ] = None,
    links: Annotated[
        str, typer.Option(help=f"Format of page links: {', '.join(LINK_FORMATS)}.")
    ] = "versioned",
    part_bytes: Annotated[int, typer.Option(min=1000, help="Size of a Direct Data part in bytes.")] = 1 << 30,
    delay: Annotated[
        float, typer.Option(min=0, help="Seconds to wait before each response to a device.")
    ] = 0.0,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve https with a certificate made on start (default: http).")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            help="With --tls, file for the certificate that clients must trust (default: DB.ca.pem)."
        ),
    ] = None,
) -> None:
    """Serve a Vault on localhost until stopped (Ctrl-C). A new file is filled by a simulation.

    The simulated days end today, at midnight UTC. The device protocol is at /device, all other paths follow Vault's
    REST API. Other machines cannot reach it. Devices and `synclens pull` use the Vault's time from its replies.

    With --tls, clients that speak https only can connect: make them trust the file that --ca-file names, for example
    with SSL_CERT_FILE. The certificate is valid for localhost only and changes with every start.

    Example: synclens vault serve --db vault.sqlite --seed 7 --fault shrink=100 --fault expire=50
    """
    require_extra("The Vault server", "vault-server", "starlette", "uvicorn")
    from sync_engine.vault_api import app  # noqa: PLC0415 - imports both

    faults = _parse_faults(fault or [])
    if links not in LINK_FORMATS:
        console.error(f"there is no link format {links!r}", f"Use one of: {', '.join(LINK_FORMATS)}.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    offset = (at.replace(tzinfo=UTC) - now()).total_seconds() if at else 0.0
    vault = _open_or_create(db, scenario, seed, devices, days, offset)
    integration_password = password or secrets.token_urlsafe(12)
    server_state = ServerState(
        vault=vault,
        salt=secrets.token_hex(16),
        faults=faults,
        link_form=links,
        part_bytes=part_bytes,
        refused=frozenset(refuse or ()),
    )
    server_state.add_service_user(integration_password)
    if token:
        server_state.add_token(token)
    certificate = _make_certificate(ca_file or db.with_suffix(".ca.pem")) if tls else None
    server = app.make_server(
        app.build_app(server_state, lambda: now().timestamp() + offset, delay=delay),
        tls=None if certificate is None else certificate.context,
    )
    generated_password = None if password else integration_password
    app.serve(server, port, lambda bound_port: _announce(bound_port, generated_password, certificate))


@vault_app.command()
def users(db: DatabaseOption = Path("vault.sqlite")) -> None:
    """Print the users of a Vault and their passwords as JSON.

    The users are invented. Devices sign in with these passwords. The Vault must not be served at the same time.

    Example: synclens vault users --db vault.sqlite
    """
    vault = seed_data.open_vault(db)
    columns = ("id", "name", "email", "password", "permission_set", "territories")
    console.print_json(
        [{name: user[name] for name in columns} for _, user in sorted(vault.live.get("user", {}).items())]
    )
    vault.db.close()


@vault_app.command()
def faults() -> None:
    """List the faults that a served Vault can inject.

    Example: synclens vault faults
    """
    for name, description in FAULTS.items():
        console.print_output(f"{name}: {description}")
    console.print_output("error:TYPE: every Nth call fails with an error type of the API reference")


def _parse_faults(texts: list[str]) -> FaultInjection:
    try:
        return FaultInjection.parse(texts)
    except ValueError as error:
        console.error(str(error), "List them with `synclens vault faults`.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN) from None


def _open_or_create(
    db: Path, scenario: str, seed: int, devices: int, days: int, clock_offset: float
) -> Vault:
    if db.exists() or days == 0:
        return seed_data.open_vault(db)
    with console.progress(f"Simulating {devices} devices over {days} days", days) as advance:
        seed_data.create_seeded_vault(
            db,
            load_scenario(scenario),
            seed=seed,
            devices=devices,
            days=days,
            now=now() + timedelta(seconds=clock_offset),
            on_day=lambda _: advance(),
        )
    return seed_data.open_vault(db)


def _make_certificate(ca_file: Path) -> LoopbackCertificate:
    """Make a certificate and write the one that clients must trust to `ca_file`."""
    require_extra("The Vault server with --tls", "vault-server", "trustme")
    certificate = make_loopback_certificate()
    try:
        ca_file.write_bytes(certificate.authority)
    except OSError as error:
        console.error(f"cannot write {ca_file}: {error.strerror}", "Choose another file with --ca-file.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN) from None
    console.info(f"Certificate to trust: {ca_file}")
    return certificate


def _announce(port: int, generated_password: str | None, certificate: LoopbackCertificate | None) -> None:
    scheme = "https" if certificate else "http"
    console.info(f"Serving on {scheme}://127.0.0.1:{port} for {SERVICE_NAME}.")
    if certificate:
        console.info(f"SHA-256 fingerprint of the certificate: {certificate.fingerprint}")
    if generated_password:
        console.info(f"Password for this run: {generated_password}")
