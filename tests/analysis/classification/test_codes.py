"""Messages whose cause is in a code, and the same numbers where they are no codes."""

from __future__ import annotations

import errno
import json
import re
import sqlite3
from http import HTTPStatus
from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.classification.codes.tables import load_tables

MESSAGES = [
    json.loads(line)
    for line in Path(__file__).with_name("code_messages.jsonl").read_text("utf-8").splitlines()
]

_NO_RESULT_OF_SQLITE = re.compile(
    "SQLITE_(?:LIMIT_|CREATE_|DROP_|ALTER_|DBCONFIG_|ANALYZE|ATTACH|DELETE|DENY|DETACH|FUNCTION|IGNORE|INSERT|PRAGMA"
    "|READ$|RECURSIVE|REINDEX|SAVEPOINT|SELECT|TRANSACTION|UPDATE)"
)
"""Names of Python's sqlite3 module that are actions, limits and settings."""
SPECIFICATIONS = {
    "http": {f"http:{status.value}" for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST},
    "posix": set(errno.errorcode.values()),
    "sqlite": {
        name for name in dir(sqlite3) if name.startswith("SQLITE_") and not _NO_RESULT_OF_SQLITE.match(name)
    },
    "grpc": {f"grpc:{number}" for number in range(17)},
}
"""The codes of specifications that a library or a range of numbers lists in full."""


@pytest.fixture(scope="module")
def causes() -> list[str]:
    frame = pd.DataFrame(MESSAGES)[["message"]]
    return analysis.classify(frame, rules_only=True)["cause"].tolist()


@pytest.mark.parametrize("place", range(len(MESSAGES)), ids=lambda place: MESSAGES[place]["message"][:50])
def test_a_code_states_its_cause_and_a_mere_number_states_none(place: int, causes: list[str]):
    entry = MESSAGES[place]
    assert causes[place] in {entry["cause"], *entry.get("also", ())}


@pytest.mark.parametrize("family", SPECIFICATIONS)
def test_the_table_of_a_family_is_complete(family: str):
    (table,) = [table for table in load_tables() if table.family == family]
    listed = {token.lower().removeprefix("=") for group in table.code for token in table.tokens(group)}
    missing = {
        code for code in SPECIFICATIONS[family] if not {code.lower(), f"{family}:{code}".lower()} & listed
    }
    assert not missing


def test_every_table_states_a_public_source():
    for table in load_tables():
        assert all(source.startswith(("https://", "http://")) for source in table.source), table.family
