"""How the dashboard is started: its script, its options, its environment. Imports no Streamlit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

STORE_VARIABLE = "SYNCLENS_STORE"
DEFAULT_STORE = Path("synclens.duckdb")


def app_path() -> Path:
    """The script that Streamlit runs."""
    return Path(__file__).parent / "app.py"


def streamlit_arguments(port: int, *, address: str = "localhost", browser: bool = False) -> list[str]:
    """Arguments for `python -m streamlit` that serve the dashboard on `port`.

    The default address answers to this machine only; sign-in is what makes another one sensible
    (docs/dashboard.md). Colours and fonts are in `.streamlit/config.toml` beside the script.
    """
    options = {
        "server.port": str(port),
        "server.address": address,
        "server.headless": str(not browser).lower(),
        "browser.gatherUsageStats": "false",
        # A page must not rerun because a file of the installation was touched.
        "server.fileWatcherType": "none",
    }
    return ["run", str(app_path()), *(f"--{name}={value}" for name, value in options.items())]


def environment(store: Path | str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the dashboard: `base` (default: that of this process) plus the store."""
    inherited = dict(os.environ if base is None else base)
    return inherited | {STORE_VARIABLE: str(Path(store).absolute())}


def store_path() -> Path:
    """The store that the dashboard shows: `SYNCLENS_STORE`, or `synclens.duckdb` in the working folder."""
    return Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)
