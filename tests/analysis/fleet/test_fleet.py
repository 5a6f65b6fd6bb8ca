"""The fleet list, one device, and the records at risk."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import list_issues, suggest_fix
from analysis.fleet.devices import (
    FLEET_COLUMNS,
    STATUSES,
    UnknownDevice,
    get_device,
    list_devices,
)
from analysis.fleet.pending_records import _ancestors, list_records_at_risk
from analysis.metrics.registry import measure
from tests.support.synthetic import issue_id_of

AT = datetime(2026, 3, 20, 12)  # noqa: DTZ001 - as in the store


def test_an_empty_store_has_no_devices_but_all_columns(store):
    assert tuple(list_devices(store).columns) == FLEET_COLUMNS
    assert list_records_at_risk(store).empty


def test_every_device_is_listed_once_and_the_worst_first(stormy_store):
    devices = list_devices(stormy_store)
    assert devices.device.is_unique
    assert len(devices) == 120
    ranks = [STATUSES.index(status) if status in STATUSES else len(STATUSES) for status in devices.status]
    assert ranks == sorted(ranks)


def test_the_list_agrees_with_the_metrics(stormy_store):
    devices = list_devices(stormy_store).set_index("device")
    stuck = measure(stormy_store, "stuck_devices").device
    silent = measure(stormy_store, "silent_devices").device
    assert set(devices.index[devices.problems.map(lambda problems: "stuck" in problems)]) == set(stuck)
    assert set(devices.index[devices.problems.map(lambda problems: "silent" in problems)]) == set(silent)
    assert len(silent) > 0


def test_every_problem_has_a_description(stormy_store):
    devices = list_devices(stormy_store)
    assert (devices.why.str.len() > 0).eq(devices.status != "ok").all()


def test_account_limits_and_low_storage_are_listed(own_stormy_store):
    own_stormy_store.execute(
        "UPDATE device SET accounts = 15001, storage_free_mb = 12, platform = 'iPad'"
        " WHERE device_id = 'ipad-000003'"
    ).fetchall()
    row = list_devices(own_stormy_store).set_index("device").loc["ipad-000003"]
    assert {"too many accounts", "low storage"} <= set(row.problems)
    assert "15001 accounts" in row.why


def test_windows_allows_more_accounts(own_stormy_store):
    own_stormy_store.execute("UPDATE device SET accounts = 40000, platform = 'Windows'").fetchall()
    assert "too many accounts" not in set(list_devices(own_stormy_store).problems.explode())


def test_without_device_ids_users_count_as_devices(own_stormy_store):
    """Vault's own tracking has no details and no device list."""
    for table in ("sync_detail", "device", "pending_record"):
        own_stormy_store.execute(f"DELETE FROM {table}").fetchall()
    own_stormy_store.execute("UPDATE sync_error SET device_id = NULL").fetchall()
    devices = list_devices(own_stormy_store)
    assert len(devices) == 60
    assert (devices.device == devices.user_id).all()
    name = devices.device[0]
    assert get_device(own_stormy_store, name).summary["device"] == name


def test_a_device_lists_its_events_newest_first(stormy_store):
    name = list_devices(stormy_store).sort_values("errors", ascending=False).device.iloc[0]
    device = get_device(stormy_store, name)
    assert device.timeline.happened_at.is_monotonic_decreasing
    assert set(device.timeline.kind) == {"sync", "error"}
    assert len(device.pending) == device.summary["pending"]


def test_an_unknown_device_is_an_error_with_a_next_step(stormy_store):
    with pytest.raises(UnknownDevice) as error:
        get_device(stormy_store, "ipad-nobody")
    assert error.value.next_step


def test_records_at_risk_agree_with_the_metric(stormy_store):
    records = list_records_at_risk(stormy_store)
    by_cause = measure(stormy_store, "records_at_risk").set_index("cause")
    assert records.groupby("cause").size().to_dict() == by_cause.records.to_dict()
    assert records[~records.stopped].dependents.map(len).sum() == by_cause.dependents.sum()


def test_records_at_risk_of_one_issue(stormy_store):
    issue_id = issue_id_of("signature-edit-lost")
    records = list_records_at_risk(stormy_store, issue_id=issue_id)
    assert set(records.issue_id) == {issue_id}
    assert 0 < len(records) < len(list_records_at_risk(stormy_store))


