"""The search line: what it reads, what it refuses, and that text in it stays text."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import list_issues
from analysis.issues.search import InvalidQuery, Query, Term, parse_query

FRAME = pd.DataFrame(
    {
        "cause": ["network", "field-permission", "record-locked"],
        "users": [3, 12, 1],
        "objects": [["account__v"], ["call2__v", "account__v"], []],
        "title": ["connection lost", "no edit on [signature__v]", "100% locked"],
        "first_seen": pd.to_datetime(["2026-03-01", "2026-03-10", "2026-03-20"]),
    }
)
words = st.text(
    st.characters(codec="utf-8", exclude_characters='"', exclude_categories=("C", "Z")), min_size=1
)
terms = st.builds(
    Term,
    st.sampled_from(["cause", "users", "title", "object", "http_status"]),
    st.sampled_from([":", "=", ">", ">=", "<", "<="]),
    words.filter(lambda value: not value.startswith("=")),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("line", "causes"),
    [
        ("", ["network", "field-permission", "record-locked"]),
        ("cause:network", ["network"]),
        ("cause:NET*", ["network"]),
        ("-cause:network", ["field-permission", "record-locked"]),
        ("cause:network,record-locked", ["network", "record-locked"]),
        ("users>=3", ["network", "field-permission"]),
        ("people>3 people<20", ["field-permission"]),
        ("users=1", ["record-locked"]),
        ("objects:account__v", ["network", "field-permission"]),
        ("first_seen>=2026-03-10", ["field-permission", "record-locked"]),
        ("first_seen<2026-03-10T00:00:00+01:00", ["network"]),
        ('"connection lost"', ["network"]),
        ("-locked", ["network", "field-permission"]),
        ("title:*%*", ["record-locked"]),
        ("title:*[*", ["field-permission"]),
    ],
)
def test_a_line_keeps_the_rows_it_describes(line, causes):
    assert parse_query(line).filter_rows(FRAME).cause.to_list() == causes


@given(st.lists(terms, max_size=6))
def test_a_query_written_out_reads_as_the_same_query(wanted):
    query = Query(tuple(wanted))
    assert parse_query(str(query)) == query


@given(st.text())
def test_any_line_is_read_or_refused_with_advice(line):
    try:
        parse_query(line)
    except InvalidQuery as refused:
        assert refused.next_step


@pytest.mark.parametrize("line", ["users>many", "first_seen>soon", 'cause:"open', "colour:blue"])
def test_a_line_that_means_nothing_is_refused_with_advice(line):
    with pytest.raises(InvalidQuery) as refused:
        parse_query(line, fields=FRAME.columns).filter_rows(FRAME)
    assert refused.value.next_step


@pytest.mark.parametrize(
    "value", ["' OR '1'='1", "%", "a;DROP_TABLE_sync_error", "$query_0", "(", "[", "\\", "ü*ß"]
)
def test_text_in_a_line_stays_text(stormy_store, value):
    assert list_issues(stormy_store, query=f'territory:"{value}"').empty


def test_event_terms_decide_which_events_are_counted(stormy_store):
    everything = list_issues(stormy_store).set_index("issue_id")
    german = list_issues(stormy_store, query="country:de").set_index("issue_id")
    others = list_issues(stormy_store, query="-country:de").set_index("issue_id")
    together = german.events.add(others.events, fill_value=0)
    assert together.astype(int).sort_index().to_list() == everything.events.sort_index().to_list()


def test_numbers_of_events_compare_as_numbers(stormy_store):
    assert list_issues(stormy_store, query="http_status>=500").cause.to_list() == ["server-unavailable"]
