"""A fix can be rehearsed on the page of its issue and in the list of fixes."""

from __future__ import annotations

import pytest

import analysis
from ingest import open_store
from rehearsal.run import rehearse

pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture
def locked(stores) -> str:
    """The worst issue about locked records, which the engine can rebuild."""
    with open_store(stores["normal"]) as store:
        found = analysis.list_issues(store, query="cause:record-locked")
    return str(found["issue_id"].iloc[0])


def test_the_button_shows_what_the_engine_found(visit, stores, locked):
    app = visit("issue", period="all time", issue=locked)
    app.button(key=f"rehearse-{locked}").click().run()
    assert not app.exception
    told = rehearse(stores["normal"], locked)
    tables = [table.value for table in app.dataframe]
    shown = next(table for table in tables if "still_failing" in table)
    columns = ["name", "freed", "still_failing", "lost"]
    assert shown[columns].values.tolist() == told.to_frame()[columns].values.tolist()
    assert told.best is not None
    assert any(told.best.name in one.value.replace("\\", "") for one in app.success)
    assert any("Assumed" in one.value for one in app.markdown)


def test_what_cannot_be_rehearsed_says_why(visit, stores):
    with open_store(stores["normal"]) as store:
        causes = analysis.list_issues(store)[["issue_id", "cause"]]
    issue_id = next(
        one for one in causes["issue_id"] if rehearse(stores["normal"], str(one)).reason is not None
    )
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key=f"rehearse-{issue_id}").click().run()
    assert any("could not be rehearsed" in one.value for one in app.info)


def test_the_list_of_fixes_rehearses_the_worst_issue_of_a_cause(visit):
    app = visit("fixes", period="all time")
    (button,) = [button for button in app.button if button.label == "Rehearse this fix"]
    button.click().run()
    assert not app.exception
    assert not [button for button in app.button if button.label == "Rehearse this fix"]
