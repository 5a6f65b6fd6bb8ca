"""Every page on an empty store, one row, a normal fleet and hostile data, run by Streamlit's test runner."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import analysis
from dashboard.pages import ENTRIES
from dashboard.tables import SEARCH_PRESETS, list_marked_changes
from ingest import open_store

MARKDOWN = ("markdown", "caption", "title", "header", "info", "success", "warning", "error")
PAGES = [entry.name for entry in ENTRIES]


def shown(app) -> str:
    """Return all text of a page outside tables."""
    kinds = (
        "title",
        "header",
        "markdown",
        "caption",
        "info",
        "success",
        "warning",
        "error",
        "text",
        "code",
    )
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def title_of(name: str) -> str:
    return next(entry.title for entry in ENTRIES if entry.name == name)


def issue_of(stores, name: str) -> str:
    with open_store(stores[name]) as store:
        return str(analysis.list_issues(store)["issue_id"].iloc[0])


@pytest.fixture
def selections(stores):
    """Parameters that select something on the pages that show one thing."""

    def of(name: str, store: str) -> dict[str, str]:
        if store == "empty":
            return {}
        return {"issue": {"issue": issue_of(stores, store)}, "device": {"device": "ipad-000000"}}.get(
            name, {}
        )

    return of


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_store_shows_how_to_load_data(visit, name):
    app = visit(name, "empty")
    assert not app.exception
    assert "There is no data yet" in shown(app)
    assert "synclens load" in shown(app)


@pytest.mark.parametrize("store", ["one_row", "normal"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_with_little_and_much_data(visit, selections, name, store):
    app = visit(name, store, period="all time", **selections(name, store))
    assert not app.exception
    assert not app.error
    assert "There is no data yet" not in shown(app)
    assert title_of(name) in app.title[0].value or name in ("issue", "device")


@pytest.mark.parametrize("name", PAGES)
def test_text_from_devices_is_never_markup(visit, selections, name):
    app = visit(name, "hostile", period="all time", **selections(name, "hostile"))
    assert not app.exception
    read_as_markdown = [element.value for kind in MARKDOWN for element in app.get(kind)]
    for text in (re.sub(r"\\.", "", value) for value in read_as_markdown):
        assert "<script" not in text
        assert "](https://evil" not in text
        assert ":red[" not in text
    assert len(app.get("html")) == 1, "the one raw HTML is the style sheet of the app itself"


def test_a_missing_store_shows_how_to_create_one(visit, monkeypatch, tmp_path, stores):
    stores = stores | {"missing": tmp_path / "none.duckdb"}
    monkeypatch.setenv("SYNCLENS_STORE", str(stores["missing"]))
    from streamlit.testing.v1 import AppTest

    import dashboard

    assert "synclens load" in shown(AppTest.from_file(dashboard.app_path(), default_timeout=60).run())


def test_the_overview_shows_the_same_rate_as_the_analysis(visit, stores):
    app = visit("overview", period="all time")
    with open_store(stores["normal"]) as store:
        rate = analysis.health(store).clean_rate
    assert app.metric[0].value == f"{rate:.1%}"


def test_a_filter_in_the_link_narrows_the_page(visit):
    everyone = visit("overview", period="all time").metric[2].value
    some = visit("overview", period="all time", country="DE").metric[2].value
    assert int(some.replace(",", "")) < int(everyone.replace(",", ""))


def test_a_period_in_the_link_sets_the_control(visit):
    app = visit("overview", period="24 hours", tz="Asia/Tokyo")
    assert app.selectbox(key="period").value == "24 hours"
    assert "Asia/Tokyo" in app.caption[0].value


def test_a_page_emptied_by_filters_offers_to_clear_them(visit):
    app = visit("issues", period="all time", country="nowhere")
    assert "No issues match this view" in app.info[0].value
    app.button(key="clear-issues").click().run()
    assert app.dataframe
    assert app.query_params.get("country") in (None, [])


def test_filters_stay_when_the_page_changes(visit):
    app = visit("overview", period="7 days", platform="iPad")
    app.switch_page("views/issues.py").run()
    assert app.query_params == {"period": "7 days", "platform": "iPad"}


def test_the_search_filters_the_list(visit):
    app = visit("issues", period="all time", q="cause:network")
    assert set(app.dataframe[0].value["cause"]) == {analysis.load_playbook("network").title}


def test_an_invalid_search_shows_its_syntax(visit):
    app = visit("issues", period="all time", q="nonsense:1")
    assert "there is no field" in app.error[0].value.replace("\\", "")
    assert not app.exception


def test_the_issue_page_shows_the_fix(visit, stores):
    issue_id = issue_of(stores, "normal")
    page = shown(visit("issue", period="all time", issue=issue_id))
    with open_store(stores["normal"]) as store:
        headline = analysis.suggest_fix(store, issue_id).headline
    assert headline.replace("_", "") in page.replace("\\", "").replace("_", "")


def test_an_unknown_issue_shows_a_message(visit):
    app = visit("issue", period="all time", issue="<script>")
    assert "No data in this view" in app.info[0].value
    assert "<script>" not in app.info[0].value


def test_the_issue_page_without_a_selection_links_to_the_list(visit):
    assert "Select an issue" in visit("issue", period="all time").info[0].value


@pytest.mark.parametrize(("name", "line"), SEARCH_PRESETS.items())
def test_a_search_preset_is_a_valid_search(visit, name, line):
    app = visit("issues", period="all time")
    app.pills(key="search-preset").set_value(name).run()
    assert app.text_input(key="q").value == line
    assert not app.error
    assert not app.exception
    everything = visit("issues", period="all time", q=line)
    assert everything.pills(key="search-preset").value == name


def test_fixes_show_the_first_fix_until_a_row_is_ticked(visit, stores):
    app = visit("fixes", period="all time")
    first = app.dataframe[0].value["title"].iloc[0]
    assert first in [element.value.replace("\\", "") for element in app.header]


def test_equal_changes_at_the_same_time_are_one_row():
    frame = pd.DataFrame(
        {
            "changed_at": pd.Timestamp(2026, 3, 2),
            "kind": ["object", "object", "setting"],
            "target": ["account__v", "account__v", "limit"],
            "object": ["account__v", "account__v", "other__v"],
            "field": None,
            "scope": None,
            "before": ["V1", "V2", "5"],
            "after": [None, None, "10"],
            "changed_by": "integration",
        }
    )
    changes = list_marked_changes(frame).set_index("kind")
    assert changes.loc["object", ["times", "before", "after"]].fillna("–").tolist() == [2, "2 different", "–"]
    assert changes.loc["setting", ["times", "before", "after"]].tolist() == [1, "5", "10"]


def has_alert_result(app) -> bool:
    return bool(app.get("plotly_chart")) or "No alert fired" in shown(app)


def test_rules_run_only_on_request(visit):
    app = visit("slo", period="7 days")
    assert not has_alert_result(app)
    app.toggle(key="alerts").set_value(True).run()
    assert not app.exception
    assert has_alert_result(app)
    assert has_alert_result(visit("slo", period="7 days", alerts="true")), "a link runs them too"


def test_filters_offer_all_values_of_the_store(visit, stores, tmp_path, monkeypatch):
    many = tmp_path / "many.duckdb"
    many.write_bytes(stores["normal"].read_bytes())
    with open_store(many, read_only=False) as store:
        store.execute(
            "INSERT INTO sync_user BY NAME SELECT u.* REPLACE ('zz-' || n AS user_id, 'Country ' || n AS country)"
            " FROM (SELECT * FROM sync_user LIMIT 1) AS u, range(6000) AS r(n)"
        )
    monkeypatch.setitem(stores, "normal", many)
    offered = visit("overview", period="all time").multiselect(key="country").options
    assert len(offered) >= 6_000


def test_unchecked_rules_are_not_reported_as_healthy(visit):
    app = visit("lint", "one_row", period="all time")
    assert not app.success
    assert app.info
    assert any("synclens pull" in element.value for element in app.code)


def without(stores, tmp_path, monkeypatch, *tables: str) -> None:
    """Replace the normal store with a copy in which some tables are empty."""
    copy = tmp_path / "without.duckdb"
    copy.write_bytes(stores["normal"].read_bytes())
    with open_store(copy, read_only=False) as store:
        for table in tables:
            store.execute(f"DELETE FROM {table}")
    monkeypatch.setitem(stores, "normal", copy)


def test_missing_changes_are_reported_as_not_loaded(visit, stores, tmp_path, monkeypatch):
    without(stores, tmp_path, monkeypatch, "config_change")
    app = visit("changes", period="all time")
    assert "No configuration changes are loaded" in shown(app)
    assert any("synclens load" in element.value for element in app.code)


def test_a_period_without_changes_is_not_reported_as_not_loaded(visit):
    app = visit("changes", period="24 hours")
    assert "No configuration changes are loaded" not in shown(app)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_works_with_syncs_only(visit, stores, tmp_path, monkeypatch, name):
    tables = (
        "finding",
        "sync_error",
        "pending_record",
        "config_change",
        "sync_detail",
        "device",
        "sync_user",
    )
    without(stores, tmp_path, monkeypatch, *tables, "engine_truth.event_cause")
    app = visit(name, period="all time")
    assert not app.exception
    assert not app.error


def test_the_report_card_without_true_causes_shows_how_to_get_them(visit, stores, tmp_path, monkeypatch):
    without(stores, tmp_path, monkeypatch, "engine_truth.event_cause")
    app = visit("report", period="all time")
    assert "synclens simulate" in app.info[0].value.replace("\\", "")
