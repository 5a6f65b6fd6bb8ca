"""Text from devices is data: in SQL, in searches, in exports, on pages and in the terminal it is never run."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
import ingest
from dashboard.escaping import escape
from dashboard.export import to_csv, to_json
from ingest.store.open import migrate
from sync_engine.telemetry import SyncError
from tests.support.examples import examples

AT = datetime(2026, 11, 22, tzinfo=UTC)
HOSTILE = [
    "'; DROP TABLE sync_error; --",
    '" OR 1=1 --',
    "') UNION SELECT * FROM engine_truth.event_cause --",
    "$cause",
    "{not: json}",
    "%s %d {0}",
    "x' || (SELECT current_setting('home_directory')) || '",
    "ATTACH '/etc/passwd' AS p",
    "\x00",
    "🧨" * 100,
]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1"]
MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "https://evil.example/login",
    "**bold** `code` $x^2$ :material/home:",
]


def an_error(n, message, **more):
    return SyncError(
        event_id=f"e-{n}",
        occurred_at=AT,
        user_id="u1",
        device_id="d1",
        phase="upload",
        message=message,
        **more,
    )


@pytest.fixture(scope="module")
def hostile_store():
    """Shared: no test writes to it, and each looks whether all rows are still there."""
    rows = [
        an_error(n, text, object=text, error_type=text)
        for n, text in enumerate([*HOSTILE, *FORMULAS, *MARKUP])
    ]
    with duckdb.connect() as store:
        store.execute("SET TimeZone = 'UTC'")
        migrate(store)
        ingest.append(store, rows, source="'); DROP TABLE sync_error; --", started_at=AT, clock=lambda: AT)
        analysis.update_findings(store)
        yield store


def errors_in(store):
    return store.execute("SELECT count(*) FROM sync_error").fetchone()[0]


def test_hostile_text_is_stored_and_found_as_it_is(hostile_store):
    held = {row[0] for row in hostile_store.execute("SELECT message FROM sync_error").fetchall()}
    assert {text for text in [*HOSTILE, *FORMULAS, *MARKUP] if text != "\x00"} <= held


@pytest.mark.parametrize("name", analysis.FILTERS)
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_filter_is_read_as_sql(hostile_store, name, value):
    try:
        frame = analysis.measure(hostile_store, "errors_by_cause", **{name: value})
    except analysis.AnalysisError as refused:  # an invalid timestamp
        assert name in ("since", "until")
        assert refused.next_step
    else:
        assert frame["events"].sum() == (1 if name == "object" else 0)
    assert errors_in(hostile_store) == len(HOSTILE + FORMULAS + MARKUP)


@given(query=st.text(max_size=60))
@settings(max_examples=examples(50), deadline=None)
def test_no_search_is_read_as_sql(hostile_store, query):
    try:
        analysis.list_issues(hostile_store, query=query)
    except analysis.AnalysisError as refused:
        assert refused.next_step
    assert errors_in(hostile_store) == len(HOSTILE + FORMULAS + MARKUP)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_a_search_is_matched_or_rejected(hostile_store, text):
    for query in (text, f"cause:{text}", f"title:{text}", f"-object:{text}"):
        try:
            analysis.list_issues(hostile_store, query=query)
        except analysis.AnalysisError as refused:
            assert refused.next_step
    assert errors_in(hostile_store) == len(HOSTILE + FORMULAS + MARKUP)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_an_export_is_a_formula(text):
    frame = pd.DataFrame({"message": [text], "n": [-3]})
    out = to_csv(frame, title="t", definition="a", view="v").decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(out.split("v\n", 1)[1], newline="")))
    assert rows[1][0] == f"'{text}"
    assert rows[1][1] == "-3"


@pytest.mark.parametrize("text", FORMULAS)
def test_no_heading_of_an_export_is_a_formula(text):
    out = to_csv(pd.DataFrame({text: ["x"]}), title="t", definition="a", view="v").decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(out.split("v\n", 1)[1], newline="")))[0].startswith("'")


def test_a_filter_in_the_header_of_an_export_stays_in_its_line():
    out = to_csv(pd.DataFrame({"a": [1]}), title="t", definition="a", view="user=x\n=cmd()").decode(
        "utf-8-sig"
    )
    assert [line[0] for line in out.splitlines()[:3]] == ["#", "#", "#"]


@pytest.mark.parametrize("text", [*MARKUP, *HOSTILE])
def test_json_exports_hold_text_as_text(text):
    out = json.loads(to_json(pd.DataFrame({"message": [text]}), title="t", definition="a", view="v"))
    assert out["rows"][0]["message"] == text


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_shown_and_not_read(text):
    safe = escape(text)
    bare = re.sub(r"\\.", "", safe)  # a sign behind a backslash is shown
    assert not set("<>[]()!*`$:") & set(bare)
    assert "https:" not in safe


def test_a_field_of_megabytes_is_stored_and_slows_no_reader(store):
    rows = [
        an_error(1, "x" * 5_000_000),
        an_error(2, "INVALID_DATA: " + "é" * 1_000_000),
        an_error(3, "(" * 200_000),
    ]
    ingest.append(store, rows, source="t", started_at=AT, clock=lambda: AT)
    assert analysis.update_findings(store).events == 3
    assert max(len(title) for title in analysis.list_issues(store)["title"]) < 5_000
