"""Views with a name, merges seen before they are made, days of one's own, and days of one's choice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import analysis
from analysis.diagnosis.explain.questions import explain_period
from analysis.metrics.local_days import measure_by_local_day
from analysis.triage.states import Activity, TriageState
from dashboard import pages, saved_views
from dashboard.chart_export import add_header
from dashboard.view_state import LOCAL_DAYS, build_view
from ingest import open_store

AT = datetime(2026, 3, 1, tzinfo=UTC)
PARAMETERS = st.dictionaries(
    st.text(min_size=1, max_size=8), st.lists(st.text(min_size=1, max_size=8), min_size=1)
)


@pytest.fixture
def own(stores, tmp_path, monkeypatch) -> Path:
    """A store of this test's own in the place of `normal`."""
    copy = tmp_path / "own.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    return copy


def line(text: str, number: int = 1) -> Activity:
    return Activity(
        number=number, at=AT, actor="ana", issue_id=saved_views.LOG_NAME, action="note", before=None, after=None,
        reason=text,
    )  # fmt: skip


def said(name: str, page: str | None, **query: list[str]) -> str:
    return json.dumps({"name": name, "page": page, "query": query})


def test_the_newest_line_of_a_name_counts_and_one_without_a_page_takes_it_back():
    log = [
        line(said("a", "issues", q=["is:new"])),
        line(said("b", "devices")),
        line(said("a", "fixes")),
        line(said("b", None)),
    ]
    assert [(view.name, view.page, dict(view.query)) for view in saved_views.read_saved_views(log)] == [
        ("a", "fixes", {})
    ]


@given(st.lists(st.text() | st.sampled_from(["null", "[]", "{}", said("x", "nowhere"), '{"name": 7}'])))
def test_a_line_that_is_no_view_is_passed_over(texts):
    found = saved_views.read_saved_views([line(text) for text in texts] + [line(said("kept", "issues"))])
    assert "kept" in [view.name for view in found]


@given(PARAMETERS, st.sampled_from(sorted(pages.PAGE_NAMES)))
def test_the_address_of_a_view_says_exactly_its_parameters(query, name):
    asked = urlsplit(pages.page_url(name, query))
    assert parse_qs(asked.query, keep_blank_values=True) == query
    assert asked.netloc == ""
    assert asked.path == ("./" if name == "overview" else name)


def test_a_view_is_kept_with_its_page_and_parameters_and_can_be_removed(visit, own):
    app = visit("issues", period="30 days", q="is:new", country="DE")
    app.text_input(key="save-view-name").set_value("**New** in Germany")
    app.button(key="save-view").click().run()
    assert not app.exception
    state = TriageState.for_store(own)
    (kept,) = saved_views.read_saved_views(state.activity(saved_views.LOG_NAME))
    assert (kept.name, kept.page) == ("**New** in Germany", "issues")
    assert {key: list(values) for key, values in kept.query.items()} == {
        "period": ["30 days"], "q": ["is:new"], "country": ["DE"]
    }  # fmt: skip
    app = visit("overview")
    app.button(key="forget-**New** in Germany").click().run()
    assert saved_views.read_saved_views(state.activity(saved_views.LOG_NAME)) == []


def test_a_view_without_a_name_is_not_kept(visit, own):
    app = visit("issues").button(key="save-view").click().run()
    assert "Nothing was saved" in app.toast[0].value
    assert TriageState.for_store(own).activity(saved_views.LOG_NAME) == []


def merging_box():
    """The box under the list of issues as a script: the tool that runs pages here cannot tick rows."""
    import streamlit as st

    from dashboard import merge_preview
    from dashboard.view_state import build_view

    merge_preview.show_merge_button(
        st.session_state["ticked"], build_view(period="all time", newest=None, zone="UTC")
    )


def test_a_merge_is_shown_before_it_is_made(own, monkeypatch):
    with open_store(own) as store:
        first, second = (str(one) for one in analysis.list_issues(store)["issue_id"].head(2))
        both = [analysis.get_issue(store, one) for one in (first, second)]
    people = len({who for issue in both for who in issue.users["user_id"].dropna()})
    monkeypatch.setenv("SYNCLENS_STORE", str(own))
    app = AppTest.from_function(merging_box, default_timeout=60)
    app.session_state["ticked"] = [first, second]
    app.session_state["merging"] = True
    app.run()
    assert not app.exception
    told = next(one.value for one in app.markdown if "One issue instead of 2" in one.value)
    assert f"{sum(issue.summary.events for issue in both):,} errors, {people:,} users" in told
    assert TriageState.for_store(own).grouping_rules() == [], "looking decides nothing"
    app.button(key="merge-ticked").click().run()
    (rule,) = TriageState.for_store(own).grouping_rules()
    assert rule.kind == "merge"
    assert rule.issues == tuple(sorted([first, second]))


