from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.spreadsheet import escape_formulas
from analysis.base.text import format_change
from dashboard.escaping import WORD_JOINER, escape
from dashboard.export import to_csv, to_json
from dashboard.view_state import FILTERS, build_view

HEADER = {"title": "Issues", "definition": "one row per issue", "view": "7 days · times in UTC"}


@given(st.text())
def test_escaped_text_has_no_unescaped_markup(text):
    shown = escape(text, max_length=10_000)
    assert not set(re.sub(r"\\.", "", shown)) & set("<>*_[]`#$:|~!()\\")


@given(st.text())
def test_escaping_keeps_all_characters(text):
    line = " ".join(text.split())
    shown = re.sub(r"\\(.)", r"\1", escape(text, max_length=len(line) + 1))
    assert shown.replace(WORD_JOINER, "") == line.replace(WORD_JOINER, "")


@pytest.mark.parametrize(
    "address", ["https://evil.example/x", "HTTP://a.b", "www.evil.example", "me@evil.example"]
)
def test_an_address_does_not_become_a_link(address):
    bare = escape(address).replace("\\", "")
    assert WORD_JOINER in bare
    assert bare.replace(WORD_JOINER, "") == address


@given(st.lists(st.text()))
def test_no_exported_cell_is_a_formula(texts):
    safe = escape_formulas(pd.DataFrame({"message": pd.Series(texts, dtype=object)}))
    assert not [
        cell for cell in safe["message"] if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


def test_numbers_stay_numbers_in_an_export():
    assert escape_formulas(pd.DataFrame({"change": [-3, 4]}))["change"].tolist() == [-3, 4]


def test_a_csv_has_a_header_and_reads_back():
    frame = pd.DataFrame({"message": ['=1+1, "x"', "plain"], "devices": [["a", "b"], []]})
    text = to_csv(frame, **HEADER).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[:3] == ["# Issues", "# one row per issue", "# 7 days · times in UTC"]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[3:]))))
    assert rows == [{"message": '\'=1+1, "x"', "devices": "a; b"}, {"message": "plain", "devices": ""}]


def test_a_header_line_cannot_be_split():
    header = HEADER | {"view": "Country: X\n=cmd()"}
    assert "\n=cmd" not in to_csv(pd.DataFrame({"a": [1]}), **header).decode("utf-8-sig")


def test_json_contains_the_definition_and_the_rows():
    frame = pd.DataFrame({"at": [pd.Timestamp(2026, 3, 2)], "n": [1]})
    document = json.loads(to_json(frame, **HEADER))
    assert document["definition"] == "one row per issue"
    assert document["rows"] == [{"at": "2026-03-02T00:00:00.000", "n": 1}]


NEWEST = pd.Timestamp(2026, 3, 30, 9, 15)


def test_a_period_ends_with_the_newest_data_and_includes_it():
    view = build_view(period="7 days", newest=NEWEST, zone="UTC")
    assert view.until == NEWEST + timedelta(seconds=1)
    assert view.until - view.since == timedelta(days=7)


def test_the_previous_period_has_the_same_length_and_ends_at_the_start():
    view = build_view(period="24 hours", newest=NEWEST, zone="UTC", filters={"country": ["DE"]})
    previous = view.previous_arguments()
    assert previous["until"] == view.since
    assert previous["until"] - previous["since"] == timedelta(hours=24)
    assert previous["country"] == ["DE"]


def test_all_time_has_no_previous_period():
    assert build_view(period="all time", newest=NEWEST, zone="UTC").previous_arguments() is None


def test_an_invalid_period_in_a_link_shows_all_time():
    assert build_view(period="-1d", newest=NEWEST, zone="UTC").since is None


def test_the_description_of_a_view_names_each_filter():
    filters = {name: ["x"] for name in FILTERS}
    description = build_view(period="all time", newest=NEWEST, zone="Asia/Tokyo", filters=filters).describe()
    assert all(label in description for label in [*FILTERS.values(), "Asia/Tokyo"])


def test_an_empty_filter_is_no_filter():
    assert build_view(period="all time", newest=None, zone="UTC", filters={"country": []}).arguments() == {
        "since": None
    }


def test_all_filters_are_filters_of_analysis():
    from analysis.query.filters import FILTERS as ANALYSIS_FILTERS

    assert FILTERS.keys() <= ANALYSIS_FILTERS.keys()


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("15000", "15", "15000 → 15"),
        (None, "True", "True"),
        (None, None, ""),
        ("{'type': 'text', 'length': 8}", "{'type': 'text', 'length': 8, 'required': True}", "required: – → True"),
        ('{"a": 1, "b": 2}', '{"a": 3, "b": 2}', "a: 1 → 3"),
        ("{not a setting", "{'a': 1}", "{not a setting → {'a': 1}"),
    ],
)  # fmt: skip
def test_a_change_shows_only_the_differences(before, after, text):
    assert format_change(before, after) == text


@given(st.text(), st.text())
def test_any_change_can_be_formatted(before, after):
    assert isinstance(format_change(before, after), str)
