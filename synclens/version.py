"""Which version this is, and the parts that decide an answer."""

from __future__ import annotations

import platform
from importlib.metadata import version

import duckdb

import analysis
from ingest.store.open import MIGRATIONS


def version_line() -> str:
    """One line: our version, the catalogue of causes, the schema of the store, DuckDB, Python and the machine."""
    return (
        f"synclens {version('synclens')}, catalogue {analysis.load_catalogue().version}, "
        f"store schema {max(MIGRATIONS)[:4]}, DuckDB {duckdb.__version__}, "
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
