"""Saved views, merge previews, local days, selected baseline days, and chart images."""

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

pytestmark = pytest.mark.slow

AT = datetime(2026, 3, 1, tzinfo=UTC)
PARAMETERS = st.dictionaries(
    st.text(min_size=1, max_size=8), st.lists(st.text(min_size=1, max_size=8), min_size=1)
)


@pytest.fixture
def own_store(stores, tmp_path, monkeypatch) -> Path:
    """A copy of `normal` for this test."""
    copy = tmp_path / "own.duckdb"
    copy.write_bytes(Path(stores["normal"]).read_bytes())
    monkeypatch.setitem(stores, "normal", copy)
    return copy


def line(text: str, number: int = 1) -> Activity:
    return Activity(
        number=number, at=AT, actor="ana", issue_id=saved_views.LOG_NAME, action="note", before=None, after=None,
        reason=text,
    )  # fmt: skip


def view_line(name: str, page: str | None, **query: list[str]) -> str:
    return json.dumps({"name": name, "page": page, "query": query})


def test_the_newest_line_of_a_name_is_current_and_a_line_without_a_page_removes_it():
    log = [
        line(view_line("a", "issues", q=["is:new"])),
        line(view_line("b", "devices")),
        line(view_line("a", "fixes")),
        line(view_line("b", None)),
    ]
    assert [(view.name, view.page, dict(view.query)) for view in saved_views.read_saved_views(log)] == [
        ("a", "fixes", {})
    ]


@given(st.lists(st.text() | st.sampled_from(["null", "[]", "{}", view_line("x", "nowhere"), '{"name": 7}'])))
def test_a_line_that_is_not_a_view_is_ignored(texts):
    views = saved_views.read_saved_views([line(text) for text in texts] + [line(view_line("kept", "issues"))])
    assert "kept" in [view.name for view in views]


@given(PARAMETERS, st.sampled_from(sorted(pages.PAGE_NAMES)))
def test_the_url_of_a_view_contains_exactly_its_parameters(query, name):
    url = urlsplit(pages.page_url(name, query))
    assert parse_qs(url.query, keep_blank_values=True) == query
    assert url.netloc == ""
    assert url.path == ("./" if name == "overview" else name)


def test_a_view_is_saved_with_its_page_and_parameters_and_can_be_removed(visit, own_store):
    app = visit("issues", period="30 days", q="is:new", country="DE")
    app.text_input(key="save-view-name").set_value("**New** in Germany")
    app.button(key="save-view").click().run()
    assert not app.exception
    state = TriageState.for_store(own_store)
    (view,) = saved_views.read_saved_views(state.activity(saved_views.LOG_NAME))
    assert (view.name, view.page) == ("**New** in Germany", "issues")
    assert {key: list(values) for key, values in view.query.items()} == {
        "period": ["30 days"], "q": ["is:new"], "country": ["DE"]
    }  # fmt: skip
    app = visit("overview")
    app.button(key="remove-**New** in Germany").click().run()
    assert saved_views.read_saved_views(state.activity(saved_views.LOG_NAME)) == []


def test_a_view_without_a_name_is_not_saved(visit, own_store):
    app = visit("issues").button(key="save-view").click().run()
    assert "Nothing was saved" in app.toast[0].value
    assert TriageState.for_store(own_store).activity(saved_views.LOG_NAME) == []


def merge_button_page():
    """The merge button as a page, because the test runner cannot select rows."""
    import streamlit as st

    from dashboard import merge_preview
    from dashboard.view_state import build_view

    merge_preview.show_merge_button(
        st.session_state["ticked"], build_view(period="all time", newest=None, zone="UTC")
    )


