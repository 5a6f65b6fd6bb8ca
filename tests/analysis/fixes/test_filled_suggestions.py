"""The suggestion of every playbook is filled with its case, and reads as one clean paragraph when little is known."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.fixes.playbook import load_playbook, playbook_causes
from analysis.fixes.rendering import format_list, format_value
from analysis.fixes.suggestion import suggest_fix
from tests.conftest import fresh_store
from tests.support.examples import examples

CAUSES = sorted(playbook_causes())
each_cause = pytest.mark.parametrize("cause", CAUSES)
PERMISSIONS = ["object-permission", "field-permission", "record-visibility", "access-policy"]
ABOUT_VMOCS = ["sync-configuration", "record-visibility", "schema-mismatch", "record-deleted"]
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


def names_of(cause: str) -> SimpleNamespace:
    """What the errors of a cause name in this fleet, so that a test knows what to look for."""
    word = cause.replace("-", "_")
    return SimpleNamespace(
        object=f"{word}__v", field=f"{word}_date__v", set=f"reps_{word}__c", vmoc=f"VMOC for {cause}",
        users=[f"{cause}-rep-{number}" for number in range(4)],
        records=[f"{cause}-record-{number}" for number in range(4)],
    )  # fmt: skip


def make_case(store, cause: str) -> None:
    """Four users of one permission set meet one cause; four records wait."""
    known = names_of(cause)
    for number, (user, record) in enumerate(zip(known.users, known.records, strict=True)):
        insert(store, "sync_user", user_id=user, as_of="2026-01-01", permission_sets=f"base__c, {known.set}")
        insert(
            store, "sync_error", event_id=record, occurred_at=f"2026-03-02 1{number}:15:00", user_id=user,
            device_id=f"ipad-{user}", phase="upload", operation="update", object=known.object,
            record_id=record, field=known.field, error_type="X", message="m",
        )  # fmt: skip
        insert(
            store, "finding", event_id=record, issue_id=cause, cause=cause, confidence=0.9, rule="r",
            also=[], evidence=[], retryable="no", side="admin", catalogue="c", grouping="g",
        )  # fmt: skip
        insert(
            store, "pending_record", device_id=f"ipad-{user}", as_of="2026-03-03", object=known.object,
            record_id=record, user_id=user, operation="update", edited_at="2026-03-01", in_error=True,
        )  # fmt: skip
    insert(store, "vmoc", vmoc_id=f"id of {cause}", as_of="2026-01-01", name=known.vmoc, object=known.object)
    insert(store, "permission_grant", permission_set=known.set, object=known.object, field=known.field,
           as_of="2026-01-01", can_read=True, can_edit=False)  # fmt: skip


@pytest.fixture(scope="module")
def fleet():
    with fresh_store() as store:
        for cause in CAUSES:
            make_case(store, cause)
        yield store


@each_cause
def test_a_suggestion_is_filled_with_the_case(cause, fleet):
    known, found = names_of(cause), suggest_fix(fleet, cause)
    text = found.summary
    assert is_clean(text), text
    assert text.startswith(load_playbook(cause).short_fix)
    assert "4 errors, 4 users" in text and "on 4 devices, since 2026-03-02 10:15 UTC" in text
    assert all(one in text for one in (known.object, known.field, *known.users[:3], "and 1 more"))
    assert "4 records wait on 4 devices, the oldest since 2026-03-01 00:00 UTC: " in text
    assert all(f"{known.object} {record}" in text for record in known.records[:3])
    assert found.user_ids == tuple(known.users)
    assert (found.permission_sets, found.vmocs) == ((known.set,), (known.vmoc,))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (plain["permission_sets"], plain["summary"]) == ([known.set], text)


@pytest.mark.parametrize("cause", PERMISSIONS)
def test_the_permission_set_is_named_where_permissions_decide(cause, fleet):
    assert f"Look at the permission set {names_of(cause).set}." in suggest_fix(fleet, cause).summary


@pytest.mark.parametrize("cause", ABOUT_VMOCS)
def test_the_vmoc_is_named_where_it_decides(cause, fleet):
    known = names_of(cause)
    said = f"What devices get is decided by the VMOC {known.vmoc} for {known.object}."
    assert said in suggest_fix(fleet, cause).summary


def test_what_points_nowhere_is_not_said(fleet):
    text = suggest_fix(fleet, "device-clock").summary
    assert "permission set to" not in text and "VMOC" not in text


def test_the_place_names_the_set_and_the_object(fleet):
    known = names_of("field-permission")
    wanted = f"Admin > Users & Groups > Permission Sets > {known.set} > Objects > {known.object}"
    assert suggest_fix(fleet, "field-permission").where == wanted


def test_on_pages_that_everybody_sees_no_person_is_named(fleet):
    insert(fleet, "config_change", change_id="c", changed_at="2026-03-02 09:00:00", changed_by="the-admin",
           kind="permission_set", target=names_of("unknown").set, object=names_of("unknown").object,
           field=names_of("unknown").field)  # fmt: skip
    found = suggest_fix(fleet, "unknown")
    assert "the-admin" in found.summary and names_of("unknown").users[0] in found.summary
    told = " ".join(found.evidence_lines)
    assert "the-admin" not in told and names_of("unknown").users[0] not in told
    assert "permission set reps_unknown__c unknown__v unknown_date__v" in told


@pytest.fixture(scope="module")
def bare():
    """One error of each cause, of which nothing is known but when it was."""
    with fresh_store() as store:
        for cause in CAUSES:
            insert(store, "sync_error", event_id=cause, occurred_at="2026-03-02")
            insert(
                store, "finding", event_id=cause, issue_id=cause, cause=cause, confidence=0.9, rule="r",
                also=[], evidence=[], retryable="no", side="", catalogue="c", grouping="g",
            )  # fmt: skip
        yield store


@each_cause
def test_a_suggestion_of_which_nothing_is_known_has_no_empty_clause(cause, bare):
    found = suggest_fix(bare, cause)
    assert is_clean(found.summary), found.summary
    assert "1 error, since 2026-03-02 00:00 UTC" in found.summary
    assert (found.user_ids, found.permission_sets, found.vmocs) == ((), (), ())


@pytest.fixture(scope="module")
def odd():
    with fresh_store() as store:
        yield store


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=120)


@settings(max_examples=examples(25))
@given(value=texts)
def test_whatever_devices_and_exports_write_stays_on_one_line(odd, value):
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
    found = suggest_fix(odd, "unsorted")
    assert found.summary == " ".join(found.summary.split())
    json.dumps(found.to_dict(), allow_nan=False)


@given(st.lists(texts, min_size=1, max_size=9))
def test_a_list_says_what_it_holds_and_how_many_more(values):
    told = format_list(values)
    assert format_value(values[0]) in told
    assert told.endswith(f" and {len(values) - 3} more") or len(values) <= 3
