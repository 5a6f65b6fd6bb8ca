"""Issues in failed syncs without an error text: each kind, and what holds for all of them."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import health, list_issues, update_findings
from tests.conftest import fresh_store
from tests.support.examples import examples
from tests.support.tracked_fleet import MONDAY, add_error, add_syncs, change, regular_syncs

THURSDAY = MONDAY + timedelta(days=3, hours=12)
ON_NEW_VERSION = {f"u{number:02}" for number in range(9)}


def findings(syncs, *, errors=(), loose_errors=()):
    """Return the issues of a store with these syncs, and all rows of sync_finding."""
    with fresh_store() as store:
        add_syncs(store, syncs)
        for sync in errors:
            add_error(store, sync)
        for sync in loose_errors:
            add_error(store, sync, with_sync_id=False)
        update_findings(store)
        rows = store.execute("SELECT * FROM sync_finding ORDER BY ALL").fetchall()
        return list_issues(store).set_index("failure_kind", drop=False), rows


def uploads_fail_on_a_version(sync):
    if sync.user in ON_NEW_VERSION and sync.at > THURSDAY:
        new = replace(sync, version="302.1.0")
        return new.failing_in_upload() if sync.at.hour >= 13 else new
    return sync


def downloads_fail_for_everyone(sync):
    return sync.failing_in_download() if sync.at > MONDAY + timedelta(days=9, hours=12) else sync


def phases_alternate_in_an_outage(sync):
    if MONDAY + timedelta(days=6, hours=12) < sync.at < MONDAY + timedelta(days=7):
        return sync.failing_in_upload() if int(sync.user[1:]) % 2 else sync.failing_in_download()
    return sync


def records_are_refused(sync):
    return replace(sync, refused=(sync.at - THURSDAY).days + 1) if sync.at > THURSDAY else sync


def syncs_stay_unfinished(sync):
    return (
        replace(sync, success=None, uploaded=None, downloaded=None)
        if sync.user in ("u03", "u04", "u05")
        else sync
    )


def users_cancel(sync):
    return replace(sync, canceled=True, success=False) if sync.at > THURSDAY + timedelta(days=4) else sync


def retries_rise(sync):
    return replace(sync, retries=3) if sync.at > THURSDAY else sync


def one_user_refreshes(sync):
    is_loop = sync.user == "u07" and sync.at > MONDAY + timedelta(days=7)
    return replace(sync, sync_type="database_refresh__v") if is_loop else sync


def vtrans_accumulate(sync):
    return (
        replace(sync, vtrans=180)
        if sync.user in ("u01", "u02") and sync.at > MONDAY + timedelta(days=8)
        else sync
    )


def users_stop(sync):
    return None if sync.user in ("u11", "u12", "u13", "u14") and sync.at > THURSDAY else sync


KINDS = {
    uploads_fail_on_a_version: ("uploads-fail", 9, "since version 302.1.0"),
    downloads_fail_for_everyone: ("downloads-fail", 30, "Downloads fail for everyone since 2026-05-13 13:00 UTC"),
    phases_alternate_in_an_outage: ("syncs-fail", 30, "Syncs fail for everyone from 2026-05-10 13:00 to 15:54 UTC"),
    records_are_refused: ("records-refused", 30, "Vault refuses records for everyone since 2026-05-07"),
    syncs_stay_unfinished: ("syncs-unfinished", 3, "Syncs do not finish for 3 users since"),
    users_cancel: ("syncs-canceled", 30, "Users cancel syncs for everyone since"),
    retries_rise: ("retries-rise", 30, "Syncs need more retries for everyone since"),
    one_user_refreshes: ("refresh-loop", 1, "1 user"),
    vtrans_accumulate: ("upload-backlog", 2, "Upload backlog: 2 users"),
    users_stop: ("syncs-stopped", 4, "Users stopped syncing: 4 users"),
}  # fmt: skip


@pytest.mark.parametrize("pattern", KINDS, ids=lambda pattern: pattern.__name__)
def test_names_the_kind_the_users_and_the_start(pattern):
    kind, users, title = KINDS[pattern]
    issues, _ = findings(change(regular_syncs(), pattern))
    assert list(issues["failure_kind"]) == [kind]
    assert issues.loc[kind, "users"] == users
    assert title in issues.loc[kind, "title"]
    assert issues.loc[kind, "cause"] == "unknown"


def test_a_single_failing_device_is_an_issue():
    issues, _ = findings(
        change(regular_syncs(), lambda sync: sync.failing_in_upload() if sync.user == "u20" else sync)
    )
    assert issues.loc["uploads-fail", "title"].startswith("Uploads fail for 1 user since 2026-05-04")


def test_a_store_with_failed_syncs_only_has_issues():
    issues, rows = findings([sync.failing_in_upload() for sync in regular_syncs(users=12, days=3)])
    assert list(issues["users"]) == [12]
    assert len(rows) == 12 * 3 * 2


def test_two_faults_of_different_users_are_two_issues():
    def of_others(sync):
        return sync.failing_in_download() if sync.user in ("u25", "u26", "u27", "u28") else sync

    issues, _ = findings(change(regular_syncs(), uploads_fail_on_a_version, of_others))
    assert sorted(issues["failure_kind"]) == ["downloads-fail", "uploads-fail"]


@settings(max_examples=examples(10))
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.01, 0.02]))
def test_scattered_failures_are_no_issue_but_counted(seed, share):
    rng = Random(seed)
    syncs = change(
        regular_syncs(users=20, days=5),
        lambda sync: sync.failing_in_upload() if rng.random() < share else sync,
    )
    issues, rows = findings(syncs)
    assert issues.empty
    assert [row[0] for row in rows] == sorted(sync.id for sync in syncs if not sync.success)
    assert all(row[1] is None for row in rows)


@settings(max_examples=examples(10))
@given(st.randoms(use_true_random=False))
def test_each_failed_sync_is_in_one_issue_or_counted_in_any_order_of_rows(rng):
    patterns = rng.sample(list(KINDS), k=2)
    syncs = change(
        regular_syncs(users=24, days=8),
        *patterns,
        lambda sync: sync.failing_in_upload() if sync.success and rng.random() < 0.01 else sync,
    )
    shuffled = rng.sample(syncs, k=len(syncs))
    (issues, rows), (_, rows_shuffled) = findings(syncs), findings(shuffled)
    assert rows == rows_shuffled
    ids = [row[0] for row in rows]
    assert len(ids) == len(set(ids))
    failed = {sync.id for sync in syncs if not sync.canceled and (sync.success is False or sync.refused)}
    assert failed <= set(ids)
    assert issues["events"].sum() == sum(row[1] is not None for row in rows)


def test_an_id_is_the_same_after_a_reload_and_after_more_days():
    syncs = change(regular_syncs(days=14), uploads_fail_on_a_version, downloads_fail_for_everyone)
    first, _ = findings([sync for sync in syncs if sync.at < MONDAY + timedelta(days=12)])
    second, _ = findings(syncs)
    assert len(first) == 2
    assert set(first["issue_id"]) == set(second["issue_id"])
    with fresh_store() as store:
        add_syncs(store, syncs)
        ids = []
        for _ in range(2):
            update_findings(store)
            ids.append(store.execute("SELECT * FROM sync_finding ORDER BY ALL").fetchall())
        assert ids[0] == ids[1]


@pytest.mark.parametrize("way", ["errors", "loose_errors"])
def test_errors_explain_their_syncs(way):
    syncs = change(regular_syncs(), uploads_fail_on_a_version)
    failed = [sync for sync in syncs if not sync.success]
    issues, rows = findings(syncs, **{way: failed})
    assert not rows
    assert issues["failure_kind"].isna().all()


def test_a_mixed_store_has_issues_of_both_sources():
    def of_others(sync):
        return sync.failing_in_download() if sync.user in ("u25", "u26", "u27", "u28") else sync

    syncs = change(regular_syncs(), uploads_fail_on_a_version, of_others)
    issues, rows = findings(
        syncs, errors=[sync for sync in syncs if sync.user in ON_NEW_VERSION and not sync.success]
    )
    assert set(issues["failure_kind"].dropna()) == {"downloads-fail"}
    assert issues["failure_kind"].isna().sum() == 1
    assert {row[0].split("-")[0] for row in rows} == {"u25", "u26", "u27", "u28"}


def test_symptoms_of_successful_syncs_are_not_judged_where_errors_are_loaded():
    syncs = change(regular_syncs(), retries_rise)
    issues, _ = findings(syncs, errors=[syncs[0], syncs[-1]])
    assert "retries-rise" not in set(issues["failure_kind"].dropna())


def test_health_counts_issues_and_scattered_failures(store):
    syncs = change(regular_syncs(), uploads_fail_on_a_version)
    add_syncs(store, [syncs[0].failing_in_download(), *syncs[1:]])
    update_findings(store)
    result = health(store)
    assert (result.errors, result.issues, result.sync_failure_issues, result.all_issues) == (0, 0, 1, 1)
    assert result.failed_without_issue == 1


def test_a_user_who_stopped_is_never_quiet(store):
    add_syncs(store, change(regular_syncs(days=20), users_stop))
    update_findings(store)
    assert len(list_issues(store, query="is:quiet")) == 0
    assert len(list_issues(store, query="failure_kind:syncs-stopped")) == 1


def test_an_empty_store_has_no_findings(store):
    assert update_findings(store).sync_failure_issues == 0
    assert store.execute("SELECT count(*) FROM sync_finding").fetchall() == [(0,)]
