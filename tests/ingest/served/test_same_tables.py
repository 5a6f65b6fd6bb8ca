"""A pull, Direct Data and exports fill the same tables."""

import csv
from datetime import timedelta

import pytest

from ingest import (
    Password,
    SignInRefused,
    VaultClient,
    direct_data_watermark,
    fetch_direct_data,
    load,
    load_all,
    set_direct_data_watermark,
)
from ingest.readers.rows import cell_text
from ingest.vault.metadata import describe_object
from ingest.vault.pull import OBJECTS, TRAILS
from sync_engine.json_docs import to_json as as_json
from sync_engine.vault import admin

pytestmark = pytest.mark.slow

DAY = 86_400
TABLES = ("sync_tracking__v", "sync_error", "sync_user", "vmoc", "veeva_setting", "config_change")


class ChangingVault:
    """A served Vault with a clock set by the test, and with changing records."""

    def __init__(self, served, simulated_vault, *faults):
        self.began, self.at = simulated_vault.at, simulated_vault.at
        self.address, served_vault = served(*faults, now=lambda: self.at, part_bytes=3000)
        self.vault, self.faults = served_vault.vault, served_vault.faults
        self.current_time = lambda: simulated_vault.now + timedelta(seconds=self.at - simulated_vault.at)

    def run_for_a_day(self):
        at = self.began + 601
        vmoc, user = sorted(self.vault.live["vmoc"])[0], sorted(self.vault.live["user"])[0]
        changed = self.vault.live["vmoc"][vmoc] | {"where_clause__v": "rank__v = 'A'"}
        admin.set_vmoc(self.vault, vmoc, changed, at=at)
        admin.set_user(self.vault, user, at=at + 60, active=False)
        admin.set_setting(self.vault, "call_backdate_limit__v", 3, at=at + 120)
        permission_set = sorted(self.vault.live["permission_set"])[0]
        admin.set_object_permission(self.vault, permission_set, "account__v", "edit", False, at=at + 180)
        self.at = at + 240
        name = self.vault.live["user"][user]["email"]
        with pytest.raises(SignInRefused):
            VaultClient(self.address, Password(name, "not this one")).sign_in()
        self.at = self.began + DAY + 60

    def delete_record(self, object_name, record_id, at):
        doc = as_json({"modified_date__v": at})
        with self.vault.transaction():
            self.vault.db.execute(
                "INSERT INTO record VALUES (?, ?, NULL, 0, '*', NULL, 1, 0, ?)", (record_id, object_name, doc)
            )

    def delete_sync_and_vmoc(self, store):
        """Delete a sync and a VMOC that the store contains."""
        at = self.began + 901
        (sync_id,) = store.execute("SELECT min(id) FROM sync_tracking__v").fetchone()
        (vmoc_id, name) = store.execute("SELECT vmoc_id, name FROM vmoc ORDER BY ALL DESC").fetchone()
        with self.vault.transaction():
            self.vault.db.execute("DELETE FROM tracking WHERE id = ?", (sync_id,))
        self.delete_record("sync_tracking__v", sync_id, at)
        admin.change_configuration(self.vault, "vmoc", name, None, at=at, before=None, after=None)
        self.delete_record("vmobile_object_configuration__v", vmoc_id, at)


def stored_content(content, store, *, with_permissions=True):
    tables = {table: content(store, table) for table in TABLES}
    derived = [
        row for row in tables["config_change"] if "permission_set" in row and str(row[0]).startswith("snap")
    ]
    if not with_permissions:  # Direct Data has no permissions, so nothing can be compared there
        tables["config_change"] = [row for row in tables["config_change"] if row not in derived]
    return tables


def fetch_and_load(changing_vault, signed_in, store, folder, extract):
    with signed_in(changing_vault.address) as client:
        since = direct_data_watermark(store, client.host, extract)
        fetched = fetch_direct_data(client, folder, extract=extract, since=since)
        load_all(fetched.paths, store, clock=changing_vault.current_time)
        if fetched.reached_at:
            set_direct_data_watermark(store, client.host, extract, fetched.reached_at)
    return fetched


