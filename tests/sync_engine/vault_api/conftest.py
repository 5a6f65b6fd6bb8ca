"""A Vault with a short life behind it, as a function and as a server on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.vault_api import seed_data
from sync_engine.vault_api.fault_injection import FaultInjection
from sync_engine.vault_api.server_state import ServerState
from tests.sync_engine.vault_api.http_caller import PASSWORD, TOKEN, Caller


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The file of a Vault that six devices have synced with for four days, and where its days end."""
    path = tmp_path_factory.mktemp("played") / "vault.sqlite"
    return path, seed_data.create_seeded_vault(path, load_scenario("demo"), seed=3, devices=6, days=4)


@pytest.fixture
def make_served(played: tuple[Path, float], tmp_path: Path) -> Iterator[Callable[..., ServerState]]:
    """Serve a copy of the played Vault; arguments are faults and options of `ServerState`."""
    opened: list[ServerState] = []

    def make(*faults: str, **options: Any) -> ServerState:
        path = tmp_path / f"vault-{len(opened)}.sqlite"
        shutil.copy(played[0], path)
        served = ServerState(
            vault=seed_data.open_vault(path), salt="salt", faults=FaultInjection.parse(faults), **options
        )
        served.add_service_user(PASSWORD)
        served.add_token(TOKEN)
        opened.append(served)
        return served

    yield make
    for served in opened:
        served.vault.db.close()


@pytest.fixture
def make_caller(make_served: Callable[..., ServerState], played: tuple[Path, float]) -> Callable[..., Caller]:
    """Return a function that makes a caller of a served copy, not yet signed in."""
    return lambda *faults, **options: Caller(make_served(*faults, **options), played[1])


@pytest.fixture
def caller(make_caller: Callable[..., Caller]) -> Caller:
    """A caller who has signed in."""
    signed = make_caller()
    signed.sign_in()
    return signed
