"""Each kind of configuration change has a sentence that undoes it, with its names and values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.setting_values import changed_parts, parse_value
from analysis.fixes.config_change import ConfigChange
from analysis.fixes.undo import undo_change
from tests.support.examples import examples


def change(kind, target, before=None, after=None, **columns):
    columns = {"object": None, "field": None, "scope": None, "changed_by": None} | columns
    return ConfigChange(
        change_id="c",
        changed_at="2026-05-04",
        kind=kind,
        target=target,
        before=before,
        after=after,
        **columns,
    )


def sentence(*args, rows=(), former_version=None, **columns):
    undo = undo_change(change(*args, **columns), rows=rows, former_version=former_version)
    return None if undo is None else undo.sentence


SET = {"scope": "permission_set=msl_lead__c"}
UNDOS = {
    "a revoked right on an object": (
        change("permission_set", "msl_lead__c", "delete=True", "delete=False", object="order__v", **SET),
        "Admin: give Delete on order__v back to msl_lead__c.",
    ),
    "several revoked rights in a snapshot": (
        change("permission_set", "msl_lead__c.order__v.*", '{"can_create": true, "can_edit": true}',
               '{"can_create": false, "can_edit": false}', object="order__v", field="*"),
        "Admin: give Create and Edit on order__v back to msl_lead__c.",
    ),
    "a revoked right on a field": (
        change("permission_set", "msl_lead__c", "read=True", "read=False", object="order__v", field="due__c", **SET),
        "Admin: give Read on order__v.due__c back to msl_lead__c.",
    ),
    "a granted right": (
        change("permission_set", "msl_lead__c", "edit=False", "edit=True", object="order__v", **SET),
        "Admin: take Edit on order__v from msl_lead__c again.",
    ),
    "a right as free text": (
        change("permission_set", "msl_lead__c", "edit", "read", object="order__v", field="due__c", **SET),
        "Admin: set the permission on order__v.due__c in msl_lead__c back from read to edit.",
    ),
    "API access revoked": (
        change("permission_set", "msl_lead__c", "True", "False", field="api", **SET),
        "Admin: give API access back to msl_lead__c.",
    ),
    "Metadata API access granted": (
        change("permission_set", "msl_lead__c", "False", "True", field="metadata_api", **SET),
        "Admin: revoke Metadata API access from msl_lead__c.",
    ),
    "a changed WHERE clause": (
        change("vmoc", "product__v", '{"where_clause": "a__v = 1"}', '{"where_clause": "a__v = 2"}'),
        "Admin: restore the WHERE clause of the VMOC product__v: a__v = 1. Then clear the cache.",
    ),
    "an added WHERE clause": (
        change("vmoc", "product__v", "{'where_clause__v': ''}", "{'where_clause__v': 'WHERE b__v = 2'}"),
        "Admin: remove the WHERE clause b__v = 2 from the VMOC product__v, which had none before. "
        "Then clear the cache.",
    ),
    "a VMOC without its devices": (
        change("vmoc", "product__v", "{'device__v': ['ipad__v']}", "{'device__v': []}"),
        "Admin: assign the VMOC product__v to ipad__v again, and clear the cache.",
    ),
    "a deactivated VMOC": (
        change("vmoc", "product__v", "{'active__v': True}", "{'active__v': False}"),
        "Admin: activate the VMOC product__v again, and clear the cache.",
    ),
    "an added VMOC": (
        change("vmoc", "goal__c", None, "{'object_name__v': 'goal__c', 'active__v': True}"),
        "Admin: deactivate the VMOC goal__c, which was added, and clear the cache.",
    ),
    "another part of a VMOC": (
        change("vmoc", "product__v", "{'type__v': 'top_level__v'}", "{'type__v': 'other__v'}"),
        "Admin: set type__v of the VMOC product__v back from other__v to top_level__v, and clear the cache.",
    ),
    "an activated rule": (
        change("validation_rule", "note_needed__c", None, "active=True", object="order__v"),
        "Admin: deactivate the validation rule note_needed__c on order__v.",
    ),
    "a changed rule": (
        change("validation_rule", "note_needed__c", "total__c > 5", "total__c > 1", object="order__v"),
        "Admin: set the validation rule note_needed__c on order__v back from total__c > 1 to total__c > 5.",
    ),
    "a trigger": (
        change("trigger", "order__v", None, "active=True", object="order__v"),
        "Developer: deactivate the trigger on order__v.",
    ),
    "a field made required": (
        change("field", "order__v", "{'type': 'text'}", "{'type': 'text', 'required': True}", object="order__v",
               field="due__c"),
        "Admin: make order__v.due__c optional again.",
    ),
    "a retired picklist value": (
        change("field", "order__v", "{'values': ['a__c', 'b__c', 'c__c']}", "{'values': ['b__c']}", object="order__v",
               field="kind__c"),
        "Admin: restore the values a__c and c__c in the picklist order__v.kind__c.",
    ),
    "a shortened field": (
        change("field", "order__v.note__c", '{"max_length": 800}', '{"max_length": 80}', object="order__v",
               field="note__c"),
        "Admin: raise the maximum length of order__v.note__c back from 80 to 800.",
    ),
    "a field made unique": (
        change("field", "order__v", "{'unique': False}", "{'unique': True}", object="order__v", field="code__c"),
        "Admin: allow duplicate values in order__v.code__c again.",
    ),
    "a removed field": (
        change("field", "order__v", "{'type': 'text'}", None, object="order__v", field="note__c"),
        "Admin: restore the field order__v.note__c, which was removed.",
    ),
    "a lowered limit": (
        change("setting", "max_rows__v", "500", "20"), "Admin: raise max_rows__v back from 20 to 500."
    ),
    "a limit that had no bound": (
        change("setting", "days_back__v", "-1", "3"), "Admin: set days_back__v back from 3 to -1."
    ),
    "a setting without an old value": (
        change("setting", "minimum_version", "", "31.2"), "Admin: clear minimum_version again (now 31.2)."
    ),
    "a setting of a profile": (
        change("profile_setting", "max_rows__v/msl", "9", "5", scope="profile=msl"),
        "Admin: raise max_rows__v for the profile msl back from 5 to 9.",
    ),
    "an account that moved": (
        change("territory", "FR-2", "FR-1", "FR-2", object="account__v"),
        "Admin: move the account__v records back from territory FR-2 to FR-1.",
    ),
    "a locked user": (change("user", "77", "{'locked': False}", "{'locked': True}"), "Admin: unlock the user 77."),
    "an inactive user": (change("user", "77", "active=True", "active=False"), "Admin: reactivate the user 77."),
    "an expired password": (
        change("user", "77", "{'password_expired': False}", "{'password_expired': True}"),
        "User: set a new password and sign in with it (user 77).",
    ),
    "a merge": (
        change("object", "account__v", "A1", "A2", object="account__v", detail="account merge"),
        "Data steward: point the records of the merged account__v A1 to A2, which it was merged into.",
    ),
    "a delete": (
        change("object", "account__v", "A1", None, object="account__v", detail="data load deleted an account"),
        "Data steward: restore the deleted account__v A1.",
    ),
    "a kind that is not known": (
        change("password_policy", "Field reps", "90 days", "30 days"),
        "Admin: set password policy Field reps back from 30 days to 90 days.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDOS)
def test_the_undo_has_the_names_and_values_of_the_change(name):
    each, expected = UNDOS[name]
    undo = undo_change(each)
    assert undo is not None and undo.sentence == expected


def test_a_rollout_names_the_version_the_devices_had():
    assert sentence("app_version", "31.2", after="31.2", scope="platform=iPad", former_version="31.1") == (
        "Device management: roll back app version 31.2 on iPad to 31.1, and stop its rollout until it is fixed."
    )
    assert "to the version before it" in sentence("app_version", "31.2", after="31.2")


def test_many_rows_of_one_change_are_one_sentence():
    moves = [change("territory", "FR-2", "FR-1", "FR-2", object="account__v")] * 616
    assert undo_change(moves[0], rows=moves).sentence == (
        "Admin: move the records of this realignment (616 moves of account__v) back to their territories."
    )
    locks = [change("user", str(77 + k), "{'locked': False}", "{'locked': True}") for k in range(5)]
    assert undo_change(locks[0], rows=locks).sentence == (
        "Admin: unlock the 5 users of this change (77, 78, 79 and 2 more)."
    )
    merges = [
        change("object", "account__v", f"A{k}", "B1", object="account__v", detail="account merge")
        for k in range(203)
    ]
    assert undo_change(merges[0], rows=merges).sentence == (
        "Data steward: point the records of the 203 merged account__v of this change (A0, A1, A2 and 200 more) to "
        "those they were merged into."
    )


def test_few_rows_of_one_change_are_all_named():
    left = [change("user", user, "{'active': True}", "{'active': False}") for user in ("511", "733")]
    assert undo_change(left[0], rows=left).sentence == "Admin: reactivate the users 511 and 733."
    expired = [
        change("user", user, "{'password_expired': False}", "{'password_expired': True}") for user in "xyz"
    ]
    assert undo_change(expired[0], rows=expired).sentence == (
        "User: set a new password and sign in with it (users x, y and z)."
    )
    deleted = [
        change("object", "account__v", name, object="account__v", detail="delete") for name in ("A7", "A9")
    ]
    assert undo_change(deleted[0], rows=deleted).sentence == (
        "Data steward: restore the deleted account__v A7 and A9."
    )


@pytest.mark.parametrize(("before", "after"), [(None, None), ("edit=True", "edit=True"), ("nothing", "")])
@pytest.mark.parametrize(
    "kind", ["permission_set", "object", "vmoc", "setting", "field", "territory", "user"]
)
def test_a_change_that_states_no_difference_has_no_undo(kind, before, after):
    assert undo_change(change(kind, "x__c", before, after, object="x__c")) is None


VALUES = st.none() | st.text(max_size=30) | st.from_regex(r"[a-z_]{1,8}=(True|False|\d+)", fullmatch=True)


@settings(max_examples=examples(150))
@given(kind=st.sampled_from([*{each.kind for each, _ in UNDOS.values()}, "other"]), before=VALUES, after=VALUES,
       named=st.booleans(), rows=st.integers(1, 700))  # fmt: skip
def test_any_change_has_one_line_or_none(kind, before, after, named, rows):
    columns = {"object": "order__v", "field": "due__c"} if named else {}
    each = change(kind, "target__c", before, after, **columns)
    undo = undo_change(each, rows=[each] * rows)
    assert (undo is None) == (not changed_parts(before, after))
    assert undo is None or "\n" not in undo.sentence


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'a': None, 'b': ''}", {}),
        ("a=1, b=x y", {"a": "1", "b": "x y"}),
        ("status__v = 'x' AND y = 2", {"": "status__v = 'x' AND y = 2"}),
        ("None", {}),
        ("[" * 2000, {"": "[" * 2000}),
    ],
)
def test_values_are_read_in_every_spelling(text, parts):
    assert parse_value(text) == parts
