"""`synclens dashboard`: serve the dashboard on this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from synclens import console
from synclens.extras import require_extra
from synclens.options import DEFAULT_STORE, StoreOption

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Dashboard port on localhost.")]


def dashboard(store: StoreOption = DEFAULT_STORE, port: PortOption = 8501) -> None:
    """Serve the dashboard on localhost until stopped (Ctrl-C).

    Example: synclens dashboard --store demo.duckdb
    """
    require_extra("The dashboard", "dashboard", "streamlit", "dashboard")
    import dashboard as pages  # noqa: PLC0415 - an optional package

    console.info(f"The dashboard is at http://localhost:{port} (stop with Ctrl-C).")
    command = [sys.executable, "-m", "streamlit", *pages.streamlit_arguments(port=port)]
    try:
        result = subprocess.run(command, env=pages.environment(store), check=False)  # noqa: S603 - fixed arguments
    except KeyboardInterrupt:
        return
    if result.returncode:
        console.error(
            f"the dashboard exited with code {result.returncode}",
            f"If port {port} is in use, choose another one with --port.",
        )
        raise typer.Exit(console.EXIT_COULD_NOT_RUN)
