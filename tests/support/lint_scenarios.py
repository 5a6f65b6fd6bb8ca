"""One scenario per lint rule: a correct configuration, the fault, and the failure that it causes in the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync_engine.device import alerts
from sync_engine.device.edits import Edit, list_record_ids, new_mobile_id, read_record, save
from sync_engine.device.widgets import sync_widget
from sync_engine.model import date, object_definition, text
from sync_engine.vault import admin, records
from sync_engine.vault.alerts import add_alert_objects, create_alert
from sync_engine.vault.permissions import PROFILES, SETTINGS, VMOCS
from sync_engine.vmoc import vmoc
from tests.support.engine_harness import EngineHarness

DAY = 86_400
CARDIOLOGY = "WHERE specialty__v = 'cardiology__v'"
OWN_PROFILE = (
    "WHERE application_profile__v = @@USER_APP_PROFILE_ID@@ "
    "OR (application_profile__v = null AND security_profile__v = null)"
)
Action = Callable[[EngineHarness], object]


def do_nothing(_: EngineHarness) -> None:
    """Leave the Vault as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintScenario:
    """How to configure a Vault with and without the fault of one rule.

    `prepare` runs for both, then `configure` without the fault or `inject_fault` with it. `fails` returns whether
    the failure occurs. `other_findings` are rules that lint reports even without the fault.
    """

    inject_fault: Action
    fails: Callable[[EngineHarness], bool]
    prepare: Action = do_nothing
    configure: Action = do_nothing
    other_findings: frozenset[str] = frozenset()


# -- actions of an administrator


def set_vmoc(name: str, *, publish: bool = True, under: str | None = None, **values) -> Action:
    return lambda harness: admin.set_vmoc(
        harness.vault, under or name, vmoc(name, **values), at=harness.scheduler.now, publish=publish
    )


def set_setting(name: str, value: object) -> Action:
    return lambda harness: admin.set_setting(harness.vault, name, value, at=harness.scheduler.now)


def deny_object(name: str) -> Action:
    return lambda harness: admin.set_object_permission(
        harness.vault, harness.permission_set, name, "read", False, at=harness.scheduler.now
    )


def deny_field(name: str, field: str) -> Action:
    return lambda harness: admin.set_field_permission(
        harness.vault, harness.permission_set, name, field, "read", False, at=harness.scheduler.now
    )


def grant_metadata_api(harness):
    admin.set_application_permission(
        harness.vault, harness.permission_set, "metadata_api", True, at=harness.scheduler.now
    )


def set_object(name: str, fields=None, **more) -> Action:
    definition = object_definition(
        name, fields or {"name__v": text(), "mobile_id__c": text()}, sharing="public", **more
    )
    return lambda harness: admin.change_configuration(
        harness.vault, "object", name, definition, at=harness.scheduler.now, object_name=name
    )


def combine(*actions: Action) -> Action:
    return lambda harness: [action(harness) for action in actions]


def profile_of(harness):
    return harness.vault.live["user"][harness.person.user_id]["application_profile"]


def scope_accounts_by_profile(harness):
    own = vmoc("account__v", application_profile__v=profile_of(harness))
    admin.set_vmoc(harness.vault, "account__v", own, at=harness.scheduler.now)


def keep_settings_by_profile(harness):
    admin.set_profile_setting(
        harness.vault, "sync_warn_interval__v", "another__c", 30, at=harness.scheduler.now
    )
    set_vmoc(SETTINGS, type="full_object__v", where=OWN_PROFILE, enable_enhanced_sync__v=True)(harness)


def add_alert(harness):
    with harness.vault.transaction():
        add_alert_objects(harness.vault)
    create_alert(harness.vault, "Recall of lot 7", at=harness.scheduler.now)


def add_emails(harness):
    set_object("sent_email__v", {"name__v": text(), "sent_date__v": date()})(harness)
    set_vmoc("sent_email__v", where="WHERE sent_date__v >= '2025-12-02'")(harness)
    with harness.vault.transaction():
        for day in ("2025-08-01", "2026-02-20"):
            doc = {"name__v": day, "sent_date__v": day}
            records.insert(harness.vault, "sent_email__v", doc, at=harness.scheduler.now, by="admin")


def require_mobile_ids(harness):
    set_object("visit__c")(harness)
    set_vmoc("visit__c")(harness)
    harness.vault.configure("setting", "custom_objects_need_mobile_id", {"value": True})


def add_accounts(count: int) -> Action:
    def add(harness):
        territory = harness.vault.live["user"][harness.person.user_id]["territories"][0]
        with harness.vault.transaction():
            for n in range(count):
                doc = {"name__v": f"Dr {n}", "territory__v": territory}
                records.insert(harness.vault, "account__v", doc, at=harness.scheduler.now, by="admin")

    return add


def clear_cache(harness):
    harness.scheduler.run_until(harness.scheduler.now + 60)
    admin.clear_cache(harness.vault, at=harness.scheduler.now)