def export(changing_vault, signed_in, folder, *, trails=False):
    """Write the files that a user can export: each object, and the audit trails."""
    folder.mkdir()
    with signed_in(changing_vault.address) as client:
        for name in OBJECTS:
            names = describe_object(client, name).field_names
            pages = client.query(f"SELECT {', '.join(names)} FROM {name}")
            yield write(folder / f"{name}.csv", [row for page in pages for row in page.data])
        for name in TRAILS if trails else ():
            rows = [row for page in client.pages(f"/audittrail/{name}?limit=1000") for row in page.data]
            yield write(folder / f"{name}.csv", rows)


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: cell_text(cell) for name, cell in row.items()} for row in rows)
    return path


def test_pages_archives_and_exports_fill_the_same_tables(
    served, simulated_vault, pulled, signed_in, make_empty_store, content, tmp_path
):
    changing_vault = ChangingVault(served, simulated_vault)
    by_page, by_archive, by_export = make_empty_store(), make_empty_store(), make_empty_store()
    pulled(changing_vault.address, into=by_page)
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "full_directdata")
    for path in export(changing_vault, signed_in, tmp_path / "first"):
        load(path, by_export)
    changing_vault.run_for_a_day()
    pulled(changing_vault.address, into=by_page, at=changing_vault.current_time())
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "incremental_directdata")
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "log_directdata")
    for path in export(changing_vault, signed_in, tmp_path / "second", trails=True):
        load(path, by_export)
    grants = tmp_path / "grants.csv"
    by_page.table("permission_grant").select("* EXCLUDE (extra, source, batch_id)").to_csv(str(grants))
    load(grants, by_export)
    truth = stored_content(content, by_page)
    assert [table for table in TABLES if not truth[table]] == []
    assert {row[3] for row in truth["config_change"]} >= {"vmoc", "user", "setting", "permission_set"}
    assert stored_content(content, by_export) == truth
    assert content(by_export, "permission_grant") == content(by_page, "permission_grant")
    assert stored_content(content, by_archive, with_permissions=False) == stored_content(
        content, by_page, with_permissions=False
    )


def test_increments_and_deletions_load_despite_every_fault(
    served, simulated_vault, pulled, signed_in, make_empty_store, content, all_faults, tmp_path
):
    changing_vault = ChangingVault(served, simulated_vault, *all_faults)
    good = ChangingVault(served, simulated_vault)
    by_page, by_archive = make_empty_store(), make_empty_store()
    pulled(good.address, into=by_page)
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "full_directdata")
    before = stored_content(content, by_page)
    for each in (changing_vault, good):
        each.delete_sync_and_vmoc(by_page)
        each.run_for_a_day()
    pulled(good.address, into=by_page, at=good.current_time())
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "incremental_directdata")
    fetch_and_load(changing_vault, signed_in, by_archive, tmp_path, "log_directdata")
    assert changing_vault.faults.counts["fail-part"] == 2
    after = stored_content(content, by_archive, with_permissions=False)
    assert after == stored_content(content, by_page, with_permissions=False)
    assert len(after["sync_tracking__v"]) == len(before["sync_tracking__v"]) - 1
    assert [row for row in after["vmoc"] if row[-1] is False]


def test_unpublished_increments_are_loaded_by_the_next_run(
    served, simulated_vault, signed_in, make_empty_store, content, tmp_path
):
    changing_vault = ChangingVault(served, simulated_vault, "unpublished=92")
    good = ChangingVault(served, simulated_vault)
    late, prompt = make_empty_store(), make_empty_store()
    for each, store, name in ((changing_vault, late, "late"), (good, prompt, "prompt")):
        fetch_and_load(each, signed_in, store, tmp_path / name, "full_directdata")
        each.run_for_a_day()
    first = fetch_and_load(changing_vault, signed_in, late, tmp_path / "late", "incremental_directdata")
    assert len(first.omissions) == 92
    changing_vault.faults.settings.clear()
    fetch_and_load(changing_vault, signed_in, late, tmp_path / "late", "incremental_directdata")
    fetch_and_load(good, signed_in, prompt, tmp_path / "prompt", "incremental_directdata")
    assert stored_content(content, late) == stored_content(content, prompt)
