"""Context rules decide what a message leaves open, with evidence, and never overrule a clear message."""

from datetime import UTC, datetime, timedelta

import pytest

import analysis
import ingest
from ingest.config_records import ObjectField, PermissionGrant
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.telemetry import ConfigChange, SyncDetail, SyncError, SyncTracking, SyncUser
from synclens.engine_configuration import configuration_rows

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
NO_ACCESS = {"error_type": "INSUFFICIENT_ACCESS", "message": "You do not have access"}
NO_COLUMN = {"error_type": "INVALID_FIELD", "message": "No such column 'beds__v' on entity 'account__v'"}


def error(n=0, **more):
    values = {"object": "account__v", "operation": "update", "phase": "upload", "user_id": f"u{n % 3}"}
    return SyncError(
        event_id=f"e{n}", occurred_at=AT + timedelta(minutes=n), device_id=f"d{n}", **values | more
    )


def users(*sets):
    names = ", ".join(sets) or None
    return [SyncUser(user_id=f"u{n}", as_of=AT, permission_sets=names, territory="T1, T2") for n in range(3)]


def grant(field, name="rep__c", **may):
    return PermissionGrant(permission_set=name, object="account__v", field=field, as_of=AT, **may)


def change(kind, target="rep__c", **more):
    at = more.pop("at", AT - timedelta(days=1))
    return ConfigChange(
        change_id=f"c-{kind}-{target}",
        changed_at=at,
        kind=kind,
        target=target,
        **{"object": "account__v"} | more,
    )


def find_cause(store, *rows, event="e0"):
    ingest.append(store, rows, source="t", started_at=AT, clock=lambda: AT)
    analysis.update_findings(store)
    row = store.execute(
        "SELECT cause, confidence, evidence FROM finding WHERE event_id = $e", {"e": event}
    ).fetchone()
    return row[0], row[1], " ".join(row[2])


def test_a_missing_grant_on_the_object_is_an_object_permission(store):
    cause, confidence, evidence = find_cause(
        store, error(**NO_ACCESS), *users("rep__c"), grant("*", can_read=True, can_edit=False)
    )
    assert (cause, confidence) == ("object-permission", 0.97)
    assert "rep__c" in evidence
    assert "update on account__v" in evidence


def test_grants_of_permission_sets_are_combined(store):
    rows = [
        grant("*", can_edit=False),
        grant("*", name="extra__c", can_edit=True),
        grant("phone__v", can_edit=False),
    ]
    cause, _, evidence = find_cause(
        store, error(field="phone__v", **NO_ACCESS), *users("rep__c", "extra__c"), *rows
    )
    assert cause == "field-permission"
    assert "account__v.phone__v" in evidence


def test_a_grant_revoked_before_the_error_counts_and_one_revoked_after_does_not(store):
    revoked = change("permission_set", field="phone__v", before="edit=True", after="edit=False")
    later = change(
        "permission_set", target="other__c", field="phone__v", after="edit=False", at=AT + timedelta(days=1)
    )
    rows = [error(field="phone__v", **NO_ACCESS), *users("rep__c", "other__c")]
    assert find_cause(store, *rows, later)[0] == "object-permission"
    cause, _, evidence = find_cause(store, revoked)
    assert cause == "field-permission"
    assert "2026-03-09 12:00 UTC" in evidence


@pytest.mark.parametrize(("exists", "cause"), [(True, "field-permission"), (False, "schema-mismatch")])
def test_no_such_column_is_decided_by_the_metadata(store, exists, cause):
    fields = [ObjectField(object="account__v", name="name__v", as_of=AT, active=True)]
    if exists:
        fields.append(ObjectField(object="account__v", name="beds__v", as_of=AT, active=True))
    rows = [error(field="beds__v", **NO_COLUMN), *users("rep__c"), *fields]
    if exists:
        rows.append(grant("beds__v", can_read=False))
    assert find_cause(store, *rows)[0] == cause


def test_a_territory_that_lost_records_means_visibility(store):
    lost = change("territory", target="T9", before="T1", after="T9")
    cause, _, evidence = find_cause(store, error(**NO_ACCESS), *users("rep__c"), lost)
    assert cause == "record-visibility"
    assert "T1" in evidence


def test_a_clear_message_is_not_overruled(store):
    plain = {"error_type": "INVALID_DATA", "message": "Missing required field [name__v] on [account__v]"}
    cause, _, evidence = find_cause(
        store, error(field="name__v", **plain), *users("rep__c"), grant("*", can_edit=False)
    )
    assert (cause, evidence) == ("required-field", "")


