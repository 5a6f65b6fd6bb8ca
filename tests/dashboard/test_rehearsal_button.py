"""A fix can be rehearsed on the page of its issue and in the list of fixes."""

from __future__ import annotations

import pytest

import analysis
from ingest import open_store
from rehearsal.run import rehearse

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("stores")]


@pytest.fixture
def locked(stores) -> str:
    """The worst issue about locked records, which the engine can rebuild."""
    with open_store(stores["normal"]) as store:
        issues = analysis.list_issues(store, query="cause:record-locked")
    return str(issues["issue_id"].iloc[0])


def test_the_button_shows_the_rehearsal(visit, stores, locked):
    app = visit("issue", period="all time", issue=locked)
    app.button(key=f"rehearse-{locked}").click().run()
    assert not app.exception
    result = rehearse(stores["normal"], locked)
    tables = [table.value for table in app.dataframe]
    shown = next(table for table in tables if "still_failing" in table)
    columns = ["name", "freed", "still_failing", "lost"]
    assert shown[columns].values.tolist() == result.to_frame()[columns].values.tolist()
    assert result.best is not None
    assert any(result.best.name in element.value.replace("\\", "") for element in app.success)
    assert any("Assumed" in element.value for element in app.markdown)


def test_an_issue_that_cannot_be_rehearsed_shows_the_reason(visit, stores):
    with open_store(stores["normal"]) as store:
        causes = analysis.list_issues(store)[["issue_id", "cause"]]
    issue_id = next(
        one for one in causes["issue_id"] if rehearse(stores["normal"], str(one)).reason is not None
    )
    app = visit("issue", period="all time", issue=issue_id)
    app.button(key=f"rehearse-{issue_id}").click().run()
    assert any("cannot be rehearsed" in element.value for element in app.info)


def test_the_list_of_fixes_rehearses_the_worst_issue_of_a_cause(visit):
    app = visit("fixes", period="all time")
    (button,) = [button for button in app.button if button.label == "Rehearse this fix"]
    button.click().run()
    assert not app.exception
    assert not [button for button in app.button if button.label == "Rehearse this fix"]