def narrow_accounts(harness):
    harness.scheduler.run_until(harness.scheduler.now + 60)
    set_vmoc("account__v", where=CARDIOLOGY, publish=False)(harness)


# -- failures


def reports_error(harness, error_type=None) -> bool:
    """Sync, and return whether the sync reported an error (of `error_type`, if given)."""
    before = harness.count_errors()
    harness.sync()
    if error_type is None:
        return harness.count_errors() > before
    count = harness.store.execute(
        "SELECT count(*) FROM sync_error WHERE error_type = ?", [error_type]
    ).fetchone()
    return bool(count[0])


def misses_change(harness):
    """Return whether a change in Vault does not reach the device with a sync."""
    harness.sync()
    account = list_record_ids(harness.device, "account__v")[0]
    record = records.find(harness.vault, account)
    with harness.vault.transaction():
        records.update(harness.vault, record, {"name__v": "Dr New"}, at=harness.scheduler.now, by="admin")
    is_reported = reports_error(harness)
    missed = read_record(harness.device, account)["name__v"] != "Dr New"
    assert is_reported == missed
    return missed


def lacks_accounts(harness):
    harness.sync()
    return not list_record_ids(harness.device, "account__v")


def lacks_some_accounts(harness):
    harness.sync()
    total = harness.vault.db.execute("SELECT count(*) FROM record WHERE object = 'account__v'").fetchone()
    return len(list_record_ids(harness.device, "account__v")) < total[0]


def lacks_accounts_of(child: str) -> Callable[[EngineHarness], bool]:
    """Return a check whether the device holds records without their account."""

    def check(harness):
        harness.sync()
        accounts, children = (
            set(list_record_ids(harness.device, "account__v")),
            list_record_ids(harness.device, child),
        )
        assert children
        return any(
            read_record(harness.device, record_id)["account__v"] not in accounts for record_id in children
        )

    return check


def shows_no_reminder(harness):
    harness.sync()
    harness.scheduler.run_until(harness.scheduler.now + 10 * DAY)
    return not sync_widget(harness.device).sync_overdue


def uses_other_profile(harness):
    harness.sync()
    return harness.device.setting("sync_warn_interval__v") == 30


def downloads_everything(harness):
    """Return whether a profile change causes a download of the whole database."""
    harness.sync()
    harness.store.execute("DELETE FROM sync_detail")
    admin.set_user(
        harness.vault, harness.person.user_id, at=harness.scheduler.now, application_profile="another__c"
    )
    harness.sync()
    (downloaded,) = harness.store.execute("SELECT records_downloaded FROM sync_detail").fetchone()
    held = harness.device.data.execute("SELECT count(*) FROM record").fetchone()[0]
    assert downloaded in (0, held)
    return downloaded == held


def announces_no_alert(harness):
    harness.sync()
    assert list_record_ids(harness.device, "alert__v")
    return not alerts.list_announced_alerts(harness.device)


def has_old_emails(harness):
    harness.sync()
    return "2025-08-01" in {
        read_record(harness.device, record_id)["name__v"]
        for record_id in list_record_ids(harness.device, "sent_email__v")
    }


def reports_no_account_limit(harness):
    return not reports_error(harness, "TOO_MANY_ACCOUNTS")


def rejects_call_on_merged_account(harness):
    loser, winner = list_record_ids(harness.device, "account__v")[:2]
    harness.create_call(loser)
    admin.merge_accounts(harness.vault, loser, winner, at=harness.scheduler.now)
    return reports_error(harness)


def rejects_call_of_last_week(harness):
    fields = {"account__v": list_record_ids(harness.device, "account__v")[0], "call_date__v": "2026-02-27"}
    edit = Edit(operation="create", object="call2__v", record_id=new_mobile_id(harness.device), fields=fields)
    save(harness.device, [edit])
    return reports_error(harness)


def rejects_new_visit(harness):
    edit = Edit(
        operation="create",
        object="visit__c",
        record_id=new_mobile_id(harness.device),
        fields={"name__v": "First"},
    )
    save(harness.device, [edit])
    return reports_error(harness)


def uses_old_clause(harness):
    harness.sync()
    expected = harness.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' "
        "AND json_extract(doc, '$.specialty__v') = 'cardiology__v' ORDER BY id"
    ).fetchall()
    return list_record_ids(harness.device, "account__v") != [record_id for (record_id,) in expected]


# -- scenarios by rule

