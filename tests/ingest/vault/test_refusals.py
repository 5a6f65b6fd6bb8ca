"""A refused field, object, trail or picklist costs only itself, and the report states what to grant."""

import re
from datetime import timedelta
from random import Random

import pytest

from ingest import TargetOutcome, VaultUnreachable, pull
from ingest.vault.metadata import describe_object
from ingest.vault.refused_fields import drop_refused_fields
from tests.support.examples import examples

TYPES = (
    *("ATTRIBUTE_NOT_SUPPORTED", "INVALID_DATA", "INSUFFICIENT_ACCESS", "OPERATION_NOT_ALLOWED"),
    *("INCORRECT_QUERY_SYNTAX_ERROR", "INCORRECT_QUERY_SYNTAX", "PARAMETER_REQUIRED"),
)
"""Error types that a version of Vault may have for a field."""
TEXT = "línea 1\nline 2\r\n" * 30 + "x" * 40_000


def outcomes(report):
    return {each.target: each.outcome for each in report.targets}


@pytest.fixture
def wide_vault(vault, small_vault):
    """The small Vault with thirty more fields, of which some are long texts."""
    kinds = ("String", "Number", "LongText", "RichText", "Boolean")
    more = [{"name": f"extra_{number}__c", "type": kinds[number % 5]} for number in range(30)]
    vault.fields = [*small_vault.fields, *more]
    vault.rows = [each | {field["name"]: "v" for field in more} for each in vault.rows]
    return vault


@pytest.mark.parametrize("seed", range(examples(12)))
def test_only_the_refused_fields_are_missing(store, client, wide_vault, pulled, ids, seed):
    random = Random(seed)
    names = [each["name"] for each in wide_vault.fields if each["name"].endswith("__c")]
    kind = random.choice(TYPES)
    refused = set(random.sample(names[:1] + names[2:], random.randint(1, 6)))
    other = random.choice(names)
    for name in refused:
        message = random.choice([f"[{name}] is not supported", f"no, but {other} is", "", "não"])
        wide_vault.refused[name] = (kind, message)
    report = pulled(store)
    assert len(ids()) == 25
    assert {each.what for each in report.omissions} == {f"field {name}" for name in refused}
    assert all(kind in each.reason and "Grant" in each.next_step for each in report.omissions)
    assert outcomes(report)["sync_tracking__v"] is TargetOutcome.INCOMPLETE
    (extra,) = store.execute("SELECT DISTINCT json_keys(extra) FROM sync_tracking__v").fetchone()
    shown = {each["name"] for each in wide_vault.fields if each.get("status") != ["inactive__v"]}
    assert set(extra) == {name for name in names if name in shown} - refused
    queries = [form for _, path, form, _ in wide_vault.calls if path.endswith("/query")]
    assert len(queries) <= 4 + 2 * 6 * len(refused) + 10


def test_a_field_that_cannot_be_sorted_by_costs_the_incremental_read_only(store, vault, pulled, ids):
    vault.refused["modified_date__v"] = ("ATTRIBUTE_NOT_SUPPORTED", "no")
    report = pulled(store)
    assert len(ids()) == 25
    assert [each.what for each in report.omissions] == ["field modified_date__v"]
    (rows,) = (each for each in report.targets if each.target == "sync_tracking__v")
    assert any("every pull reads all rows" in note for note in rows.notes)
    assert not pulled(store).got_nothing


def test_a_refused_object_costs_its_rows_only(store, client, vault, ids):
    vault.refused["id"] = ("INSUFFICIENT_ACCESS", "no")
    report = pull(store, client, objects=["sync_tracking__v"], trails=[])
    assert outcomes(report) == {
        "sync_tracking__v fields": TargetOutcome.COMPLETE,
        "sync_tracking__v": TargetOutcome.FAILED,
        "permissions": TargetOutcome.COMPLETE,
    }
    assert "Read on sync_tracking__v" in report.omissions[0].next_step


def test_a_refusal_that_no_field_explains_is_raised(client, wide_vault):
    wide_vault.refused["no_field__c"] = ("INVALID_DATA", "no")
    description = describe_object(client, "sync_tracking__v")
    with pytest.raises(Exception, match="INVALID_DATA") as refused:
        list(client.query("SELECT no_field__c FROM sync_tracking__v"))
    with pytest.raises(type(refused.value)):
        drop_refused_fields(client, description, refused.value)


