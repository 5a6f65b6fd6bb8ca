"""The served Vault as a Starlette application with two routes.

`POST /device` uses the device protocol; all other paths are the REST API. Only one worker thread at a time uses the
Vault, because the engine has one writer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sync_engine.vault.server import handle_request
from sync_engine.vault_api.messages import Reply, Request
from sync_engine.vault_api.rest import answer_request
from sync_engine.vault_api.server_state import ServerState

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
DEVICE_TYPE = "application/vnd.synclens.device"


class DroppedResponse(Response):
    """A response whose connection closes before the body is complete."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"responseStatus": "SUC', "more_body": True})


def build_app(server: ServerState, clock: Callable[[], float], *, delay: float = 0.0) -> Starlette:
    """Build the application for a served Vault. Replies to devices are delayed by `delay` seconds.

    `clock` returns the Vault's time in seconds since 1970. Every reply has it in its Date header.
    """
    lock = asyncio.Lock()

    async def device(http: HttpRequest) -> Response:
        body = await http.body()
        if delay:
            await asyncio.sleep(delay)
        async with lock:
            at = clock()
            reply = await run_in_threadpool(handle_request, body, server.vault, at)
        return Response(reply, headers=_date_header(at), media_type=DEVICE_TYPE)

    async def rest(http: HttpRequest) -> Response:
        request = await _read_request(http)
        async with lock:
            at = clock()
            reply = await run_in_threadpool(answer_request, server, request, at)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        return _to_response(reply, at)

    return Starlette(
        routes=[
            Route("/device", device, methods=["POST"]),
            Route("/{path:path}", rest, methods=METHODS),
        ]
    )


async def _read_request(http: HttpRequest) -> Request:
    return Request(
        method=http.method,
        path=http.url.path,
        query=dict(http.query_params),
        headers={name.lower(): value for name, value in http.headers.items()},
        body=await http.body(),
        base=str(http.base_url).rstrip("/"),
        client=http.client.host if http.client else "unknown",
    )


def _to_response(reply: Reply, at: float) -> Response:
    if reply.dropped:
        return DroppedResponse()
    headers = dict(reply.headers) | _date_header(at)
    return Response(reply.body, reply.status, headers, media_type=reply.content_type)


def _date_header(at: float) -> dict[str, str]:
    return {"Date": formatdate(at, usegmt=True)}


def make_server(
    app: Starlette, *, log_level: str = "warning", tls: ssl.SSLContext | None = None
) -> uvicorn.Server:
    """Create a server for the application; `serve` binds it to a socket. With `tls`, it serves https only."""
    # The application sends the Date header: it is the Vault's time, not the time of this machine.
    config = uvicorn.Config(
        app, log_level=log_level, lifespan="off", ws="none", access_log=False, date_header=False,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )  # fmt: skip
    return uvicorn.Server(config)


def serve(server: uvicorn.Server, port: int, on_ready: Callable[[int], None]) -> None:
    """Serve on loopback until stopped; `on_ready` receives the port; 0 selects a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        # With the explicit protocol, asyncio sends small replies immediately. Without it, each waits for 40 ms.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(100)  # from now on, callers wait instead of being refused
        on_ready(int(listening.getsockname()[1]))
        server.run(sockets=[listening])
