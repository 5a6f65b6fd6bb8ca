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

WORDS = {"title": "Issues", "definition": "one row per issue", "view": "7 days · times in UTC"}


@given(st.text())
def test_escaped_text_keeps_no_sign_of_markup_unescaped(text):
    shown = escape(text, max_length=10_000)
    assert not set(re.sub(r"\\.", "", shown)) & set("<>*_[]`#$:|~!()\\")


@given(st.text())
def test_escaping_loses_no_letter(text):
    line = " ".join(text.split())
    shown = re.sub(r"\\(.)", r"\1", escape(text, max_length=len(line) + 1))
    assert shown.replace(WORD_JOINER, "") == line.replace(WORD_JOINER, "")


@pytest.mark.parametrize(
    "address", ["https://evil.example/x", "HTTP://a.b", "www.evil.example", "me@evil.example"]
)
def test_an_address_is_parted_so_that_it_does_not_become_a_link(address):
    bare = escape(address).replace("\\", "")
    assert WORD_JOINER in bare
    assert bare.replace(WORD_JOINER, "") == address


@given(st.lists(st.text()))
def test_no_exported_cell_begins_a_formula(texts):
    safe = escape_formulas(pd.DataFrame({"message": pd.Series(texts, dtype=object)}))
    assert not [
        cell for cell in safe["message"] if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


def test_numbers_stay_numbers_in_an_export():
    assert escape_formulas(pd.DataFrame({"change": [-3, 4]}))["change"].tolist() == [-3, 4]


def test_a_csv_says_what_it_is_and_reads_back():
    frame = pd.DataFrame({"message": ['=1+1, "x"', "plain"], "devices": [["a", "b"], []]})
    text = to_csv(frame, **WORDS).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[:3] == ["# Issues", "# one row per issue", "# 7 days · times in UTC"]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[3:]))))
    assert rows == [{"message": '\'=1+1, "x"', "devices": "a; b"}, {"message": "plain", "devices": ""}]


def test_a_header_cannot_be_broken_out_of():
    words = WORDS | {"view": "Country: X\n=cmd()"}
    assert "\n=cmd" not in to_csv(pd.DataFrame({"a": [1]}), **words).decode("utf-8-sig")


def test_json_keeps_the_definition_beside_the_rows():
    frame = pd.DataFrame({"at": [pd.Timestamp(2026, 3, 2)], "n": [1]})
    document = json.loads(to_json(frame, **WORDS))
    assert document["definition"] == "one row per issue"
    assert document["rows"] == [{"at": "2026-03-02T00:00:00.000", "n": 1}]


NEWEST = pd.Timestamp(2026, 3, 30, 9, 15)


def test_a_period_ends_with_the_newest_data_and_includes_it():
    view = build_view(period="7 days", newest=NEWEST, zone="UTC")
    assert view.until == NEWEST + timedelta(seconds=1)
    assert view.until - view.since == timedelta(days=7)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins():
    view = build_view(period="24 hours", newest=NEWEST, zone="UTC", filters={"country": ["DE"]})
    before = view.previous_arguments()
    assert before["until"] == view.since
    assert before["until"] - before["since"] == timedelta(hours=24)
    assert before["country"] == ["DE"]


def test_everything_has_no_period_before():
    assert build_view(period="all time", newest=NEWEST, zone="UTC").previous_arguments() is None


def test_a_made_up_period_in_a_link_shows_everything():
    assert build_view(period="-1d", newest=NEWEST, zone="UTC").since is None


def test_the_words_of_a_view_name_each_filter():
    filters = {name: ["x"] for name in FILTERS}
    words = build_view(period="all time", newest=NEWEST, zone="Asia/Tokyo", filters=filters).describe()
    assert all(label in words for label in [*FILTERS.values(), "Asia/Tokyo"])


def test_an_empty_filter_is_no_filter():
    assert build_view(period="all time", newest=None, zone="UTC", filters={"country": []}).arguments() == {
        "since": None
    }


def test_all_filters_are_filters_of_analysis():
    from analysis.query.filters import FILTERS as KNOWN

    assert FILTERS.keys() <= KNOWN.keys()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("15000", "15", "15000 → 15"),
        (None, "True", "True"),
        (None, None, ""),
        ("{'type': 'text', 'length': 8}", "{'type': 'text', 'length': 8, 'required': True}", "required: – → True"),
        ('{"a": 1, "b": 2}', '{"a": 3, "b": 2}', "a: 1 → 3"),
        ("{not a setting", "{'a': 1}", "{not a setting → {'a': 1}"),
    ],
)  # fmt: skip
def test_a_change_is_told_by_what_differs(before, after, told):
    assert format_change(before, after) == told


@given(st.text(), st.text())
def test_any_change_can_be_told(before, after):
    assert isinstance(format_change(before, after), str)
