"""The pull over real HTTP: all pages, resumed runs, and deletions."""

import subprocess
import sys
from datetime import timedelta

import pytest

from ingest import TargetOutcome, pull


def test_a_pull_reads_every_page_and_reports_missing_fields(store, client, vault, ids, pulled):
    report = pulled(store)
    assert ids() == [each["id"] for each in vault.rows]
    assert sum(batch.rows_new for batch in report.batches if batch.kind == "sync_tracking__v") == 25
    notes = [note for target in report.targets for note in target.notes]
    assert "field version__v is missing in this Vault" in notes
    assert store.execute("SELECT DISTINCT extra FROM sync_tracking__v").fetchall() == [
        ('{"rating__c":"high"}',)
    ]
    assert store.execute("SELECT label FROM picklist_value").fetchall() == [("Incremental Sync",)]


@pytest.mark.parametrize("form", ["/api/v26.2{}", "{}", "full"])
def test_page_addresses_are_accepted_in_any_form(store, client, vault, form, ids, pulled):
    vault.page_form = vault.url + "/api/v26.2{}" if form == "full" else form
    pulled(store)
    assert len(ids()) == 25


@pytest.mark.parametrize(
    "trouble", [["expire"], ["proxy"], ["shrink"], ["server down"], ["expire", "shrink", "proxy"]]
)
def test_temporary_faults_lose_no_rows(store, client, vault, trouble, ids, pulled):
    vault.trouble = list(trouble)
    pulled(store)
    assert len(ids()) == 25
    assert vault.trouble == []


def test_the_next_pull_reads_only_changes_with_an_overlap(store, client, vault, pulled, small_vault):
    pulled(store)
    vault.rows.append(small_vault.row(30))
    batches = pulled(store).batches
    assert vault.asked_since == small_vault.stamp(24 - 15)
    assert (sum(r.rows_new for r in batches), sum(r.rows_unchanged for r in batches)) == (1, 15)


def test_deleted_records_are_removed_and_not_restored(store, client, vault, ids, pulled, small_vault):
    vault.deleted = [{"id": "V5X003", "date_deleted": small_vault.stamp(60)}]
    pulled(store)
    assert len(ids()) == 24
    vault.deleted = []
    pulled(store)
    assert "V5X003" not in ids()


def test_an_interrupted_pull_resumes_where_it_stopped(store, client, vault, ids, pulled):
    vault.rows = vault.rows[:25]
    vault.trouble = ["stop early"]
    first = next(each for each in pulled(store).targets if each.target == "sync_tracking__v")
    assert (first.outcome, first.rows_in, len(ids())) == (TargetOutcome.INCOMPLETE, 20, 20)
    assert [each.reason for each in first.omissions] == ["sync_tracking__v: received 20 of 25 rows"]
    assert pulled(store).is_complete
    assert len(ids()) == 25


def test_an_expired_page_address_does_not_end_the_pull(store, client, vault, ids, pulled):
    vault.trouble = ["page lost", "page lost"]
    pulled(store)
    assert len(ids()) == 25
    assert vault.trouble == []


def test_missing_objects_are_reported_and_the_pull_continues(store, client, ids):
    report = pull(store, client, objects=["user__sys", "sync_tracking__v"], trails=["login_audit_trail"])
    assert len(ids()) == 25
    failed = {
        each.target: each.omissions[0] for each in report.targets if each.outcome is TargetOutcome.FAILED
    }
    assert set(failed) == {"user__sys", "login_audit_trail"}
    assert all("MALFORMED_URL" in each.reason for each in failed.values())
    assert "Read on user__sys" in failed["user__sys"].next_step
    assert "Admin: Logs: Login Audit" in failed["login_audit_trail"].next_step
    assert not report.got_nothing


def test_the_store_is_not_locked_during_a_call(vault, client, tmp_path, pulled):
    path, seen = tmp_path / "store.duckdb", []

    def read(*_):
        # another process: DuckDB lets one process read and write side by side
        look = "read_only=True).sql('FROM watermark').fetchall()"
        script = f"import duckdb; print(duckdb.connect({str(path)!r}, {look})"
        seen.append(
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        )

    pulled(path, on_progress=read)
    assert len(seen) == 3
    assert "/query/abc" in seen[0]
    assert "/query/abc" not in seen[-1]


def test_changed_and_removed_fields_are_recorded_as_changes(store, client, vault, pulled, small_vault):
    pulled(store)
    vault.fields = [
        each | {"required": True} if each["name"] == "rating__c" else each for each in small_vault.fields
    ]
    vault.fields = [each for each in vault.fields if each["name"] != "successful_sync__v"]
    pulled(store, at=small_vault.start + timedelta(days=1))
    again = pulled(store, at=small_vault.start + timedelta(days=2))
    changes = store.execute("SELECT field, before, after FROM config_change ORDER BY field").fetchall()
    assert changes == [
        ("rating__c", '{"required":null}', '{"required":true}'),
        ("successful_sync__v", '{"active":true}', '{"active":false}'),
    ]
    assert not [batch for batch in again.batches if batch.kind == "object_field"]


def test_rows_without_a_modification_time_keep_their_position(store, client, vault, ids, pulled, small_vault):
    vault.fields = [each for each in small_vault.fields if each["name"] != "modified_date__v"]
    vault.rows = [{**each, "modified_date__v": None} for each in vault.rows]
    vault.undated, vault.trouble = True, ["stop early"]
    assert not pulled(store).is_complete
    pulled(store)
    assert len(ids()) == 25


@pytest.mark.parametrize("total", [True, False])
def test_deletions_on_many_pages_are_all_loaded(store, client, vault, pulled, ids, small_vault, total):
    gone = [f"V5X{number:03}" for number in range(5, 25)] + [f"X{number}" for number in range(2_100)]
    vault.deleted = [{"id": each, "date_deleted": small_vault.stamp(60)} for each in gone]
    vault.deleted_total = len(gone) if total else None
    batches = pulled(store).batches
    pages = [batch.rows_in for batch in batches if batch.source.endswith("deletions")]
    assert pages == [1000, 1000, 120]
    assert ids() == [f"V5X{number:03}" for number in range(5)]
    again = pulled(store).batches
    assert sum(each.rows_unchanged for each in again if each.source.endswith("deletions")) == len(gone)


def test_incomplete_lists_of_deletions_are_requested_again(store, client, vault, pulled, small_vault):
    vault.deleted = [{"id": "V5X003", "date_deleted": small_vault.stamp(60)}]
    vault.deleted_total = 2
    target = "sync_tracking__v deletions"
    (omission,) = pulled(store).omissions
    assert (omission.target, omission.reason) == (target, f"{target}: received 1 of 2 rows")
    assert store.execute("FROM watermark WHERE target = $target", {"target": target}).fetchall() == []
