"""Servers in separate processes on the loopback interface."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES_SERVER = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
size, port = map(int, sys.argv[1:])
app = Starlette(routes=[Route("/", lambda request: Response(b"x" * size))])
uvicorn.run(app, port=port, log_level="warning", access_log=False)
"""


@contextmanager
def serve_vault(path: Path) -> Iterator[str]:
    """Serve a Vault with `synclens vault serve`, and yield its address."""
    port = find_free_port()
    command = (sys.executable, "-m", "synclens", "vault", "serve", "--db", str(path), "--port", str(port))
    with run_server(*command, port=port) as address:
        yield address


@contextmanager
def serve_bytes(size: int) -> Iterator[str]:
    """Serve `size` bytes at every GET, and yield the address."""
    port = find_free_port()
    with run_server(sys.executable, "-c", _BYTES_SERVER, str(size), str(port), port=port) as address:
        yield address


def find_free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_server(*command: str, port: int) -> Iterator[str]:
    """Start a server in a separate process and yield its address when it responds."""
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None, running.stderr and running.stderr.read().decode()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)
