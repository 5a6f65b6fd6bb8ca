"""The pull against the reference Vault over real HTTP, with and without faults."""

from datetime import timedelta

import pytest

from analysis import lint
from ingest import fetch_direct_data, load_all
from ingest.vault import permissions
from sync_engine.vault import admin
from sync_engine.vault_api.server_state import SERVICE_NAME

TABLES = ("sync_tracking__v", "sync_user", "vmoc", "veeva_setting", "permission_grant", "config_change")


def test_a_pull_with_every_fault_ends_like_a_pull_without_faults(served, pulled, content, all_faults):
    good, report = pulled(served()[0])
    assert [table for table in TABLES if not content(good, table)] == ["config_change"]
    assert report.is_complete
    assert report.notes == ()
    address, vault = served(*all_faults, link_form="mixed")
    bad, report = pulled(address)
    assert report.omissions == []
    assert vault.faults.counts["proxy"] > 3
    assert {table: content(bad, table) for table in TABLES} == {
        table: content(good, table) for table in TABLES
    }
    truth = vault.vault.db.execute("SELECT id FROM tracking ORDER BY id").fetchall()
    assert bad.execute("SELECT id FROM sync_tracking__v ORDER BY id").fetchall() == truth


def test_direct_data_loads_despite_every_fault(
    served, pulled, signed_in, make_empty_store, content, all_faults, tmp_path
):
    address, vault = served(*all_faults, part_bytes=4000)
    with signed_in(address) as client:
        fetched = fetch_direct_data(client, tmp_path, extract="full_directdata")
    assert vault.faults.counts["fail-part"] == 2
    store = make_empty_store()
    load_all(fetched.paths, store)
    good, _ = pulled(served()[0], trails=[])
    assert len(content(store)) > 10
    assert set(content(store)) <= set(content(good))


def test_lint_reports_the_faults_of_the_vault_in_a_pulled_store(served, pulled):
    address, vault = served()
    before = seen_facts(pulled(address)[0])
    users = vault.vault.live["user"].values()
    for name in {each["permission_set"] for each in users if each["email"] != SERVICE_NAME}:
        each = vault.vault.live["permission_set"][name]
        each["metadata_api"] = True
        each["fields"] = {"call2__v": {"modified_date__v": {"read": False, "edit": False}}}
    store, _ = pulled(address)
    assert seen_facts(store) - before >= {"metadata-api-for-end-users", "modified-date-not-readable"}


def seen_facts(store):
    return set(lint(store)["rule"])


def test_users_whose_permissions_are_refused_cost_only_themselves(served, pulled, content, monkeypatch):
    address, vault = served()
    user_ids = sorted(name for name, user in vault.vault.live["user"].items() if user["territories"])
    for number, user_id in enumerate(user_ids):
        vault.vault.live["user"][user_id]["permission_set"] = f"set_{number}__c"
        vault.vault.live["permission_set"][f"set_{number}__c"] = vault.vault.live["permission_set"][
            "integration__c"
        ]
    vault.refused = frozenset({f"/objects/users/{user_ids[0]}/"})
    store, report = pulled(address, trails=[])
    assert [each.what for each in report.omissions] == ["permissions of set_0__c"]
    granted = {name for (name,) in store.execute("SELECT permission_set FROM permission_grant").fetchall()}
    assert granted == {f"set_{number}__c" for number in range(1, len(user_ids))}
    monkeypatch.setattr(permissions, "MOST_COMBINATIONS", 1)
    _, report = pulled(address, trails=[])
    (target,) = (each for each in report.targets if each.target == "permissions")
    assert any(
        note.startswith(f"{len(user_ids) - 1} of {len(user_ids)} combinations") for note in target.notes
    )


@pytest.mark.parametrize("hours", [-900, 5])
def test_a_clock_that_is_hours_off_changes_no_table(served, simulated_vault, pulled, content, hours):
    address, vault = served()
    at = simulated_vault.at - 86_400
    admin.set_setting(vault.vault, "call_backdate_limit__v", 9, at=at)
    vmoc = sorted(vault.vault.live["vmoc"])[0]
    doc = vault.vault.live["vmoc"][vmoc] | {"where_clause__v": "level__v = 'C'"}
    admin.set_vmoc(vault.vault, vmoc, doc, at=at + 60)
    good, _ = pulled(address)
    skewed, report = pulled(address, at=simulated_vault.now + timedelta(hours=hours))
    assert report.is_complete
    assert len(report.notes) == 1
    assert len(content(good, "config_change")) >= 2
    assert {table: content(skewed, table) for table in TABLES} == {
        table: content(good, table) for table in TABLES
    }
