"""The main figures for Prometheus, over HTTP on this machine."""

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
PATIENCE_SECONDS = (
    2.0  # a scrape has ten seconds unless told otherwise; a held store is no reason to use them
)


class CachedMetrics:
    """The text of the main figures of one store, worked out again only after the file changed."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._known: tuple[int, str] | None = None

    def text(self) -> str:
        """Give the text. Raises IngestError when the store cannot be read now."""
        with self._lock:
            changed = self.store.stat().st_mtime_ns if self.store.exists() else 0
            if self._known is None or self._known[0] != changed:
                with ingest.open_store(self.store, timeout_seconds=PATIENCE_SECONDS) as opened:
                    self._known = (changed, analysis.prometheus_text(opened))
            return self._known[1]


@contextmanager
def serve_metrics(store: Path, port: int, *, host: str = LOOPBACK) -> Iterator[int]:
    """Serve `GET /metrics` in a thread until the block ends; gives the port, a free one if `port` is 0.

    Answers 503 with the reason while the store cannot be read. Raises OSError when the port is taken.
    """
    figures = CachedMetrics(store)

    class Scrape(BaseHTTPRequestHandler):
        """Answers one request."""

        def do_GET(self) -> None:
            status, kind, body = _answer(figures, self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing: a line for every scrape would bury the news."""

    server = ThreadingHTTPServer((host, port), Scrape)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(figures: CachedMetrics, path: str) -> tuple[int, str, bytes]:
    plain = "text/plain; charset=utf-8"
    if path.partition("?")[0] != "/metrics":
        return 404, plain, b"The figures are at /metrics.\n"
    try:
        return 200, CONTENT_TYPE, figures.text().encode()
    except ingest.IngestError as refused:
        return 503, plain, f"{refused}\n{refused.next_step}\n".encode()
