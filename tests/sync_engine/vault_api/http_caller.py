"""How tests call the served Vault: as a function, or over a real socket."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sync_engine.vault_api.app import build_app, make_server, serve
from sync_engine.vault_api.messages import Reply, Request
from sync_engine.vault_api.rest import answer_request
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState

PASSWORD = "correct horse"
TOKEN = "veeva-vault-test-token"
V = "/api/v26.2"


@dataclass
class Caller:
    """Calls the REST face as a function; `last` is the reply with its headers."""

    served: ServerState
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
        self.last = answer_request(self.served, request, self.now)
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


@contextmanager
def on_loopback(
    served: ServerState, now: float, tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[str]:
    """Serve the Vault on a real socket with its clock fixed at `now`, over https with `tls`."""
    server = make_server(build_app(served, lambda: now, **options), log_level="critical", tls=tls)
    ready = threading.Event()
    ports: list[int] = []

    def announce(port: int) -> None:
        ports.append(port)
        ready.set()

    thread = threading.Thread(target=serve, args=(server, 0, announce))
    thread.start()
    try:
        assert ready.wait(10)
        base = f"{'http' if tls is None else 'https'}://127.0.0.1:{ports[0]}"
        yield base  # the socket listens already; a call that comes too early waits in its queue
    finally:
        server.should_exit = True
        thread.join(10)
