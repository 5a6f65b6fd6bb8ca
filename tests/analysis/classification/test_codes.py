"""Messages whose cause is in a code, and the same numbers where they are no codes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import analysis

MESSAGES = [
    json.loads(line)
    for line in Path(__file__).with_name("code_messages.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def causes() -> list[str]:
    frame = pd.DataFrame(MESSAGES)[["message"]]
    return analysis.classify(frame, rules_only=True)["cause"].tolist()


@pytest.mark.parametrize("place", range(len(MESSAGES)), ids=lambda place: MESSAGES[place]["message"][:50])
def test_a_code_states_its_cause_and_a_mere_number_states_none(place: int, causes: list[str]):
    entry = MESSAGES[place]
    assert causes[place] in {entry["cause"], *entry.get("also", ())}
