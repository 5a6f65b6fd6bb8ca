"""Each rule finds its misconfiguration, and nothing if the same item is configured correctly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.config_lint.rules import (
    BASES,
    FINDING_COLUMNS,
    LINT_RULES,
    SEVERITIES,
    LintRule,
    lint,
    lint_gaps,
)
from analysis.fixes.playbook import playbook_causes
from tests.conftest import fresh_store
from tests.support.examples import examples

Row = dict[str, object]
KEY = {
    "vmoc": {"vmoc_id": "V1", "object": "call2__v", "device": "ipad__v", "active": True},
    "object_field": {"object": "call2__v", "name": "name__v"},
    "permission_grant": {"permission_set": "rep__c", "object": "call2__v", "field": "*", "can_read": True},
    "veeva_setting": {"setting_id": "S1"},
    "device": {"device_id": "ipad-1", "platform": "iPad", "accounts": 10},
    "config_change": {"change_id": "c1", "changed_at": "2026-03-01", "kind": "vmoc", "target": "V1"},
    "sync_user": {"user_id": "u1", "permission_sets": "rep__c"},
}
DEVICE = {"device_id": "ipad-1", "user_id": "u1"}
VMOC_OBJECT, SETTINGS = "vmobile_object_configuration__v", "veeva_settings__v"


def vmoc(number: int = 1, **values: object) -> tuple[str, Row]:
    return "vmoc", {"vmoc_id": f"V{number}", **values}


def grant(field: str, can_read: bool, object_name: str = "call2__v", **values: object) -> tuple[str, Row]:
    return "permission_grant", {"object": object_name, "field": field, "can_read": can_read, **values}


def object_field(name: str, object_name: str = "call2__v", **values: object) -> tuple[str, Row]:
    return "object_field", {"object": object_name, "name": name, **values}


def setting(name: str, value: str, **values: object) -> tuple[str, Row]:
    return "veeva_setting", {"setting_id": name, "name": name, "value": value, **values}


PARENT = object_field("account__v", required=True, refers_to="account__v")
BOTH_SETS = ("sync_user", {"permission_sets": "rep__c, base__c"}), ("device", DEVICE)

# rule: (rows with the misconfiguration, rows without it)
CASES: dict[str, tuple[list[tuple[str, Row]], list[tuple[str, Row]]]] = {
    "metadata-api-for-end-users": (
        [grant("api: Metadata API", True, "application"), ("sync_user", {}), ("device", DEVICE)],
        [grant("api: Metadata API", True, "application", permission_set="admin__c"), ("sync_user", {}),
         ("device", DEVICE), grant("api: Access API", True, "application")],
    ),
    "modified-date-not-readable": (
        [vmoc(), grant("modified_date__v", False)],
        [vmoc(), grant("modified_date__v", False), grant("modified_date__v", True, permission_set="base__c"),
         *BOTH_SETS],
    ),
    "vmoc-object-not-readable": ([grant("*", False, VMOC_OBJECT)], [grant("*", True, VMOC_OBJECT)]),
    "vmoc-field-not-readable": (
        [grant("application_profile__v", False, VMOC_OBJECT)],
        [grant("application_profile__v", True, VMOC_OBJECT)],
    ),
    "settings-not-readable": ([grant("value__v", False, SETTINGS)], [grant("value__v", True, SETTINGS)]),
    "application-profile-not-readable": (
        [grant("*", False, "application_profile__v")], [grant("*", True, "application_profile__v")],
    ),
    "vmoc-without-device": ([vmoc(device=" ")], [vmoc(), vmoc(2, object="x__v", device=None, active=False)]),
    "vmoc-missing-object": (
        [vmoc(), vmoc(2, object="gone__v"), object_field("name__v")],
        [vmoc(), vmoc(2, object="gone__v", active=False), object_field("name__v")],
    ),
    "vmoc-inactive-object": (
        [vmoc(), object_field("name__v", active=False)],
        [vmoc(), object_field("name__v", active=False), object_field("id", active=True)],
    ),
    "vmoc-duplicate": (
        [vmoc(), vmoc(2)],
        [vmoc(), vmoc(2, device="iphone__v"), vmoc(3, application_profile="A"), vmoc(4, active=False)],
    ),
    "vmoc-where-unreadable": (
        [vmoc(where_clause="WHERE (status__v = 'active__v'")],
        [vmoc(where_clause="WHERE application_profile__v = @@USER_APP_PROFILE_ID@@ OR (a__v = null AND "
                           "language__vr.admin_key__sys CONTAINS ('en', '@@USER_LANGUAGE_CODE@@'))")],
    ),
    "vmoc-where-unknown-field": (
        [vmoc(where_clause="WHERE gone__c = 'kept__v' AND name__v != null"), object_field("name__v")],
        [vmoc(where_clause="WHERE name__v = 'gone__c' AND owner__vr.gone__c = 1 AND modified_date__v > 1"),
         object_field("name__v")],
    ),
    "vmoc-where-drops-parents": (
        [vmoc(), vmoc(2, object="account__v", where_clause="WHERE status__v = 'active__v'"), PARENT],
        [vmoc(type="related_to_top_level__v"), PARENT,
         vmoc(2, object="account__v", where_clause="WHERE status__v = 'active__v'")],
    ),
    "vmoc-parent-not-on-device": (
        [vmoc(), vmoc(2, object="account__v", device="windows__v"), PARENT],
        [vmoc(), vmoc(2, object="account__v", device="iPad_vod"), PARENT],
    ),
    "include-related-objects": (
        [vmoc(where_clause="WHERE a__v = 1", extra='{"include_related_objects__v": true}')],
        [vmoc(where_clause="WHERE a__v = 1", extra='{"include_related_objects__v": "false"}')],
    ),
    "settings-without-profile-filter": (
        [vmoc(object=SETTINGS), setting("a__v", "1", scope="profile=rep__c")],
        [vmoc(object=SETTINGS), setting("a__v", "1")],
    ),
    "settings-without-enhanced-sync": (
        [vmoc(object=SETTINGS, where_clause="WHERE application_profile__v = @@USER_APP_PROFILE_ID@@",
              extra='{"enable_enhanced_sync__v": "false"}')],
        [vmoc(object=SETTINGS, where_clause="WHERE application_profile__v = @@USER_APP_PROFILE_ID@@",
              extra='{"enable_enhanced_sync__v": "true"}')],
    ),
    "alert-vmocs-incomplete": (
        [vmoc(object="alert__v")],
        [vmoc(object="alert__v"), vmoc(2, object="alert_profile__v"), vmoc(3, object="alert_user_action__v")],
    ),
    "sent-email-unlimited": (
        [vmoc(object="sent_email__v")], [vmoc(object="sent_email__v", where_clause="WHERE sent_date__v > 1")],
    ),
    "accounts-over-limit": (
        [("device", {"accounts": 15_001})],
        [("device", {"accounts": 15_001, "platform": "Windows"}), setting("max_accounts__v", "50000")],
    ),
    "account-limit-raised": (
        [setting("max_accounts_ipad__v", "20000")],
        [setting("max_accounts_ipad__v", "15000"), setting("max_accounts__v", "50000")],
    ),
    "nobody-is-reminded-to-sync": (
        [setting("sync_warn_interval__v", "0")], [setting("sync_warn_interval__v", "3")],
    ),
    "merge-processing-off": (
        [setting("disable_veeva_merge__v", "true")], [setting("disable_veeva_merge__v", "false")],
    ),
    "backdate-limit-today-only": (
        [setting("call_backdate_limit__v", "0")], [setting("call_backdate_limit__v", "-1")],
    ),
    "custom-object-without-mobile-id": (
        [vmoc(object="visit__c"), object_field("name__v", "visit__c")],
        [vmoc(object="visit__c"), object_field("mobile_id__c", "visit__c")],
    ),
    "cache-not-cleared": (
        [("config_change", {}), ("config_change", {"kind": "cache", "changed_at": "2026-02-01"})],
        [("config_change", {}), ("config_change", {"kind": "cache", "changed_at": "2026-03-02"})],
    ),
}  # fmt: skip
# rules whose correct rows are a fixed version of the faulty rows
FIXABLE = (
    "vmoc-object-not-readable", "vmoc-field-not-readable", "settings-not-readable",
    "application-profile-not-readable", "vmoc-without-device", "vmoc-where-unreadable",
    "vmoc-where-unknown-field", "vmoc-where-drops-parents", "vmoc-parent-not-on-device",
    "include-related-objects", "settings-without-enhanced-sync", "alert-vmocs-incomplete",
    "sent-email-unlimited", "account-limit-raised", "nobody-is-reminded-to-sync", "merge-processing-off",
    "backdate-limit-today-only",
)  # fmt: skip
CLAUSE_RULES = [name for name, rule in LINT_RULES.items() if "filter" in rule.sql]
each_rule = pytest.mark.parametrize("rule", LINT_RULES)


@pytest.fixture(scope="module")
def used_store():
    with fresh_store() as store:
        yield store


@pytest.fixture
def store(used_store):
    """Empty the store, which is shared because its migration is slow."""
    for table in KEY:
        used_store.execute(f"DELETE FROM {table}")
    return used_store


def insert(store, rows, as_of="2026-03-01"):
    for table, values in rows:
        as_of_value = {} if table == "config_change" else {"as_of": as_of}
        row = KEY[table] | as_of_value | {"source": "t", "batch_id": "t"} | values
        store.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
        )


def findings_of(store, rule):
    findings = lint(store)
    return findings[findings["rule"] == rule]


def test_every_rule_has_a_case():
    assert set(CASES) == set(LINT_RULES)


@each_rule
def test_the_misconfiguration_is_found_and_described(rule, store):
    insert(store, CASES[rule][0])
    findings = findings_of(store, rule)
    assert len(findings) == 1
    row = findings.iloc[0]
    assert (
        row["what"].endswith((".", "'active__v'"))
        and row["where"]
        and tuple(findings.columns) == FINDING_COLUMNS
    )


@each_rule
def test_a_correct_configuration_has_no_finding(rule, store):
    insert(store, CASES[rule][1])
    assert findings_of(store, rule).empty


@pytest.mark.parametrize("rule", FIXABLE)
def test_a_fixed_misconfiguration_has_no_finding(rule, store):
    """A newer row replaces the older one."""
    faulty, correct = CASES[rule]
    insert(store, faulty)
    insert(store, correct, as_of="2026-03-02")
    assert findings_of(store, rule).empty


@pytest.mark.parametrize("name", LINT_RULES)
def test_the_header_of_a_rule_is_complete(name):
    rule = LINT_RULES[name]
    assert rule.severity in SEVERITIES and rule.basis in BASES and rule.cause in playbook_causes()
    assert rule.source.startswith("https://") and rule.why.endswith(".") and rule.fix.endswith(".")
    assert not rule.title.endswith(".") and len(rule.title) <= 50


def test_an_empty_store_has_no_finding_and_a_gap_for_every_rule(store):
    assert lint(store).empty and tuple(lint(store).columns) == FINDING_COLUMNS
    assert set(lint_gaps(store)["rule"]) == set(LINT_RULES)


def test_a_gap_closes_when_its_table_is_loaded(store):
    insert(store, [setting("a__v", "1")])
    assert "account-limit-raised" not in set(lint_gaps(store)["rule"])


def test_grants_of_a_security_profile_apply_to_its_users(store):
    """A pull stores grants this way if users have several permission sets."""
    user = {"permission_sets": "rep__c, base__c", "security_profile": "field__c"}
    by_profile = {"permission_set": "field__c"}
    insert(store, [
        vmoc(), ("sync_user", user), ("device", DEVICE), grant("modified_date__v", False, **by_profile),
        grant("api: Metadata API", True, "application", **by_profile),
    ])  # fmt: skip
    places = lint(store).set_index("rule")["where"]
    assert dict(places) == {
        "metadata-api-for-end-users": "security profile field__c (1 mobile user)",
        "modified-date-not-readable": "security profile field__c (1 mobile user)",
    }


def test_partial_metadata_makes_no_object_missing_and_is_reported_as_a_gap(store):
    others = [vmoc(number, object=f"kind_{number}__v") for number in range(2, 5)]
    insert(store, [vmoc(), *others, object_field("name__v")])
    assert findings_of(store, "vmoc-missing-object").empty
    gaps = lint_gaps(store).set_index("rule")["reason"]
    gap = "metadata is loaded for 1 of 4 objects with a VMOC"
    assert {rule for rule, reason in gaps.items() if reason == gap} == {
        name for name, rule in LINT_RULES.items() if {"vmoc", "object_field"} <= set(rule.needs)
    }


def test_errors_are_listed_first(store):
    for rule in ("nobody-is-reminded-to-sync", "accounts-over-limit", "merge-processing-off"):
        insert(store, CASES[rule][0])
    assert list(lint(store)["severity"]) == ["error", "warning", "note"]


@pytest.mark.parametrize("header", ["", "-- title: x\n", "-- severity: error\n-- title: x\n"])
def test_a_rule_without_its_header_is_rejected(header):
    with pytest.raises(ValueError, match=re.escape("must begin with -- title:")):
        LintRule.parse("x", header + "SELECT 1")


clauses = st.text(max_size=60) | st.from_regex(
    r"WHERE [a-z]+__v (=|IN|CONTAINS) [('a@;-]{0,6}", fullmatch=True
)


@settings(deadline=None, max_examples=examples(50))
@given(clause=clauses)
def test_no_where_clause_makes_the_lint_fail(used_store, clause):
    used_store.execute("DELETE FROM vmoc")
    insert(used_store, [vmoc(where_clause=clause)])
    for rule in CLAUSE_RULES:
        used_store.execute(LINT_RULES[rule].query())
