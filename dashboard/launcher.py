"""Start options of the dashboard: script, arguments and environment. Does not import Streamlit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

STORE_VARIABLE = "SYNCLENS_STORE"
DEFAULT_STORE = Path("synclens.duckdb")


def app_path() -> Path:
    """Return the path of the script that Streamlit runs."""
    return Path(__file__).parent / "app.py"


def streamlit_arguments(port: int, *, address: str = "localhost", browser: bool = False) -> list[str]:
    """Return the arguments for `python -m streamlit` that serve the dashboard on `port`.

    The default address accepts connections from this machine only; configure sign-in before using another one
    (docs/dashboard.md). Colors and fonts are in `.streamlit/config.toml` beside the script.
    """
    options = {
        "server.port": str(port),
        "server.address": address,
        "server.headless": str(not browser).lower(),
        "browser.gatherUsageStats": "false",
        # A change of an installed file must not rerun the page.
        "server.fileWatcherType": "none",
    }
    return ["run", str(app_path()), *(f"--{name}={value}" for name, value in options.items())]


def environment(store: Path | str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the dashboard: `base` (default: that of this process) plus the store."""
    inherited = dict(os.environ if base is None else base)
    return inherited | {STORE_VARIABLE: str(Path(store).absolute())}


def store_path() -> Path:
    """Return the path of the store: `SYNCLENS_STORE`, or `synclens.duckdb` in the working folder."""
    return Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)