def test_a_vague_message_gets_the_cause_of_the_only_fitting_change(store):
    vague = {"error_type": "FAILED", "message": "The operation failed"}
    rule = change("validation_rule", target="phone_length__c", after="active=True")
    cause, confidence, evidence = find_cause(store, error(0, **vague), error(1, **vague), rule)
    assert cause == "validation-rule"
    assert confidence < 0.75
    assert "phone_length__c" in evidence
    other = change("validation_rule", target="second__c", after="active=True")
    assert find_cause(store, other)[0] == "unknown"  # two changes fit, so neither decides


def test_a_permission_that_another_set_grants_is_not_lost(store):
    before = AT - timedelta(hours=1)
    extra = PermissionGrant(
        permission_set="extra__c", object="account__v", field="*", as_of=before, can_edit=True
    )
    revoked = change("permission_set", after="edit=False")
    _, _, evidence = find_cause(store, error(**NO_ACCESS), *users("rep__c", "extra__c"), extra, revoked)
    assert "lost this permission" not in evidence


def test_only_the_permission_that_the_operation_needs_counts(store):
    revoked = change("permission_set", after="read=True edit=False")
    assert (
        "lost this permission"
        not in find_cause(store, error(operation="query", **NO_ACCESS), *users("rep__c"), revoked)[2]
    )
    assert "lost this permission" in find_cause(store, error(1, **NO_ACCESS), event="e1")[2]


def test_the_evidence_names_one_of_two_changes(store):
    whole = change("permission_set", target="a__c", after="edit=False")
    partial = change(
        "permission_set", target="b__c", field="phone__v", after="edit=False", at=AT - timedelta(hours=2)
    )
    cause, _, evidence = find_cause(
        store, error(field="phone__v", **NO_ACCESS), *users("a__c", "b__c"), whole, partial
    )
    assert cause == "object-permission"
    assert "a__c lost this permission on account__v at" in evidence


def synced(n, network):
    sync = SyncTracking(id=f"s{n}", created_by__v=f"u{n}", sync_start_datetime__v=AT + timedelta(minutes=1))
    return [sync, SyncDetail(sync_id=f"s{n}", device_id=f"d{n}", user_id=f"u{n}", network_type=network)]


@pytest.mark.parametrize(
    ("failing", "networks", "cause"),
    [
        (8, ["wifi", "cellular"], "server-unavailable"),
        (8, ["wifi"], "network"),
        (3, ["wifi", "cellular"], "network"),
    ],
)
def test_many_devices_on_many_networks_at_once_point_to_the_server(store, failing, networks, cause):
    words = {"error_type": "NSURLErrorDomain -1001", "message": "The request timed out.", "phase": "connect"}
    rows = [
        SyncError(
            event_id=f"e{n}",
            occurred_at=AT + timedelta(minutes=1),
            device_id=f"d{n}",
            user_id=f"u{n}",
            **words,
        )
        for n in range(failing)
    ]
    for n in range(10):
        rows += synced(n, networks[n % len(networks)])
    refined, _, evidence = find_cause(store, *rows)
    assert refined == cause
    assert ("8 of the 10 devices" in evidence) == (cause == "server-unavailable")


def test_without_context_nothing_changes(store):
    ingest.append(store, [error(**NO_ACCESS)], source="t", started_at=AT, clock=lambda: AT)
    analysis.update_findings(store)
    (evidence,) = store.execute("SELECT evidence FROM finding").fetchone()
    assert evidence == []


VAGUE_MESSAGES = {
    "You do not have access": ("object-permission", "field-permission", "record-visibility"),
    "The operation failed": ("required-field", "sync-configuration"),
}


def test_a_storm_with_vague_messages_is_still_classified(store):
    """Every clear message is replaced by a vague one, so only context rules can find the cause."""
    end, context = START + timedelta(days=7), []
    rows = list(
        simulate_fleet(
            scenario=load_scenario("storm"), seed=5, device_count=25, days=7,
            on_end=lambda vault: context.extend(configuration_rows(vault, end)),
        )
    )  # fmt: skip
    ingest.append(store, rows + context, source="t", started_at=AT, clock=lambda: AT)
    for message, causes in VAGUE_MESSAGES.items():
        store.execute(
            "UPDATE sync_error SET message = $message, error_type = $type WHERE event_id IN "
            "(SELECT event_id FROM engine_truth.event_cause WHERE list_contains($causes, cause))",
            {
                "message": message,
                "causes": list(causes),
                "type": NO_ACCESS["error_type"] if "access" in message else "FAILED",
            },
        ).fetchall()
    analysis.update_findings(store)
    correct, events = store.execute(
        "SELECT count(*) FILTER (WHERE f.cause = t.cause), count(*) FROM finding AS f "
        "JOIN engine_truth.event_cause AS t USING (event_id) WHERE list_contains($causes, t.cause)",
        {"causes": [cause for causes in VAGUE_MESSAGES.values() for cause in causes]},
    ).fetchone()
    assert events >= 20
    assert correct >= 0.9 * events
