"""A Vault with a short life behind it, as a function and as a server on loopback."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from sync_engine.http import filling
from sync_engine.http.app import build_app, make_server, serve
from sync_engine.http.messages import Reply, Request
from sync_engine.http.mischief import Mischief
from sync_engine.http.rest import answer
from sync_engine.http.served import SERVICE_NAME, Served
from sync_engine.simulator import load_scenario

PASSWORD = "correct horse"
TOKEN = "veeva-vault-test-token"
V = "/api/v26.2"


@dataclass
class Caller:
    """Calls the REST face as a function; `last` is the reply with its headers."""

    served: Served
    now: float
    session: str = ""
    last: Reply | None = None
    heads: dict[str, str] = field(default_factory=dict)

    def raw(self, method: str, path: str, body: bytes = b"", **heads: str) -> Reply:
        path, _, text = path.partition("?")
        sent = {"content-type": "application/x-www-form-urlencoded"} | self.heads
        sent |= {"authorization": self.session} if self.session else {}
        sent |= {name.replace("_", "-").lower(): value for name, value in heads.items()}
        request = Request(method=method, path=path, query=dict(parse_qsl(text)), headers=sent, body=body)
        self.last = answer(self.served, request, self.now)
        return self.last

    def __call__(self, method: str, path: str, form: dict[str, str] | None = None, **heads: str) -> Any:
        return json.loads(self.raw(method, path, urlencode(form or {}).encode(), **heads).body)

    def sign_in(self, name: str = SERVICE_NAME, password: str = PASSWORD) -> Any:
        self.session = ""
        reply = self("POST", f"{V}/auth", {"username": name, "password": password})
        self.session = reply.get("sessionId", "")
        return reply

    def query(self, text: str, **heads: str) -> Any:
        return self("POST", f"{V}/query", {"q": text}, **heads)

    def everything(self, text: str) -> list[dict[str, Any]]:
        """All rows of a query, page after page."""
        reply = self.query(text)
        assert reply["responseStatus"] != "FAILURE", reply
        rows = list(reply["data"])
        while link := reply["responseDetails"].get("next_page"):
            reply = self("GET", link if link.startswith("/api/") else V + link)
            rows += reply["data"]
        return rows

    def write(self, method: str, name: str, rows: list[dict[str, Any]], tail: str = "") -> Any:
        body = json.dumps(rows).encode()
        reply = self.raw(method, f"{V}/vobjects/{name}{tail}", body, content_type="application/json")
        return json.loads(reply.body)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The file of a Vault that six devices have synced with for four days, and where its days end."""
    path = tmp_path_factory.mktemp("played") / "vault.sqlite"
    return path, filling.fill(path, load_scenario("demo"), seed=3, devices=6, days=4)


@pytest.fixture
def make_served(played: tuple[Path, float], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve a copy of the played Vault; arguments are misbehaviours and options of `Served`."""
    opened: list[Served] = []

    def make(*ways: str, **options: Any) -> Served:
        path = tmp_path / f"vault-{len(opened)}.sqlite"
        shutil.copy(played[0], path)
        served = Served(vault=filling.open_vault(path), salt="salt", mischief=Mischief.parse(ways), **options)
        served.provide_service_user(PASSWORD)
        served.provide_token(TOKEN)
        opened.append(served)
        return served

    yield make
    for served in opened:
        served.vault.db.close()


@pytest.fixture
def make_caller(make_served: Callable[..., Served], played: tuple[Path, float]) -> Callable[..., Caller]:
    """A caller, not yet signed in, of a served copy."""
    return lambda *ways, **options: Caller(make_served(*ways, **options), played[1])


@pytest.fixture
def caller(make_caller: Callable[..., Caller]) -> Caller:
    """A caller who has signed in."""
    signed = make_caller()
    signed.sign_in()
    return signed


@contextmanager
def on_loopback(served: Served, now: float, **options: Any) -> Iterator[str]:
    """The served Vault behind a real socket; its clock stands still at `now`."""
    server = make_server(build_app(served, lambda: now, **options), log_level="critical")
    ready = threading.Event()
    ports: list[int] = []

    def announce(port: int) -> None:
        ports.append(port)
        ready.set()

    thread = threading.Thread(target=serve, args=(server, 0, announce))
    thread.start()
    try:
        assert ready.wait(10)
        base = f"http://127.0.0.1:{ports[0]}"
        for _ in range(200):
            try:
                httpx.get(f"{base}/api/")
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield base
    finally:
        server.should_exit = True
        thread.join(10)
