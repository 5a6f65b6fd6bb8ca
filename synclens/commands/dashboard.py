"""`synclens dashboard`: serve the dashboard on this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

import dashboard as pages
from synclens import console
from synclens.options import DEFAULT_STORE, StoreOption

PortOption = Annotated[int, typer.Option(help="Port of the dashboard on localhost.")]


def dashboard(store: StoreOption = DEFAULT_STORE, port: PortOption = 8501) -> None:
    """Serve the dashboard on localhost until Ctrl-C.

    Example: synclens dashboard --store demo.duckdb
    """
    console.info(f"The dashboard is at http://localhost:{port} (Ctrl-C ends it).")
    command = [sys.executable, "-m", "streamlit", *pages.streamlit_arguments(port=port)]
    try:
        finished = subprocess.run(command, env=pages.environment(store), check=False)  # noqa: S603 - our own words
    except KeyboardInterrupt:
        return
    if finished.returncode:
        console.error(
            f"the dashboard ended with exit code {finished.returncode}",
            f"If port {port} is taken, choose another with --port.",
        )
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
