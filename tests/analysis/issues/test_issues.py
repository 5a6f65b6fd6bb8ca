"""Health and the triage list, on a storm with known ground truth and on an empty store."""

from datetime import UTC, datetime

import pytest

from analysis import TriageState, get_issue, health, list_devices, list_issues, suggest_fix
from analysis.base.quiet_period import QUIET_PERIOD
from analysis.issues.details import UnknownIssue
from analysis.issues.listing import (
    ISSUE_COLUMNS,
    TREND_DAYS,
    impact,
    is_quiet,
    list_issue_summaries,
    summarize,
)
from tests.support.synthetic import issue_id_of


def test_health_of_nothing_is_unknown_and_not_perfect(store):
    result = health(store)
    assert (result.syncs, result.success_rate, result.success_low, result.as_of) == (0, None, None, None)


def test_health_counts_each_sync_once(stormy_store):
    result = health(stormy_store)
    assert result.syncs == result.good + result.bad + result.canceled + result.unfinished
    assert result.success_low < result.success_rate < result.success_high


def test_health_counts_the_users_without_device_ids(own_stormy_store):
    before = health(own_stormy_store)
    own_stormy_store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, successful_sync__v, source,"
        " batch_id) VALUES ('a', 'somebody', '2026-03-02', true, 't', 't'),"
        " ('b', 'somebody', '2026-03-03', true, 't', 't')"
    )
    after = health(own_stormy_store)
    assert after.users_without_device == before.users_without_device + 1
    assert after.devices == before.devices + 1


def test_health_narrows(stormy_store):
    assert health(stormy_store, country="DE").success_rate < health(stormy_store, country="JP").success_rate


def test_an_empty_store_has_no_issues_but_all_columns(store):
    result = list_issues(store)
    assert result.empty
    assert tuple(result.columns) == ISSUE_COLUMNS


def test_issues_are_sorted_by_the_work_and_users_they_stop_and_for_how_long(stormy_store):
    result = list_issues(stormy_store)
    as_of = health(stormy_store).as_of
    impacts = [impact(row, as_of) for row in result.to_dict("records")]
    assert impacts == sorted(impacts, reverse=True)
    assert len(set(impacts)) > 5
    assert result.events.sum() == 1_500


def test_an_issue_without_errors_for_days_is_quiet(stormy_store):
    everything = list_issues(stormy_store)
    as_of = health(stormy_store).as_of
    quiet, going = (list_issues(stormy_store, query=query) for query in ("is:quiet", "-is:quiet"))
    assert len(quiet) and len(going) and len(quiet) + len(going) == len(everything)
    assert (quiet["last_seen"] < as_of - QUIET_PERIOD).all() and (
        going["last_seen"] >= as_of - QUIET_PERIOD
    ).all()
    assert set(quiet["state"]) == {"new"}  # decisions of users do not change
    assert list(is_quiet(everything, None)) == [False] * len(everything)


def test_a_resolved_issue_is_not_quiet(stormy_store, tmp_path):
    (first, *_) = list_issues(stormy_store, query="is:quiet")["issue_id"]
    triage = TriageState(tmp_path / "t.triage.sqlite")
    triage.resolve(first, actor="me", at=datetime(2026, 4, 20, tzinfo=UTC), reason="mended")
    assert first not in set(list_issues(stormy_store, query="is:quiet", triage=triage)["issue_id"])
    assert first in set(list_issues(stormy_store, query="is:resolved", triage=triage)["issue_id"])


def test_titles_keep_what_the_messages_share(stormy_store):
    titles = list_issues(stormy_store).set_index("issue_id").title
    assert titles[issue_id_of("account-gone")] == "INVALID_DATA: The resource […] does not exist"
    assert titles[issue_id_of("row-race")] == "RACE_CONDITION: Record […] is being updated by another request"


def test_the_trend_ends_today_and_sums_to_its_events(stormy_store):
    result = list_issues(stormy_store).set_index("issue_id")
    trend = result.trend[issue_id_of("vmoc-where")]
    assert len(trend) == TREND_DAYS
    assert sum(trend) == result.events[issue_id_of("vmoc-where")]
    assert trend[-3:] == [0, 0, 0]