def test_days_on_people_s_own_clocks_are_those_of_the_analysis(visit, stores):
    app = visit("overview", period="all time", tz=LOCAL_DAYS)
    assert not app.exception
    app.session_state["twin-failures"] = True
    app.run()
    with open_store(stores["normal"]) as store:
        expected = measure_by_local_day(store, "failures_by_day")
    shown = next(table.value for table in app.dataframe if "failure_rate" in table.value)
    assert shown["syncs"].tolist() == expected["syncs"].tolist()
    assert any("local days of each user" in caption.value for caption in app.caption)


@pytest.mark.parametrize("name", ["overview", "changes", "issue"])
@pytest.mark.parametrize("period", ["24 hours", "14 days"])
def test_pages_stand_with_own_days(visit, stores, name, period):
    with open_store(stores["normal"]) as store:
        issue_id = str(analysis.list_issues(store)["issue_id"].iloc[0])
    app = visit(name, period=period, tz=LOCAL_DAYS, **({"issue": issue_id} if name == "issue" else {}))
    assert not app.exception
    assert not app.error


def test_days_of_one_s_choice_count_as_the_days_before_do(stores):
    since, until = pd.Timestamp(2026, 3, 20), pd.Timestamp(2026, 3, 22)
    with open_store(stores["normal"]) as store:
        before = explain_period(store, since, until, baseline=3)
        chosen = explain_period(store, since, until, baseline=(pd.Timestamp(2026, 3, 14), since))
    assert [(one.where, one.failures, one.total) for one in chosen] == [
        (one.where, one.failures, one.total) for one in before
    ]


def test_explain_compares_with_days_of_one_s_choice(visit):
    app = visit("explain", period="all time", baseline="selected days")
    assert not app.exception
    assert [one.label for one in app.date_input] == ["Days to explain (UTC)", "Baseline days (UTC)"]


def test_a_picture_says_what_it_is_and_how_it_was_filtered():
    from analysis import charts

    frame = pd.DataFrame({"day": pd.date_range("2026-03-01", periods=3), "events": [1, 2, 3]})
    view = build_view(
        period="7 days", newest=frame["day"].max(), zone="UTC", filters={"country": ["<b>DE</b>"]}
    )
    figure = charts.counts_over_time(frame)
    drawn = add_header(figure, title="Errors <i>a day</i>", definition="One error each.", view=view)
    assert "Errors &lt;i&gt;a day&lt;/i&gt;" in drawn.layout.title.text
    header = drawn.layout.title.subtitle.text
    assert "One error each." in header
    assert "Country: &lt;b&gt;DE" in header
    assert drawn.layout.height > figure.layout.height
    assert figure.layout.title.text is None, "the chart on the page stays as it is"


def test_one_rule_is_one_card_however_many_places_break_it(visit, own):
    with open_store(own, read_only=False) as store:
        store.execute("UPDATE device SET accounts = 90000")
    app = visit("lint", period="all time")
    assert not app.exception
    titles = [one.value for one in app.markdown if "more accounts than it should" in one.value]
    assert len(titles) == 1


def test_old_data_says_so_on_every_page(visit, monkeypatch):
    monkeypatch.setenv("SYNCLENS_NOW", "2026-03-30T08:00:00+00:00")
    assert not any("Old data" in one.value for one in visit("issues").sidebar.markdown)
    monkeypatch.setenv("SYNCLENS_NOW", "2026-04-09T08:00:00+00:00")
    assert any("Old data" in one.value for one in visit("issues").sidebar.markdown)


def test_an_answer_from_before_a_load_stays_marked_as_such(visit, own):
    app = visit("issues", period="all time")
    with open_store(own, read_only=False) as store:
        store.execute("UPDATE ingest_batch SET rows_in = rows_in + 1, rows_new = rows_new + 1")
        store.execute("CHECKPOINT")
        app.run()
        assert any("A load is writing" in one.value for one in app.info)
    app.run()
    assert not any("A load is writing" in one.value for one in app.info)