def test_a_merge_is_previewed_before_it_is_saved(own_store, monkeypatch):
    with open_store(own_store) as store:
        first, second = (str(issue_id) for issue_id in analysis.list_issues(store)["issue_id"].head(2))
        both = [analysis.get_issue(store, issue_id) for issue_id in (first, second)]
    users = len({user for issue in both for user in issue.users["user_id"].dropna()})
    monkeypatch.setenv("SYNCLENS_STORE", str(own_store))
    app = AppTest.from_function(merge_button_page, default_timeout=60)
    app.session_state["ticked"] = [first, second]
    app.session_state["merging"] = True
    app.run()
    assert not app.exception
    preview = next(text.value for text in app.markdown if "One issue instead of 2" in text.value)
    assert f"{sum(issue.summary.events for issue in both):,} errors, {users:,} users" in preview
    assert TriageState.for_store(own_store).grouping_rules() == [], "a preview saves nothing"
    app.button(key="merge-ticked").click().run()
    (rule,) = TriageState.for_store(own_store).grouping_rules()
    assert rule.kind == "merge"
    assert rule.issues == tuple(sorted([first, second]))


def test_local_days_match_the_analysis(visit, stores):
    app = visit("overview", period="all time", tz=LOCAL_DAYS)
    assert not app.exception
    app.session_state["data-failures"] = True
    app.run()
    with open_store(stores["normal"]) as store:
        expected = measure_by_local_day(store, "failures_by_day")
    shown = next(table.value for table in app.dataframe if "failure_rate" in table.value)
    assert shown["syncs"].tolist() == expected["syncs"].tolist()
    assert any("local days of each user" in caption.value for caption in app.caption)


@pytest.mark.parametrize("name", ["overview", "changes", "issue"])
@pytest.mark.parametrize("period", ["24 hours", "14 days"])
def test_pages_work_with_local_days(visit, stores, name, period):
    with open_store(stores["normal"]) as store:
        issue_id = str(analysis.list_issues(store)["issue_id"].iloc[0])
    app = visit(name, period=period, tz=LOCAL_DAYS, **({"issue": issue_id} if name == "issue" else {}))
    assert not app.exception
    assert not app.error


def test_selected_baseline_days_match_the_preceding_days(stores):
    since, until = pd.Timestamp(2026, 3, 20), pd.Timestamp(2026, 3, 22)
    with open_store(stores["normal"]) as store:
        preceding = explain_period(store, since, until, baseline=3)
        selected = explain_period(store, since, until, baseline=(pd.Timestamp(2026, 3, 14), since))
    assert [(row.where, row.failures, row.total) for row in selected] == [
        (row.where, row.failures, row.total) for row in preceding
    ]


def test_explain_compares_with_selected_days(visit):
    app = visit("explain", period="all time", baseline="selected days")
    assert not app.exception
    assert [element.label for element in app.date_input] == ["Days to explain (UTC)", "Baseline days (UTC)"]


def test_a_chart_image_has_its_definition_and_filters():
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
    assert figure.layout.title.text is None, "the chart on the page is unchanged"


def test_a_rule_with_many_places_is_one_card(visit, own_store):
    with open_store(own_store, read_only=False) as store:
        store.execute("UPDATE device SET accounts = 90000")
    app = visit("lint", period="all time")
    assert not app.exception
    titles = [element.value for element in app.markdown if "Too many accounts on a device" in element.value]
    assert len(titles) == 1


def test_old_data_is_marked_on_every_page(visit, monkeypatch):
    monkeypatch.setenv("SYNCLENS_NOW", "2026-03-30T08:00:00+00:00")
    assert not any("Old data" in element.value for element in visit("issues").sidebar.markdown)
    monkeypatch.setenv("SYNCLENS_NOW", "2026-04-09T08:00:00+00:00")
    assert any("Old data" in element.value for element in visit("issues").sidebar.markdown)


def test_a_result_from_before_a_load_is_marked(visit, own_store):
    app = visit("issues", period="all time")
    with open_store(own_store, read_only=False) as store:
        store.execute("UPDATE ingest_batch SET rows_in = rows_in + 1, rows_new = rows_new + 1")
        store.execute("CHECKPOINT")
        app.run()
        assert any("A load is writing" in element.value for element in app.info)
    app.run()
    assert not any("A load is writing" in element.value for element in app.info)
