"""Every playbook gets the evidence of its issue, and its summary stays readable if few values are known."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.fixes.formatting import format_list, format_value
from analysis.fixes.playbook import load_playbook, playbook_causes
from analysis.fixes.rendering import evidence_lines, fix_summary, fix_to_dict
from analysis.fixes.suggestion import suggest_fix
from tests.conftest import fresh_store
from tests.support.examples import examples

CAUSES = sorted(playbook_causes())
each_cause = pytest.mark.parametrize("cause", CAUSES)
PERMISSION_CAUSES = ["object-permission", "field-permission", "record-visibility", "access-policy"]
VMOC_CAUSES = ["sync-configuration", "record-visibility", "schema-mismatch", "record-deleted"]
NOT_FILLED = re.compile(
    r"\bNone\b|\bnan\b|\bNaT\b|<NA>|[{}\[\]`*\n]|\(\s*\)|\s{2}|\s[,.;:]|[,;:]\s*[.,;]|\.\.|\bthe set >"
)


def is_clean(text: str) -> bool:
    whole = text[:1].isupper() and text.endswith(".") and text.count("(") == text.count(")")
    return whole and not NOT_FILLED.search(text)


def insert(store, table: str, **row: object) -> None:
    row |= {"source": "t", "batch_id": "t"} if table != "finding" else {}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    store.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def values_of(cause: str) -> SimpleNamespace:
    """Return the values in the errors of a cause in this fleet."""
    word = cause.replace("-", "_")
    return SimpleNamespace(
        object=f"{word}__v", field=f"{word}_date__v", set=f"reps_{word}__c", vmoc=f"VMOC for {cause}",
        users=[f"{cause}-rep-{number}" for number in range(4)],
        records=[f"{cause}-record-{number}" for number in range(4)],
    )  # fmt: skip


def make_case(store, cause: str) -> None:
    """Add four users of one permission set with errors of one cause, and four pending records."""
    values = values_of(cause)
    for number, (user, record) in enumerate(zip(values.users, values.records, strict=True)):
        insert(store, "sync_user", user_id=user, as_of="2026-01-01", permission_sets=f"base__c, {values.set}")
        insert(
            store, "sync_error", event_id=record, occurred_at=f"2026-03-02 1{number}:15:00", user_id=user,
            device_id=f"ipad-{user}", phase="upload", operation="update", object=values.object,
            record_id=record, field=values.field, error_type="X", message="m",
        )  # fmt: skip
        insert(
            store, "finding", event_id=record, issue_id=cause, cause=cause, confidence=0.9, rule="r",
            also=[], evidence=[], retryable="no", side="admin", catalogue="c", grouping="g",
        )  # fmt: skip
        insert(
            store, "pending_record", device_id=f"ipad-{user}", as_of="2026-03-03", object=values.object,
            record_id=record, user_id=user, operation="update", edited_at="2026-03-01", in_error=True,
        )  # fmt: skip
    insert(
        store, "vmoc", vmoc_id=f"id of {cause}", as_of="2026-01-01", name=values.vmoc, object=values.object
    )
    insert(store, "permission_grant", permission_set=values.set, object=values.object, field=values.field,
           as_of="2026-01-01", can_read=True, can_edit=False)  # fmt: skip


@pytest.fixture(scope="module")
def fleet():
    with fresh_store() as store:
        for cause in CAUSES:
            make_case(store, cause)
        yield store


@each_cause
def test_a_suggestion_has_the_evidence_of_its_issue(cause, fleet):
    values, fix = values_of(cause), suggest_fix(fleet, cause)
    text = fix_summary(fix)
    assert is_clean(text), text
    assert text.startswith(fix.headline)
    assert (
        fix.headline == load_playbook(cause).short_fix
        or values.object in fix.headline
        or values.vmoc in fix.headline
    )
    assert "4 errors, 4 users" in text and "on 4 devices, since 2026-03-02 10:15 UTC" in text
    assert all(value in text for value in (values.object, values.field, *values.users[:3], "and 1 more"))
    assert "4 records are pending on 4 devices, the oldest since 2026-03-01 00:00 UTC: " in text
    assert all(f"{values.object} {record}" in text for record in values.records[:3])
    assert fix.user_ids == tuple(values.users)
    assert (fix.permission_sets, fix.vmocs) == ((values.set,), (values.vmoc,))
    plain = json.loads(json.dumps(fix_to_dict(fix), allow_nan=False))
    assert (plain["permission_sets"], plain["summary"]) == ([values.set], text)


@pytest.mark.parametrize("cause", PERMISSION_CAUSES)
def test_the_permission_set_is_named_for_permission_causes(cause, fleet):
    assert f"Check the permission set {values_of(cause).set}." in fix_summary(suggest_fix(fleet, cause))


@pytest.mark.parametrize("cause", VMOC_CAUSES)
def test_the_vmoc_is_named_for_causes_that_it_can_have(cause, fleet):
    values = values_of(cause)
    sentence = f"The VMOC {values.vmoc} controls which {values.object} records devices receive."
    assert sentence in fix_summary(suggest_fix(fleet, cause))


def test_sets_and_vmocs_are_not_named_for_unrelated_causes(fleet):
    text = fix_summary(suggest_fix(fleet, "device-clock"))
    assert "permission set to" not in text and "VMOC" not in text


def test_the_place_has_the_permission_set_and_the_object(fleet):
    values = values_of("field-permission")
    expected = f"Admin > Users & Groups > Permission Sets > {values.set} > Objects > {values.object}"
    assert suggest_fix(fleet, "field-permission").where == expected


def test_evidence_lines_name_no_user_by_default(fleet):
    insert(fleet, "config_change", change_id="c", changed_at="2026-03-02 09:00:00", changed_by="the-admin",
           kind="permission_set", target=values_of("unknown").set, object=values_of("unknown").object,
           field=values_of("unknown").field)  # fmt: skip
    fix = suggest_fix(fleet, "unknown")
    assert "the-admin" in fix_summary(fix) and values_of("unknown").users[0] in fix_summary(fix)
    evidence = " ".join(evidence_lines(fix))
    assert "the-admin" not in evidence and values_of("unknown").users[0] not in evidence
    assert "permission set reps_unknown__c unknown__v unknown_date__v" in evidence


@pytest.fixture(scope="module")
def bare():
    """One error of each cause, with only its time."""
    with fresh_store() as store:
        for cause in CAUSES:
            insert(store, "sync_error", event_id=cause, occurred_at="2026-03-02")
            insert(
                store, "finding", event_id=cause, issue_id=cause, cause=cause, confidence=0.9, rule="r",
                also=[], evidence=[], retryable="no", side="", catalogue="c", grouping="g",
            )  # fmt: skip
        yield store


@each_cause
def test_a_suggestion_without_evidence_has_no_empty_clause(cause, bare):
    fix = suggest_fix(bare, cause)
    assert is_clean(fix_summary(fix)), fix_summary(fix)
    assert "1 error, since 2026-03-02 00:00 UTC" in fix_summary(fix)
    assert (fix.user_ids, fix.permission_sets, fix.vmocs) == ((), (), ())


@pytest.fixture(scope="module")
def odd():
    with fresh_store() as store:
        yield store


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=120)


@settings(max_examples=examples(25))
@given(value=texts)
def test_any_text_from_devices_and_exports_stays_on_one_line(odd, value):
    for table in ("sync_error", "finding", "sync_user", "pending_record", "vmoc", "config_change"):
        odd.execute(f"DELETE FROM {table}")
    insert(odd, "sync_error", event_id="e", occurred_at="2026-03-02", user_id=value, device_id=value,
           object=value, field=value, operation=value, error_type=value, record_id=value)  # fmt: skip
    insert(odd, "sync_user", user_id=value, as_of="2026-01-01", permission_sets=value)
    insert(odd, "vmoc", vmoc_id=value, as_of="2026-01-01", object=value)
    insert(odd, "pending_record", device_id=value, as_of="2026-03-03", object=value, record_id=value,
           in_error=True)  # fmt: skip
    insert(odd, "config_change", change_id="c", changed_at="2026-03-01", changed_by=value, kind="field",
           target=value, object=value, field=value, before=value, after=value)  # fmt: skip
    fix = suggest_fix(odd, "unsorted")
    assert fix_summary(fix) == " ".join(fix_summary(fix).split())
    json.dumps(fix_to_dict(fix), allow_nan=False)


@given(st.lists(texts, min_size=1, max_size=9))
def test_a_list_shows_the_first_values_and_the_number_of_others(values):
    text = format_list(values)
    assert format_value(values[0]) in text
    assert text.endswith(f" and {len(values) - 3} more") or len(values) <= 3
