"""Serve the Prometheus metrics of a store over HTTP on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import analysis
import ingest
from analysis.alerting.prometheus import CONTENT_TYPE

LOOPBACK = "127.0.0.1"
STORE_TIMEOUT_SECONDS = 2.0  # the default scrape timeout of Prometheus is 10 s


class CachedMetrics:
    """The metrics text of one store, computed again only after the file changes."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._cached: tuple[int, str] | None = None

    def text(self) -> str:
        """Return the metrics text. Raises IngestError if the store cannot be read."""
        with self._lock:
            modified = self.store.stat().st_mtime_ns if self.store.exists() else 0
            if self._cached is None or self._cached[0] != modified:
                with ingest.open_store(self.store, timeout_seconds=STORE_TIMEOUT_SECONDS) as opened:
                    self._cached = (modified, analysis.prometheus_text(opened))
            return self._cached[1]


@contextmanager
def serve_metrics(store: Path, port: int, *, host: str = LOOPBACK) -> Iterator[int]:
    """Serve `GET /metrics` in a thread until the block ends. Yields the port, a free one if `port` is 0.

    Responds with 503 and the reason while the store cannot be read. Raises OSError if the port is in use.
    """
    metrics = CachedMetrics(store)

    class MetricsHandler(BaseHTTPRequestHandler):
        """Responds to one request."""

        def do_GET(self) -> None:
            status, content_type, body = _respond(metrics, self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing: a line per scrape would hide the alerts."""

    server = ThreadingHTTPServer((host, port), MetricsHandler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _respond(metrics: CachedMetrics, path: str) -> tuple[int, str, bytes]:
    plain_text = "text/plain; charset=utf-8"
    if path.partition("?")[0] != "/metrics":
        return 404, plain_text, b"The metrics are at /metrics.\n"
    try:
        return 200, CONTENT_TYPE, metrics.text().encode()
    except ingest.IngestError as error:
        return 503, plain_text, f"{error}\n{error.next_step}\n".encode()
