"""For each lint rule a clinic where all is well, the fault that it warns of, and what then goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync_engine.device import alerts
from sync_engine.device.edits import Edit, ids_on, new_id, read, save
from sync_engine.device.widgets import sync_widget
from sync_engine.model import an_object, date, text
from sync_engine.vault import admin, records
from sync_engine.vault.alerts import provide_alerts, raise_alert
from sync_engine.vault.permissions import PROFILES, SETTINGS, VMOCS
from sync_engine.vmoc import vmoc
from tests.support.engine_harness import EngineHarness

DAY = 86_400
CARDIOLOGY = "WHERE specialty__v = 'cardiology__v'"
OWN_PROFILE = (
    "WHERE application_profile__v = @@USER_APP_PROFILE_ID@@ "
    "OR (application_profile__v = null AND security_profile__v = null)"
)
Act = Callable[[EngineHarness], object]


def nothing(_: EngineHarness) -> None:
    """Leave the clinic as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`prepare` makes both worlds, `well` ends the good one and `plant` the bad; `harmed` looks at either."""

    plant: Act
    harmed: Callable[[EngineHarness], bool]
    prepare: Act = nothing
    well: Act = nothing
    beside: frozenset[str] = frozenset()  # what else is found in the good world


# -- what an administrator does


def set_vmoc(name: str, *, publish: bool = True, under: str | None = None, **values) -> Act:
    return lambda c: admin.set_vmoc(
        c.vault, under or name, vmoc(name, **values), at=c.scheduler.now, publish=publish
    )


def set_setting(name: str, value: object) -> Act:
    return lambda c: admin.set_setting(c.vault, name, value, at=c.scheduler.now)


def hide(name: str) -> Act:
    return lambda c: admin.set_object_right(
        c.vault, c.permission_set, name, "read", False, at=c.scheduler.now
    )


def hide_field(name: str, field: str) -> Act:
    return lambda c: admin.set_field_right(
        c.vault, c.permission_set, name, field, "read", False, at=c.scheduler.now
    )


def grant_metadata_api(c):
    admin.set_in_permission_set(c.vault, c.permission_set, "metadata_api", True, at=c.scheduler.now)


def set_object(name: str, fields=None, **more) -> Act:
    made = an_object(name, fields or {"name__v": text(), "mobile_id__c": text()}, sharing="public", **more)
    return lambda c: admin.change(c.vault, "object", name, made, at=c.scheduler.now, object_name=name)


def both(*acts: Act) -> Act:
    return lambda c: [act(c) for act in acts]


def profile_of(c):
    return c.vault.live["user"][c.person.user_id]["application_profile"]


def scope_accounts_by_profile(c):
    own = vmoc("account__v", application_profile__v=profile_of(c))
    admin.set_vmoc(c.vault, "account__v", own, at=c.scheduler.now)


def keep_settings_by_profile(c):
    admin.set_profile_setting(c.vault, "sync_warn_interval__v", "another__c", 30, at=c.scheduler.now)
    set_vmoc(SETTINGS, type="full_object__v", where=OWN_PROFILE, enable_enhanced_sync__v=True)(c)


def add_alert(c):
    with c.vault.transaction():
        provide_alerts(c.vault)
    raise_alert(c.vault, "Recall of lot 7", at=c.scheduler.now)


def add_emails(c):
    set_object("sent_email__v", {"name__v": text(), "sent_date__v": date()})(c)
    set_vmoc("sent_email__v", where="WHERE sent_date__v >= '2025-12-02'")(c)
    with c.vault.transaction():
        for day in ("2025-08-01", "2026-02-20"):
            doc = {"name__v": day, "sent_date__v": day}
            records.insert(c.vault, "sent_email__v", doc, at=c.scheduler.now, by="admin")


def demand_mobile_ids(c):
    set_object("visit__c")(c)
    set_vmoc("visit__c")(c)
    c.vault.configure("setting", "custom_objects_need_mobile_id", {"value": True})


def add_accounts(count: int) -> Act:
    def add(c):
        territory = c.vault.live["user"][c.person.user_id]["territories"][0]
        with c.vault.transaction():
            for n in range(count):
                doc = {"name__v": f"Dr {n}", "territory__v": territory}
                records.insert(c.vault, "account__v", doc, at=c.scheduler.now, by="admin")

    return add


def clear_cache(c):
    c.scheduler.run(c.scheduler.now + 60)
    admin.clear_cache(c.vault, at=c.scheduler.now)


def narrow_accounts(c):
    c.scheduler.run(c.scheduler.now + 60)
    set_vmoc("account__v", where=CARDIOLOGY, publish=False)(c)


# -- what goes wrong


def told_of(c, error_type=None) -> bool:
    """Whether a sync reports an error, of this type if one is named."""
    before = c.count_errors()
    c.sync()
    if error_type is None:
        return c.count_errors() > before
    found = c.store.execute("SELECT count(*) FROM sync_error WHERE error_type = ?", [error_type]).fetchone()
    return bool(found[0])


def misses_a_change(c):
    """Whether what somebody changes in Vault stays away from the device, though its user syncs."""
    c.sync()
    account = ids_on(c.device, "account__v")[0]
    found = records.find(c.vault, account)
    with c.vault.transaction():
        records.update(c.vault, found, {"name__v": "Dr New"}, at=c.scheduler.now, by="admin")
    reported = told_of(c)
    missed = read(c.device, account)["name__v"] != "Dr New"
    assert reported == missed
    return missed


def lacks_accounts(c):
    c.sync()
    return not ids_on(c.device, "account__v")


def lacks_some_accounts(c):
    c.sync()
    all_of_them = c.vault.db.execute("SELECT count(*) FROM record WHERE object = 'account__v'").fetchone()
    return len(ids_on(c.device, "account__v")) < all_of_them[0]


def left_behind(child: str) -> Callable[[EngineHarness], bool]:
    """Whether records are on the device whose account is not."""

    def look(c):
        c.sync()
        accounts, children = set(ids_on(c.device, "account__v")), ids_on(c.device, child)
        assert children
        return any(read(c.device, one)["account__v"] not in accounts for one in children)

    return look


def nobody_asks(c):
    c.sync()
    c.scheduler.run(c.scheduler.now + 10 * DAY)
    return not sync_widget(c.device).asks_to_sync


def obeys_another_profile(c):
    c.sync()
    return c.device.setting("sync_warn_interval__v") == 30


def loads_all_again(c):
    """Whether a change of profile costs a download of the whole database."""
    c.sync()
    c.store.execute("DELETE FROM sync_detail")
    admin.set_user(c.vault, c.person.user_id, at=c.scheduler.now, application_profile="another__c")
    c.sync()
    (downloaded,) = c.store.execute("SELECT records_downloaded FROM sync_detail").fetchone()
    held = c.device.data.execute("SELECT count(*) FROM record").fetchone()[0]
    assert downloaded in (0, held)
    return downloaded == held


def stays_silent(c):
    c.sync()
    assert ids_on(c.device, "alert__v")
    return not alerts.announced(c.device)


def has_old_emails(c):
    c.sync()
    return "2025-08-01" in {read(c.device, one)["name__v"] for one in ids_on(c.device, "sent_email__v")}


def nobody_warns_of_many(c):
    return not told_of(c, "TOO_MANY_ACCOUNTS")


def loses_the_call_to_a_merge(c):
    loser, winner = ids_on(c.device, "account__v")[:2]
    c.create_call(loser)
    admin.merge(c.vault, loser, winner, at=c.scheduler.now)
    return told_of(c)


def refuses_a_call_of_last_week(c):
    about = {"account__v": ids_on(c.device, "account__v")[0], "call_date__v": "2026-02-27"}
    edit = Edit(operation="create", object="call2__v", record_id=new_id(c.device), fields=about)
    save(c.device, [edit])
    return told_of(c)


def refuses_a_new_visit(c):
    edit = Edit(
        operation="create", object="visit__c", record_id=new_id(c.device), fields={"name__v": "First"}
    )
    save(c.device, [edit])
    return told_of(c)


def goes_by_the_old_clause(c):
    c.sync()
    wanted = c.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' "
        "AND json_extract(doc, '$.specialty__v') = 'cardiology__v' ORDER BY id"
    ).fetchall()
    return ids_on(c.device, "account__v") != [one for (one,) in wanted]


# -- the rules

ALONE = set_vmoc("call2__v")
"""Calls that sync by themselves, whatever becomes of their accounts."""
PROOFS: dict[str, Proof] = {
    "account-limit-raised": Proof(
        beside=frozenset({"accounts-over-limit"}), prepare=add_accounts(15_001),
        plant=set_setting("max_accounts_ipad__v", 20_000), harmed=nobody_warns_of_many,
    ),
    "accounts-over-limit": Proof(
        prepare=add_accounts(14_900), plant=add_accounts(101),
        harmed=lambda c: told_of(c, "TOO_MANY_ACCOUNTS"),
    ),
    "alert-vmocs-incomplete": Proof(
        prepare=add_alert, plant=set_vmoc("alert_user_action__v", active__v=False), harmed=stays_silent,
    ),
    "application-profile-not-readable": Proof(
        prepare=scope_accounts_by_profile, plant=hide(PROFILES), harmed=lacks_accounts,
    ),
    "backdate-limit-today-only": Proof(
        plant=set_setting("call_backdate_limit__v", 0), harmed=refuses_a_call_of_last_week,
    ),
    "cache-not-cleared": Proof(
        prepare=both(clear_cache, narrow_accounts), well=clear_cache, plant=nothing,
        harmed=goes_by_the_old_clause,
    ),
    "custom-object-without-mobile-id": Proof(
        prepare=demand_mobile_ids, plant=set_object("visit__c", {"name__v": text()}),
        harmed=refuses_a_new_visit,
    ),
    "include-related-objects": Proof(
        prepare=set_vmoc("account__v", where=CARDIOLOGY),
        plant=both(set_vmoc("address__v", active__v=False),
                   set_vmoc("account__v", where=CARDIOLOGY, include_related_objects__v=True)),
        harmed=left_behind("address__v"),
    ),
    "merge-processing-off": Proof(
        plant=set_setting("disable_veeva_merge__v", True), harmed=loses_the_call_to_a_merge,
    ),
    "metadata-api-for-end-users": Proof(plant=grant_metadata_api, harmed=told_of),
    "modified-date-not-readable": Proof(
        plant=hide_field("account__v", "modified_date__v"), harmed=misses_a_change,
    ),
    "nobody-is-reminded-to-sync": Proof(
        plant=set_setting("sync_warn_interval__v", 0), harmed=nobody_asks,
    ),
    "sent-email-unlimited": Proof(
        prepare=add_emails, plant=set_vmoc("sent_email__v"), harmed=has_old_emails,
    ),
    "settings-not-readable": Proof(plant=hide(SETTINGS), harmed=nobody_asks),
    "settings-without-enhanced-sync": Proof(
        prepare=keep_settings_by_profile,
        plant=set_vmoc(SETTINGS, type="full_object__v", where=OWN_PROFILE), harmed=loads_all_again,
    ),
    "settings-without-profile-filter": Proof(
        prepare=keep_settings_by_profile,
        plant=set_vmoc(SETTINGS, type="full_object__v", enable_enhanced_sync__v=True),
        harmed=obeys_another_profile,
    ),
    "vmoc-duplicate": Proof(
        plant=set_vmoc("account__v", under="a_second_one", where=CARDIOLOGY), harmed=lacks_some_accounts,
    ),
    "vmoc-field-not-readable": Proof(
        plant=hide_field(VMOCS, "application_profile__v"), harmed=misses_a_change,
    ),
    "vmoc-inactive-object": Proof(
        prepare=both(set_object("goal__c"), set_vmoc("goal__c")), plant=set_object("goal__c", active=False),
        harmed=told_of,
    ),
    "vmoc-missing-object": Proof(plant=set_vmoc("goal__c"), harmed=told_of),
    "vmoc-object-not-readable": Proof(plant=hide(VMOCS), harmed=misses_a_change),
    "vmoc-parent-not-on-device": Proof(
        prepare=ALONE, plant=set_vmoc("account__v", devices=["windows__v"]), harmed=left_behind("call2__v"),
    ),
    "vmoc-where-drops-parents": Proof(
        prepare=ALONE, plant=set_vmoc("account__v", where=CARDIOLOGY), harmed=left_behind("call2__v"),
    ),
    "vmoc-where-unknown-field": Proof(
        plant=set_vmoc("account__v", where="WHERE gone__c = 'x'"),
        harmed=lambda c: told_of(c) and lacks_accounts(c),
    ),
    "vmoc-where-unreadable": Proof(
        plant=set_vmoc("account__v", where="WHERE (name__v = 'x'"),
        harmed=lambda c: told_of(c) and lacks_accounts(c),
    ),
    "vmoc-without-device": Proof(plant=set_vmoc("account__v", devices=()), harmed=lacks_accounts),
}  # fmt: skip
NOT_PULLED = {"accounts-over-limit": "what a device holds is told by devices alone"}
NOT_TOLD = {
    "include-related-objects": "check boxes of a VMOC",
    "settings-without-enhanced-sync": "check boxes of a VMOC",
    "settings-without-profile-filter": "settings per profile",
    "vmoc-inactive-object": "inactive fields",
}
"""What `synclens.configuration` does not tell of a simulated Vault, and a pull does."""
