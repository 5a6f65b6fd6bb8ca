"""Logs are records of several lines; their level decides which of them are errors."""

import json
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest.readers.log_lines import parse_line, read_pairs
from ingest.readers.text_logs import read_text_log
from tests.support.examples import examples

WRITTEN_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOGS = Path(__file__).parent / "logs"
EXPECTED = json.loads((LOGS / "expected.json").read_text("utf-8"))


def read(text):
    source = read_text_log(text.split("\n"), "a.log", written_at=WRITTEN_AT)
    if source is None:
        return None, []
    rows = [{name: cell for name, cell in row.cells.items() if cell} for row in source.rows]
    return rows, source.notes


@pytest.mark.parametrize("name", EXPECTED)
def test_the_errors_of_a_log_are_its_records_with_an_error_level(name):
    rows, _ = read((LOGS / f"{name}.log").read_text("utf-8"))
    expected = EXPECTED[name]
    assert [row["message"] for row in rows] == expected["messages"]
    assert {column: rows[0].get(column) for column in expected["first"]} == expected["first"]


@pytest.mark.parametrize("text", ["", "No timestamp here\nnor here", "a,b\n1,2"])
def test_other_text_is_no_log(text):
    assert read(text)[0] is None


def test_records_that_are_no_errors_are_counted():
    lines = ["head", "2026-02-28 10:00:00 INFO a", "2026-02-28 10:00:01 WARN slow"]
    lines += ["2026-02-28 10:00:01 WARN upload failed", "2026-02-28 10:00:02 DEBUG b"]
    _, notes = read("\n".join(lines))
    assert "skipped above the first record: 1 lines" in notes
    assert "records with an information level, skipped: 2" in notes
    assert "warnings that show no error, skipped: 1" in notes


def test_pairs_fill_the_columns_they_name():
    assert read_pairs('op=update user="Mia Roe" errorCode=E_7 status=ok code=9') == {
        "operation": "update",
        "user_id": "Mia Roe",
        "error_type": "E_7",
    }


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="=\x7f\x85")
MESSAGES = (
    st.text(PRINTABLE, min_size=3, max_size=40)
    .map(str.strip)
    .filter(lambda text: len(text) > 2 and parse_line(text) is None)
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["ERROR", "INFO", "FATAL", "DEBUG"]), MESSAGES), min_size=1, max_size=8
    )
)
@settings(max_examples=examples(100), deadline=None)
def test_every_record_is_an_error_or_counted(records):
    text = "\n".join(
        f"2026-02-28 10:00:{at:02},000 {level} [t] org.example.A - {message}"
        for at, (level, message) in enumerate(records)
    )
    rows, notes = read(text)
    errors = [message for level, message in records if level in ("ERROR", "FATAL")]
    assert [row["message"] for row in rows] == errors
    skipped = sum(int(note.rsplit(": ", 1)[1]) for note in notes if "skipped" in note)
    assert skipped == len(records) - len(errors)


@given(st.text(max_size=300), st.sampled_from(sorted(EXPECTED)), st.integers(0, 200))
@settings(max_examples=examples(100), deadline=None)
def test_damaged_logs_never_crash(noise, name, at):
    text = (LOGS / f"{name}.log").read_text("utf-8")
    rows, _ = read(text[:at] + noise + text[at:])
    assert rows is None or all(isinstance(cell, str) for row in rows for cell in row.values())


def test_a_long_line_is_matched_in_bounded_time():
    line = "2026-02-28 10:00:01 " + " " * 200_000 + "x: y"
    assert parse_line(line)["message"].endswith("x: y")


JAVA_LEVELS = [
    ("SEVERE", "INFO"),
    ("SCHWERWIEGEND", "AM FEINSTEN"),
    ("GRAVE", "INFOS"),
    ("重大", "情報"),
    ("심각", "정보"),
]
TRACE = [
    "java.lang.IllegalStateException: no answer",
    "\tat org.example.Push.run(Push.java:9)",
    "Caused by: java.io.IOException: stream closed",
    "\t... 3 more",
]


@pytest.mark.parametrize(("severe", "info"), JAVA_LEVELS)
def test_a_log_of_tomcat_is_read_by_its_levels(severe, info):
    lines = [f"03-Jan-2026 06:01:02.345 {info} [main] org.example.App.start ready"]
    lines += [
        f"03-Jan-2026 06:01:03.456 {severe} [exec-1] org.example.Push.run Push of visit 4 failed",
        *TRACE,
    ]
    rows, notes = read("\n".join(lines))
    (row,) = rows
    assert row["message"].split("\n") == ["Push of visit 4 failed", TRACE[0], TRACE[2]]
    assert (row["occurred_at"], row["thread"]) == ("2026-01-03T06:01:03.456000", "exec-1")
    assert "records with an information level, skipped: 1" in notes


@pytest.mark.parametrize(("severe", "info"), JAVA_LEVELS)
@pytest.mark.parametrize(
    "time", ["Jan 03, 2026 6:01:03 AM", "ene 03, 2026 6:01:03 A. M.", "1월 03, 2026 6:01:03 오전"]
)
def test_records_of_two_lines_have_the_level_of_the_second(time, severe, info):
    lines = [
        f"{time} org.example.App start",
        f"{info}: ready",
        f"{time} org.example.Push run",
        f"{severe}: failed",
    ]
    (row,) = read("\n".join([*lines, *TRACE]))[0]
    assert row["message"].split("\n") == ["failed", TRACE[0], TRACE[2]]