def test_pending_records_are_those_that_wait_in_error(own_stormy_store):
    before = list_issues(own_stormy_store).set_index("issue_id").pending
    assert before[issue_id_of("signature-edit-lost")] > 0
    own_stormy_store.execute("UPDATE pending_record SET in_error = false").fetchall()
    after = list_issues(own_stormy_store).set_index("issue_id")
    # What is left is unsent work on devices whose sync is stopped.
    assert (after.stopped_devices[after.pending > 0] > 0).all()
    assert after.pending[issue_id_of("signature-edit-lost")] == 0


def test_a_pending_record_counts_once_under_its_newest_error(own_stormy_store):
    stopped = list_devices(own_stormy_store).query("stopped_by.notna()")["device"].to_list()
    (device, record, newest) = own_stormy_store.execute(
        "SELECT p.device_id, p.record_id, max(e.occurred_at) FROM pending_record AS p "
        "JOIN sync_error AS e USING (device_id, record_id) "
        "WHERE p.in_error AND NOT list_contains($1, p.device_id) GROUP BY ALL ORDER BY ALL LIMIT 1",
        [stopped],
    ).fetchone()
    before = list_issues(own_stormy_store).set_index("issue_id").pending
    other = issue_id_of("offline")
    own_stormy_store.execute(
        "INSERT INTO sync_error BY NAME (SELECT * REPLACE ('newest' AS event_id, occurred_at + INTERVAL 1 SECOND "
        "AS occurred_at) FROM sync_error WHERE device_id = $device AND record_id = $record "
        "AND occurred_at = $newest LIMIT 1)",
        {"device": device, "record": record, "newest": newest},
    ).fetchall()
    own_stormy_store.execute(
        "INSERT INTO finding BY NAME (SELECT * REPLACE ('newest' AS event_id) FROM finding "
        "WHERE issue_id = ? LIMIT 1)",
        [other],
    ).fetchall()
    after = list_issues(own_stormy_store).set_index("issue_id").pending
    assert after[other] == before[other] + 1
    assert after.sum() == before.sum()
    assert len(suggest_fix(own_stormy_store, other).pending_records) == after[other]
    for one, waiting in after[after > 0].items():
        assert list_issues(own_stormy_store, issue_id=one).pending.to_list() == [waiting]
        assert get_issue(own_stormy_store, one).summary.pending == waiting


def test_a_device_that_emptied_its_queue_since_has_nothing_pending(own_stormy_store):
    own_stormy_store.execute(
        "UPDATE sync_tracking__v SET sync_completed_datetime__v = TIMESTAMP '2027-01-01'"
    ).fetchall()
    own_stormy_store.execute("UPDATE sync_detail SET pending_uploads = 0").fetchall()
    assert list_issues(own_stormy_store).pending.sum() == 0


def test_an_issue_in_detail_agrees_with_its_row(stormy_store):
    wanted = issue_id_of("signature-edit-lost")
    result = get_issue(stormy_store, wanted)
    assert result.summary.events == result.by_day.events.sum() == result.variants.events.sum()
    assert result.summary.users == len(result.users)
    assert set(result.users.country) == {"DE"}
    assert result.events.occurred_at.is_monotonic_decreasing


def test_an_unknown_issue_names_the_command_that_lists_them(stormy_store):
    with pytest.raises(UnknownIssue) as caught:
        get_issue(stormy_store, "nothing")
    assert "synclens issues" in caught.value.next_step


def test_hostile_messages_stay_as_they_came(own_stormy_store):
    hostile = '<img src=x onerror=alert(1)> =HYPERLINK("http://x") **bold** \x00 ' + "Ω" * 500
    own_stormy_store.execute("UPDATE sync_error SET message = ?, error_type = NULL", [hostile]).fetchall()
    title = list_issues(own_stormy_store).title[0]
    assert title.startswith("<img src=x onerror=alert(1)>")
    assert len(title) == 160


@pytest.mark.parametrize("query", ["", "country:DE", "users>=2", "is:quiet"])
def test_summaries_without_a_frame_equal_those_of_the_frame(stormy_store, query):
    as_of = health(stormy_store).as_of
    expected = summarize(list_issues(stormy_store, query=query), as_of)
    assert list_issue_summaries(stormy_store, query=query) == expected
    assert list_issue_summaries(stormy_store, query=query, platform="iPad") == summarize(
        list_issues(stormy_store, query=query, platform="iPad"), as_of
    )


def test_an_empty_store_has_no_summaries(store):
    assert list_issue_summaries(store) == []
