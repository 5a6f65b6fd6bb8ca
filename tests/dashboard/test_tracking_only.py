"""Pages on stores with sync tracking records only: no page reports "fine" over failed syncs or unknown errors."""

from datetime import timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from analysis import list_issues, update_findings
from dashboard import tables
from ingest import open_store
from tests.support.tracked_fleet import MONDAY, add_syncs, change, regular_syncs

PAGES_WITH_A_TICK = ("overview", "issues", "fixes", "changes")


def fails_for_some(sync):
    is_affected = sync.at > MONDAY + timedelta(days=4) and int(sync.user[1:]) % 4 == 0
    return sync.failing_in_upload() if is_affected else sync


@pytest.fixture(scope="module")
def tracked_stores(tmp_path_factory):
    """Stores by name: failing has an issue, scattered two failed syncs, healthy none."""
    syncs = regular_syncs(users=20, days=9)
    fleets = {
        "failing": change(syncs, fails_for_some),
        "scattered": [
            syncs[5].failing_in_upload(),
            syncs[90].failing_in_download(),
            *syncs[:5],
            *syncs[6:90],
        ],
        "healthy": syncs,
    }
    paths = {name: tmp_path_factory.mktemp("tracked") / f"{name}.duckdb" for name in fleets}
    for name, path in paths.items():
        with open_store(path, read_only=False) as store:
            add_syncs(store, fleets[name])
            update_findings(store)
    return paths


@pytest.fixture
def visit_tracked(tracked_stores, monkeypatch):
    def open_page(name, store, **parameters):
        monkeypatch.setenv("SYNCLENS_STORE", str(tracked_stores[store]))
        app = AppTest.from_file(dashboard.app_path(), default_timeout=60)
        app.query_params.update({"period": "all time", **parameters})
        if name != "overview":
            app.switch_page(f"views/{name}.py")
        app.run()
        assert not app.exception
        return app

    return open_page


def texts(app, *kinds):
    return " ".join(str(element.value) for kind in kinds for element in app.get(kind))


@pytest.mark.parametrize("page", PAGES_WITH_A_TICK)
@pytest.mark.parametrize("store", ["failing", "scattered", "healthy"])
def test_no_page_shows_a_tick_without_loaded_errors(visit_tracked, page, store):
    app = visit_tracked(page, store)
    assert "No errors" not in texts(app, "success")


@pytest.mark.parametrize("page", PAGES_WITH_A_TICK)
def test_scattered_failures_and_missing_errors_are_stated(visit_tracked, page):
    scattered = texts(visit_tracked(page, "scattered"), "warning")
    assert "2 syncs of" in scattered and "No error events are loaded" in scattered
    healthy = texts(visit_tracked(page, "healthy"), "info")
    assert "errors of Autosync, which is not tracked, are unknown" in healthy


def test_the_overview_and_the_list_show_the_issue(visit_tracked):
    overview = visit_tracked("overview", "failing")
    metrics = {metric.label: metric.value for metric in overview.metric}
    assert (metrics["Errors"], metrics["Issues"]) == ("–", "1")
    assert "Uploads fail for 5 users since" in texts(overview, "caption")
    table = visit_tracked("issues", "failing").dataframe[0].value
    assert table["cause"].iloc[0].startswith("Uploads fail for 5 users since")


def test_the_issue_page_shows_what_is_excluded_and_what_to_get(visit_tracked, tracked_stores):
    with open_store(tracked_stores["failing"]) as store:
        issue = list_issues(store)["issue_id"].iloc[0]
    app = visit_tracked("issue", "failing", issue=issue)
    assert app.title[0].value == "Uploads fail"
    text = texts(app, "markdown", "caption")
    assert "The message that the app shows" in text and "Vault as a whole" in text
    assert "Suspects cannot be judged" in text


def test_the_page_of_an_affected_user_shows_the_issue(visit_tracked):
    app = visit_tracked("device", "failing", device="u04")
    assert "Uploads fail for 5 users since" in texts(app, "caption")
    assert "No current problem" not in texts(app, "caption")


def test_device_problems_without_data_are_unknown():
    devices = pd.DataFrame({"problems": [["stuck"]], "accounts": [None], "storage_free_mb": [None]})
    counts = tables.count_by_status(devices, ("stuck", "low storage", "too many accounts"))
    assert counts == {"stuck": 1, "low storage": None, "too many accounts": None}
