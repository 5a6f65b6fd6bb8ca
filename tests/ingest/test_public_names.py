"""The public names of `ingest`: all of them exist, and the import is cheap."""

import subprocess
import sys

import ingest


def test_every_public_name_can_be_imported():
    assert all(hasattr(ingest, name) for name in ingest.__all__)
    assert set(ingest.__all__) <= set(dir(ingest))
    assert list(ingest._MODULE_OF) == ingest.__all__


def test_the_import_loads_no_heavy_package():
    heavy = "{'duckdb', 'httpx', 'openpyxl', 'pandas', 'pyarrow', 'pydantic'}"
    statement = f"import sys, ingest; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", statement], check=True)