CALLS_WITHOUT_PARENTS = set_vmoc("call2__v")
"""Sync calls whether or not their accounts sync."""
SCENARIOS: dict[str, LintScenario] = {
    "account-limit-raised": LintScenario(
        other_findings=frozenset({"accounts-over-limit"}), prepare=add_accounts(15_001),
        inject_fault=set_setting("max_accounts_ipad__v", 20_000), fails=reports_no_account_limit,
    ),
    "accounts-over-limit": LintScenario(
        prepare=add_accounts(14_900), inject_fault=add_accounts(101),
        fails=lambda harness: reports_error(harness, "TOO_MANY_ACCOUNTS"),
    ),
    "alert-vmocs-incomplete": LintScenario(
        prepare=add_alert, inject_fault=set_vmoc("alert_user_action__v", active__v=False), fails=announces_no_alert,
    ),
    "application-profile-not-readable": LintScenario(
        prepare=scope_accounts_by_profile, inject_fault=deny_object(PROFILES), fails=lacks_accounts,
    ),
    "backdate-limit-today-only": LintScenario(
        inject_fault=set_setting("call_backdate_limit__v", 0), fails=rejects_call_of_last_week,
    ),
    "cache-not-cleared": LintScenario(
        prepare=combine(clear_cache, narrow_accounts), configure=clear_cache, inject_fault=do_nothing,
        fails=uses_old_clause,
    ),
    "custom-object-without-mobile-id": LintScenario(
        prepare=require_mobile_ids, inject_fault=set_object("visit__c", {"name__v": text()}),
        fails=rejects_new_visit,
    ),
    "include-related-objects": LintScenario(
        prepare=set_vmoc("account__v", where=CARDIOLOGY),
        inject_fault=combine(set_vmoc("address__v", active__v=False),
                   set_vmoc("account__v", where=CARDIOLOGY, include_related_objects__v=True)),
        fails=lacks_accounts_of("address__v"),
    ),
    "merge-processing-off": LintScenario(
        inject_fault=set_setting("disable_veeva_merge__v", True), fails=rejects_call_on_merged_account,
    ),
    "metadata-api-for-end-users": LintScenario(inject_fault=grant_metadata_api, fails=reports_error),
    "modified-date-not-readable": LintScenario(
        inject_fault=deny_field("account__v", "modified_date__v"), fails=misses_change,
    ),
    "nobody-is-reminded-to-sync": LintScenario(
        inject_fault=set_setting("sync_warn_interval__v", 0), fails=shows_no_reminder,
    ),
    "sent-email-unlimited": LintScenario(
        prepare=add_emails, inject_fault=set_vmoc("sent_email__v"), fails=has_old_emails,
    ),
    "settings-not-readable": LintScenario(inject_fault=deny_object(SETTINGS), fails=shows_no_reminder),
    "settings-without-enhanced-sync": LintScenario(
        prepare=keep_settings_by_profile,
        inject_fault=set_vmoc(SETTINGS, type="full_object__v", where=OWN_PROFILE), fails=downloads_everything,
    ),
    "settings-without-profile-filter": LintScenario(
        prepare=keep_settings_by_profile,
        inject_fault=set_vmoc(SETTINGS, type="full_object__v", enable_enhanced_sync__v=True),
        fails=uses_other_profile,
    ),
    "vmoc-duplicate": LintScenario(
        inject_fault=set_vmoc("account__v", under="a_second_one", where=CARDIOLOGY), fails=lacks_some_accounts,
    ),
    "vmoc-field-not-readable": LintScenario(
        inject_fault=deny_field(VMOCS, "application_profile__v"), fails=misses_change,
    ),
    "vmoc-inactive-object": LintScenario(
        prepare=combine(set_object("goal__c"), set_vmoc("goal__c")), inject_fault=set_object("goal__c", active=False),
        fails=reports_error,
    ),
    "vmoc-missing-object": LintScenario(inject_fault=set_vmoc("goal__c"), fails=reports_error),
    "vmoc-object-not-readable": LintScenario(inject_fault=deny_object(VMOCS), fails=misses_change),
    "vmoc-parent-not-on-device": LintScenario(
        prepare=CALLS_WITHOUT_PARENTS, inject_fault=set_vmoc("account__v", devices=["windows__v"]),
        fails=lacks_accounts_of("call2__v"),
    ),
    "vmoc-where-drops-parents": LintScenario(
        prepare=CALLS_WITHOUT_PARENTS, inject_fault=set_vmoc("account__v", where=CARDIOLOGY),
        fails=lacks_accounts_of("call2__v"),
    ),
    "vmoc-where-unknown-field": LintScenario(
        inject_fault=set_vmoc("account__v", where="WHERE gone__c = 'x'"),
        fails=lambda harness: reports_error(harness) and lacks_accounts(harness),
    ),
    "vmoc-where-unreadable": LintScenario(
        inject_fault=set_vmoc("account__v", where="WHERE (name__v = 'x'"),
        fails=lambda harness: reports_error(harness) and lacks_accounts(harness),
    ),
    "vmoc-without-device": LintScenario(inject_fault=set_vmoc("account__v", devices=()), fails=lacks_accounts),
}  # fmt: skip
NOT_PULLED = {"accounts-over-limit": "only devices report how many accounts they hold"}
NOT_IN_CONFIGURATION = {
    "include-related-objects": "check boxes of a VMOC",
    "settings-without-enhanced-sync": "check boxes of a VMOC",
    "settings-without-profile-filter": "settings per profile",
    "vmoc-inactive-object": "inactive fields",
}
"""What `configuration_rows` of a simulated Vault does not contain, but a pull does."""
