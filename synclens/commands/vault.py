"""`synclens vault`: the reference Vault over HTTP, to sync devices with and to pull from."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario
from sync_engine.vault.state import Vault
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.app import build_app, make_server, serve
from sync_engine.vault_api.fault_injection import FAULTS, FaultInjection
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState
from synclens import console
from synclens.clock import now

vault_app = typer.Typer(help="A Vault to sync with and to pull from.", no_args_is_help=True)

DatabaseOption = Annotated[Path, typer.Option("--db", help="The SQLite file that the Vault lives in.")]
LINKS = ("full", "versioned", "bare", "mixed")


@vault_app.command("serve")
def serve_vault(
    db: DatabaseOption = Path("vault.sqlite"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 8700,
    scenario: Annotated[str, typer.Option(help="What a new Vault has lived through.")] = "demo",
    seed: Annotated[int, typer.Option(help="One seed, one Vault.")] = 1,
    devices: Annotated[int, typer.Option(min=1, help="Devices in the life of a new Vault.")] = 20,
    days: Annotated[int, typer.Option(min=0, help="Days in the life of a new Vault; 0 leaves it empty.")] = 7,
    password: Annotated[
        str | None,
        typer.Option(envvar="SYNCLENS_VAULT_PASSWORD", help="Of the integration user; else a new one."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="SYNCLENS_VAULT_TOKEN", help="An API access token to accept, veeva-vault-…."),
    ] = None,
    misbehave: Annotated[
        list[str] | None, typer.Option(help="NAME=N, may be repeated; see `vault ways`.")
    ] = None,
    links: Annotated[str, typer.Option(help=f"The form of page links: {', '.join(LINKS)}.")] = "versioned",
    part_bytes: Annotated[int, typer.Option(min=1000, help="Size of a Direct Data part.")] = 1 << 30,
    slow: Annotated[float, typer.Option(min=0, help="Seconds before each answer to a device.")] = 0.0,
) -> None:
    """Serve a Vault on loopback until stopped with Ctrl-C; a new file is filled by playing a fleet first.

    The device protocol is at /device, everything else has the shape of Vault's REST API. Nothing here is reachable
    from other machines.

    Example: synclens vault serve --db vault.sqlite --seed 7 --misbehave shrink=100 --misbehave expire=50
    """
    faults = _faults(misbehave or [])
    if links not in LINKS:
        console.error(f"there are no links {links!r}", f"Take one of: {', '.join(LINKS)}.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    vault = _vault(db, scenario, seed, devices, days)
    secret = password or secrets.token_urlsafe(12)
    served = ServerState(
        vault=vault, salt=secrets.token_hex(16), faults=faults, links=links, part_bytes=part_bytes
    )
    served.provide_service_user(secret)
    if token:
        served.provide_token(token)
    offset = seed_data.clock_offset(vault)
    server = make_server(build_app(served, lambda: now().timestamp() + offset, slow=slow))
    serve(server, port, lambda taken: _announce(taken, None if password else secret))


@vault_app.command()
def users(db: DatabaseOption = Path("vault.sqlite")) -> None:
    """List the users of a served Vault with the passwords that its devices sign in with, as JSON.

    They are invented people. The file must not be served at the same time.

    Example: synclens vault users --db vault.sqlite
    """
    vault = seed_data.open_vault(db)
    shown = ("id", "name", "email", "password", "permission_set", "territories")
    console.print_json(
        [{name: one[name] for name in shown} for _, one in sorted(vault.live.get("user", {}).items())]
    )
    vault.db.close()


@vault_app.command()
def ways() -> None:
    """List the ways in which the served Vault can misbehave.

    Example: synclens vault ways
    """
    for name, meaning in FAULTS.items():
        console.print_output(f"{name}: {meaning}")
    console.print_output("error:TYPE: every Nth call is refused with a type of the API reference")


def _faults(texts: list[str]) -> FaultInjection:
    try:
        return FaultInjection.parse(texts)
    except ValueError as error:
        console.error(str(error), "List them with `synclens vault ways`.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN) from None


def _vault(db: Path, scenario: str, seed: int, devices: int, days: int) -> Vault:
    if db.exists():
        return seed_data.open_vault(db)
    if days == 0:
        return seed_data.open_vault(db)
    if scenario not in SCENARIOS:
        console.error(f"there is no scenario {scenario!r}", f"Take one of: {', '.join(sorted(SCENARIOS))}.")
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
    with console.progress(f"Playing {devices} devices over {days} days", days) as advance:
        end = seed_data.fill(
            db,
            load_scenario(scenario),
            seed=seed,
            devices=devices,
            days=days,
            on_day=lambda _: advance(),
        )
    vault = seed_data.open_vault(db)
    seed_data.set_clock(vault, end - now().timestamp())
    return vault


def _announce(port: int, secret: str | None) -> None:
    console.info(f"Serving on http://127.0.0.1:{port} for {SERVICE_NAME}.")
    if secret:
        console.info(f"Its password, made for this run: {secret}")