def test_required_fields_that_are_refused_are_named_as_the_reason(store, vault, pulled):
    vault.refused["sync_start_datetime__v"] = ("ATTRIBUTE_NOT_SUPPORTED", "no")
    vault.fields = [
        each for each in vault.fields if each["name"] not in ("successful_sync__v", "sync_type__v")
    ]
    report = pulled(store)
    assert outcomes(report)["sync_tracking__v"] is TargetOutcome.FAILED
    assert "without field sync_start_datetime__v" in report.omissions[-1].reason
    assert report.omissions[-1].next_step == "Grant the service user Read on all fields of sync_tracking__v."


@pytest.mark.parametrize("key", ["{field}", "{function}({field})", "longtext({field})", "richtext({field})"])
@pytest.mark.parametrize("kind", ["LongText", "RichText"])
def test_long_and_rich_texts_are_stored_whole(store, vault, pulled, small_vault, key, kind):
    vault.fields = [*small_vault.fields, {"name": "note__c", "type": kind}]
    vault.rows = [each | {"note__c": TEXT} for each in vault.rows]
    vault.text_key = key
    assert pulled(store).is_complete
    stored = store.execute("SELECT DISTINCT extra->>'note__c' FROM sync_tracking__v").fetchall()
    assert stored == [(TEXT,)]


def test_fields_that_are_hidden_from_the_user_are_not_taken_for_empty_ones(store, vault, pulled):
    vault.hidden = ["successful_sync__v"]
    (omission,) = pulled(store).omissions
    assert (omission.what, omission.target) == ("field successful_sync__v", "sync_tracking__v")
    assert "hidden from the service user in 25 rows" in omission.reason


def test_values_of_a_picklist_that_is_refused_later_stay(store, vault, pulled, small_vault):
    vault.fields = [*small_vault.fields, {"name": "mood__c", "type": "Picklist", "picklist": "mood__c"}]
    pulled(store)
    vault.refused_paths = {"/objects/picklists/sync_type__v": "INSUFFICIENT_ACCESS"}
    vault.fields = [each | {"label": "New"} for each in vault.fields]
    report = pulled(store, at=small_vault.start + timedelta(days=1))
    assert [each.what for each in report.omissions] == ["labels of sync_type__v"]
    newest = store.execute(
        "SELECT DISTINCT field FROM picklist_value WHERE as_of = (SELECT max(as_of) FROM picklist_value)"
    ).fetchall()
    assert ("sync_type__v",) in newest


def test_an_object_without_fields_is_not_read(store, vault, pulled):
    vault.fields = []
    report = pulled(store)
    assert outcomes(report)["sync_tracking__v"] is TargetOutcome.FAILED
    assert "lists no field of sync_tracking__v" in report.omissions[0].reason


def test_rows_in_an_unknown_form_are_counted_as_missing(store, vault, pulled, ids):
    vault.rows[3] = "a row that is no object"
    vault.undated = True
    report = pulled(store)
    assert len(ids()) == 24
    assert [each.what for each in report.omissions] == ["1 rows"]


def test_a_vault_that_goes_away_leaves_the_other_targets_untried(store, client, vault):
    def stop_after_first_page(*_):
        vault.trouble = ["proxy"] * 500

    report = pull(store, client, objects=["sync_tracking__v"], on_progress=stop_after_first_page)
    results = outcomes(report)
    assert results["sync_tracking__v"] is TargetOutcome.INCOMPLETE
    untried = [each for each in report.omissions if each.reason.startswith("not tried")]
    assert {each.target for each in untried} == results.keys() - {
        "sync_tracking__v",
        "sync_tracking__v fields",
    }
    assert all(re.search("VPN", each.next_step) for each in report.omissions)
    assert not report.got_nothing


def test_a_vault_that_is_not_there_gives_nothing(store, client, vault):
    vault.trouble = ["proxy"] * 500
    report = pull(store, client)
    assert report.got_nothing
    with pytest.raises(VaultUnreachable):
        client.keep_alive()
