"""Of two versions of a row with the same time, the one with the whole text wins, in either order."""

from __future__ import annotations

from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from ingest import load

HEADER = "id,name__v,object_name__v,where_clause__v,modified_date__v\n"
WHOLE = "WHERE id = '" + "7" * 238 + "! #$%&()*+ and the end"
"""The characters after the first 250 sort before a quote, which ends the cut text."""


@pytest.mark.parametrize("texts", [(WHOLE, WHOLE[:250]), (WHOLE[:250], WHOLE)])
def test_a_cut_text_does_not_replace_the_whole_one(
    store: DuckDBPyConnection, tmp_path: Path, texts: tuple[str, str]
) -> None:
    for number, text in enumerate(texts):
        path = tmp_path / f"vmobile_object_configuration__v-{number}.csv"
        path.write_text(f'{HEADER}V6C1,accounts,account__v,"{text}",2026-05-04T08:00:00.000Z\n')
        load(path, store)
    assert store.execute("SELECT where_clause FROM vmoc").fetchall() == [(WHOLE,)]