def add_pending(store, record, parent=None, *, in_error=False, day=1):
    store.execute(
        "INSERT INTO pending_record (device_id, as_of, object, record_id, parent_record_id, edited_at,"
        " in_error, source, batch_id) VALUES ('d', $at, 'call2__v', $r, $p, $at, $e, 't', 't')",
        {"at": AT.replace(day=day), "r": record, "p": parent, "e": in_error},
    ).fetchall()


def test_dependents_are_listed_to_any_depth(store):
    add_pending(store, "call", in_error=True)
    add_pending(store, "sample", "call")
    add_pending(store, "signature", "sample")
    records = list_records_at_risk(store, only_blocked=False).set_index("record_id")
    assert records.dependents["call"] == ["sample", "signature"]
    assert records.blocked_by.to_dict() == {"call": None, "sample": "call", "signature": "call"}
    assert records.order.to_dict() == {"call": 0, "sample": 1, "signature": 2}
    assert list_records_at_risk(store).record_id.to_list() == ["call"]


def test_a_record_that_failed_with_its_call_has_the_calls_cause(store):
    add_pending(store, "call", in_error=True)
    add_pending(store, "sample", "call", in_error=True)
    add_pending(store, "orphan", in_error=True)
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, device_id, record_id, source, batch_id)"
        " VALUES ('e', $at, 'd', 'call', 't', 't')",
        {"at": AT},
    ).fetchall()
    store.execute(
        "INSERT INTO finding VALUES ('e', 'i', 'record-locked', 1, '', [], [], '', '', '', '')"
    ).fetchall()
    causes = list_records_at_risk(store).set_index("record_id").cause
    assert (causes["call"], causes["sample"], causes["orphan"]) == ("record-locked", "record-locked", None)
    by_cause = measure(store, "records_at_risk").set_index("cause")
    assert by_cause.records.to_dict() == {"record-locked": 2, "unknown": 1}
    assert by_cause.dependents.sum() == 0


def test_records_saved_together_share_the_cause_of_one_of_them(store):
    add_pending(store, "call", in_error=True)
    add_pending(store, "detail", "call", in_error=True)
    add_pending(store, "sample", "call", in_error=True)
    add_pending(store, "signature", "sample", in_error=True)
    add_pending(store, "waits", "call")
    add_pending(store, "other", in_error=True)
    store.execute(
        "INSERT INTO sync_error (event_id, occurred_at, device_id, record_id, source, batch_id)"
        " VALUES ('e', $at, 'd', 'signature', 't', 't')",
        {"at": AT},
    ).fetchall()
    store.execute(
        "INSERT INTO finding VALUES ('e', 'i', 'invalid-reference', 1, '', [], [], '', '', '', '')"
    ).fetchall()
    causes = list_records_at_risk(store, only_blocked=False).set_index("record_id").cause.to_dict()
    expected = dict.fromkeys(("call", "detail", "sample", "signature"), "invalid-reference")
    assert causes == expected | {"waits": None, "other": None}
    by_cause = measure(store, "records_at_risk").set_index("cause")
    assert by_cause.records.to_dict() == {"invalid-reference": 4, "unknown": 1}
    assert list_issues(store).pending.to_list() == [4]
    assert sorted(suggest_fix(store, "i").pending_records.record_id) == sorted(expected)


def test_every_count_of_pending_records_agrees(stormy_store):
    at_risk_by_issue = list_records_at_risk(stormy_store).groupby("issue_id").size().to_dict()
    issues = list_issues(stormy_store).set_index("issue_id").pending
    assert issues[issues > 0].to_dict() == at_risk_by_issue


def test_only_the_newest_list_of_a_device_counts(store):
    add_pending(store, "old", in_error=True, day=1)
    add_pending(store, "new", in_error=True, day=2)
    assert list_records_at_risk(store).record_id.to_list() == ["new"]
    assert list_records_at_risk(store, object="call2__v").record_id.to_list() == ["new"]


records = st.sampled_from("abcde")


@given(st.dictionaries(records, records), records)
def test_a_cycle_of_parents_ends(parents, record):
    ancestors = _ancestors({("d", child): parent for child, parent in parents.items()}, "d", record)
    assert len(ancestors) == len(set(ancestors)) <= 5
    assert record not in ancestors
