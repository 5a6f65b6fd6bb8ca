"""The version of SyncLens and of the components that determine its results."""

from __future__ import annotations

import platform
from importlib.metadata import version

import duckdb

import analysis
from ingest.store.open import MIGRATIONS


def version_line() -> str:
    """Return the versions of SyncLens, the catalogue, the store schema, DuckDB and Python on one line."""
    return (
        f"synclens {version('synclens')}, catalogue {analysis.load_catalogue().version}, "
        f"store schema {max(MIGRATIONS)[:4]}, DuckDB {duckdb.__version__}, "
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
