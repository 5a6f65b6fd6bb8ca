"""Suspect changes: the true change is returned, others are not, and without a true change none is."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.diagnosis.exposure import load_exposure
from analysis.diagnosis.fit import fit_at_adoption, likelihood_ratio
from analysis.diagnosis.suspect_changes import suspects, why_unjudged
from analysis.issues.details import UnknownIssue
from analysis.query.filters import Filters
from benchmarks.suspects import START, activity, change, people, store_of
from tests.support.examples import examples

ONSET = 15.4  # days after START, a Tuesday morning


def fleet_of(seed, begins=lambda fleet: np.full(len(fleet), np.inf), rate=0.5):
    rng = np.random.default_rng(seed)
    fleet = people(rng)
    seen = activity(rng, len(fleet))
    seen["version"] = "25.1"
    seen["hit"] = rng.random(len(seen)) < np.where(seen["day"] >= begins(fleet)[seen["who"]], rate, 0.003)
    return fleet, seen


def at(day):
    return START + pd.Timedelta(days=day)


def unrelated_changes(scope="country=FR"):
    return [
        change(f"decoy-{n}", at(2.3 * n + 1), "vmoc", f"x{n}__c", "order__v", None, scope) for n in range(10)
    ]


def german(fleet):
    return np.where(fleet["country"] == "DE", ONSET, np.inf)


def find_suspects(fleet, seen, changes, **options):
    with store_of(fleet, seen, pd.DataFrame(changes)) as store:
        return suspects(store, "issue-1", **options)


TRUE = change("true", at(ONSET - 0.02), "permission_set", "core__c", "call2__v", None, "country=DE")


def test_the_change_that_fits_in_time_users_and_object_is_a_suspect():
    [suspect] = find_suspects(*fleet_of(1, german), [*unrelated_changes(), TRUE])
    assert suspect.change_id == "true"
    assert suspect.scope == "country=DE"
    assert suspect.affected_in_scope > 0.5
    assert suspect.unaffected_in_scope < 0.2
    assert timedelta(0) <= suspect.lag < timedelta(days=1)
    assert suspect.relation == "touches the same object, call2__v"
    assert suspect.p_value <= 0.05


def test_there_is_no_suspect_without_a_change_near_the_onset():
    assert find_suspects(*fleet_of(1, german), unrelated_changes()) == []


def test_there_is_no_suspect_for_random_hits():
    assert find_suspects(*fleet_of(2), [*unrelated_changes(), TRUE]) == []


def test_a_change_after_the_onset_is_no_suspect():
    fleet, seen = fleet_of(1, german)
    assert (
        find_suspects(
            fleet, seen, [*unrelated_changes(), TRUE], onset=(at(ONSET) - timedelta(days=1)).to_pydatetime()
        )
        == []
    )


def test_a_version_without_a_change_row_can_be_a_suspect():
    rng = np.random.default_rng(3)
    fleet, seen = fleet_of(3)
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    seen["hit"] |= (seen["day"] >= adopted) & (rng.random(len(seen)) < 0.3)
    [suspect] = find_suspects(fleet, seen, unrelated_changes())
    assert suspect.change_id == "version 25.2"
    assert suspect.scope == "those with 25.2"


def test_a_version_rolled_out_during_another_problem_is_no_suspect():
    rng = np.random.default_rng(4)
    fleet, seen = fleet_of(4, lambda fleet: np.full(len(fleet), ONSET))
    adopted = rng.uniform(8, 24, len(fleet))[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    assert "version 25.2" not in [
        suspect.change_id for suspect in find_suspects(fleet, seen, unrelated_changes())
    ]


def test_the_order_of_changes_does_not_matter():
    fleet, seen = fleet_of(1, german)
    assert find_suspects(fleet, seen, [TRUE, *unrelated_changes()]) == find_suspects(
        fleet, seen, [*unrelated_changes()[::-1], TRUE]
    )


def test_failed_syncs_are_the_hits_without_an_issue():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([*unrelated_changes(), TRUE])) as store:
        assert suspects(store) == []
        store.execute("""
            UPDATE sync_tracking__v SET successful_sync__v = false
            WHERE id IN (SELECT sync_id FROM sync_error)
        """)
        assert [suspect.change_id for suspect in suspects(store)] == ["true"]


def test_an_empty_store_has_no_suspects(store):
    assert suspects(store) == []
    with pytest.raises(UnknownIssue):
        suspects(store, "none")


def test_errors_without_a_user_have_no_suspect():
    fleet, seen = fleet_of(1, german)
    with store_of(fleet, seen, pd.DataFrame([TRUE, *unrelated_changes()])) as store:
        (issue,) = store.execute("SELECT issue_id FROM finding LIMIT 1").fetchone()
        store.execute("UPDATE sync_error SET user_id = NULL, sync_id = NULL, device_id = NULL")
        assert suspects(store, issue) == []


def test_an_unknown_scope_reaches_all_users():
    change = TRUE | {"scope": "phase of the moon=full"}
    [suspect] = find_suspects(
        *fleet_of(1, lambda fleet: np.full(len(fleet), ONSET)), [*unrelated_changes(), change]
    )
    assert suspect.scope == "everyone"


def described(row, **values):
    return row | values


def test_rows_of_one_time_kind_and_author_are_one_change():
    """Sixty rows of one territory each are one hypothesis, so the true change is not outnumbered."""
    rows = [
        change(
            f"row-{n:02}", at(ONSET - 0.1) + pd.Timedelta(seconds=n), "vmoc", f"vmoc_{n:02}__c", None, None,
            f"territory=T{n % 20:02}",
        ) | {"changed_by": "loader", "before": "off", "after": "on"}
        for n in range(60)
    ]  # fmt: skip
    fleet, seen = fleet_of(1, lambda fleet: np.full(len(fleet), ONSET))
    [suspect] = find_suspects(fleet, seen, [*unrelated_changes(), *rows])
    assert sorted(suspect.change_ids) == [f"row-{n:02}" for n in range(60)]
    assert (suspect.changed_by, suspect.scope) == ("loader", "everyone")
    assert suspect.affected_in_scope > 0.9


def test_changes_of_unknown_authors_are_separate():
    moves = [change(f"move-{n}", at(ONSET - 0.02), "setting", f"s{n}__c", None, None, None) for n in range(3)]
    named = find_suspects(*fleet_of(1, lambda fleet: np.full(len(fleet), ONSET)), moves)
    assert {len(suspect.change_ids) for suspect in named} <= {1}


def test_a_change_that_reached_a_minority_of_those_affected_is_no_suspect():
    fleet, seen = fleet_of(1, lambda fleet: np.full(len(fleet), ONSET))
    assert find_suspects(fleet, seen, [*unrelated_changes(), described(TRUE, scope="country=JP")]) == []


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), ("", None), ("edit=True", "edit=True"), ("None", "null")]
)
def test_a_change_that_changed_nothing_is_no_suspect(before, after):
    recorded = [described(row, before="a", after="b") for row in unrelated_changes()]
    same = described(TRUE, before=before, after=after)
    assert find_suspects(*fleet_of(1, german), [*recorded, same]) == []
    real = described(TRUE, before="edit=True", after="edit=False")
    assert [suspect.change_id for suspect in find_suspects(*fleet_of(1, german), [*recorded, real])] == [
        "true"
    ]


def test_a_granted_right_is_no_suspect_for_a_missing_one():
    granted = described(TRUE, before="edit=False", after="edit=True")
    revoked = described(TRUE, before="edit=True", after="edit=False")
    assert find_suspects(*fleet_of(1, german), [*unrelated_changes(), granted]) == []
    assert find_suspects(*fleet_of(1, german), [*unrelated_changes(), revoked]) != []


def test_what_the_errors_name_comes_before_a_closer_change():
    """The field in the message outranks a change of the same time whose time fits as well."""
    field = change("field", at(ONSET - 0.4), "field", "call2__v", "call2__v", "signature__v", None)
    setting = change("near", at(ONSET - 0.01), "setting", "print_layout__c", None, None, None)
    [first, *_] = find_suspects(
        *fleet_of(1, lambda fleet: np.full(len(fleet), ONSET)), [*unrelated_changes(None), setting, field]
    )
    assert (first.change_id, first.named) == ("field", True)


def test_a_change_that_lasted_half_a_day_is_a_suspect():
    fleet, seen = fleet_of(5, rate=0)
    during = (seen["day"] > ONSET) & (seen["day"] < ONSET + 0.4)
    seen["hit"] |= during & (np.random.default_rng(5).random(len(seen)) < 0.8)
    on = change("on", at(ONSET), "setting", "switch__c", None, None, None) | {"before": "off", "after": "on"}
    off = change("off", at(ONSET + 0.4), "setting", "switch__c", None, None, None) | {
        "before": "on",
        "after": "off",
    }
    decoys = [described(row, before="a", after="b") for row in unrelated_changes()]
    [first, *_] = find_suspects(fleet, seen, [*decoys, on, off])
    assert first.change_id == "on"


def test_the_object_of_a_configuration_record_is_not_compared():
    """The trail of a VMOC has the object of the VMOC record, which is never the object of the errors."""
    trail = change(
        "vmoc-trail", at(ONSET - 0.02), "vmoc", "VMobile Object Configuration : VMOC-0007",
        "vmobile_object_configuration__v", "where_clause__v", None,
    ) | {"before": "WHERE territory__v = 'x'", "after": None}  # fmt: skip
    fleet, seen = fleet_of(1, lambda fleet: np.full(len(fleet), ONSET))
    [suspect] = find_suspects(fleet, seen, [*unrelated_changes(), trail])
    assert suspect.change_id == "vmoc-trail"


@pytest.mark.parametrize(
    ("before", "after", "is_suspect"),
    [
        ('{"can_edit":true}', '{"can_edit":false}', True),
        ('{"can_edit":false}', '{"can_edit":true}', False),
        ('{"can_edit":true,"can_read":true}', '{"can_edit":false,"can_read":true}', True),
        ("edit=false", "edit=true", False),
    ],
)
def test_flags_of_snapshots_are_read_as_json(before, after, is_suspect):
    row = described(TRUE, target="core__c.call2__v", before=before, after=after)
    assert bool(find_suspects(*fleet_of(1, german), [*unrelated_changes(), row])) is is_suspect


def test_locked_users_are_hit_soon_after_others_began():
    """Time alone is weak evidence for six users; that exactly these six are hit is strong evidence."""
    fleet, seen = fleet_of(8, rate=0)
    locked = [f"u{number:03}" for number in range(3, 9)]
    is_locked = fleet["user_id"].isin(locked).to_numpy()[seen["who"]]
    seen["hit"] = is_locked & (seen["day"] > 4.1) & (seen["day"] < 6) & (np.arange(len(seen)) % 2 == 0)
    rows = [
        change(f"lock-{user}", at(4.0), "user", user, None, None, f"user={user}")
        | {"changed_by": "admin", "before": "{'locked': False}", "after": "{'locked': True}"}
        for user in locked
    ]
    with store_of(fleet, seen, pd.DataFrame([*unrelated_changes(), *rows])) as store:
        store.execute("UPDATE finding SET cause = 'sign-in-failed'")
        store.execute("UPDATE sync_error SET object = NULL, field = NULL, message = 'locked out'")
        [suspect] = suspects(store, "issue-1")
    assert len(suspect.change_ids) == len(locked)
    assert suspect.unaffected_in_scope < 0.5


def test_targets_of_audit_trails_and_snapshots_reach_the_users_who_have_them():
    fleet, seen = fleet_of(2)
    with store_of(fleet, seen, pd.DataFrame([TRUE])) as store:
        exposure = load_exposure(store, "issue-1", Filters())
    holders = exposure.users_in_scope("permission_set", "samples__c", None)
    assert 0 < holders.sum() < len(holders)
    for target in ("Permission Set : samples__c", "samples__c.call2__v.signature__v"):
        assert (exposure.users_in_scope("permission_set", target, None) == holders).all()
    assert exposure.users_in_scope("permission_set", "Permission Set : other", None).all()


@pytest.mark.parametrize(
    ("kind", "field", "cause"),
    [
        ("setting", "Password Expiration", "password-expired"),
        ("password_policy", None, "sign-in-failed"),
        ("permission_set", "API: Metadata API", "access-policy"),
        ("territory", None, "record-visibility"),
        ("object", "merge", "record-deleted"),
        ("api_limit", "burst limit", "rate-limit"),
        ("vmoc", "where_clause__v", "sync-configuration"),
        ("field", "max_length", "invalid-value"),
        ("validation_rule", None, "validation-rule"),
        ("vault_release", None, "server-automation"),
        ("user", "Status", "inactive-owner"),
    ],
)
def test_every_kind_of_change_can_be_a_suspect(kind, field, cause):
    row = change("cause", at(ONSET - 0.1), kind, "target", None, field, None) | {"before": "1", "after": "2"}
    others = [described(other, kind="layout") for other in unrelated_changes(None)]
    fleet, seen = fleet_of(1, lambda fleet: np.full(len(fleet), ONSET))
    with store_of(fleet, seen, pd.DataFrame([*others, row])) as store:
        store.execute("UPDATE finding SET cause = $cause", {"cause": cause})
        store.execute("UPDATE sync_error SET object = NULL, field = NULL, message = 'refused'")
        [suspect] = suspects(store, "issue-1")
    assert (suspect.change_id, suspect.named) == ("cause", False)
    assert "can cause" in suspect.relation


def rollout_after_an_incident(seed):
    """Everyone is hit until day 12; version 25.2 spreads from day 13 and doubles the usual rate or worse."""
    rng = np.random.default_rng(seed)
    fleet, seen = fleet_of(seed)
    adopted = np.where(rng.random(len(fleet)) < 0.6, rng.uniform(13, 22, len(fleet)), np.inf)[seen["who"]]
    seen["version"] = np.where(seen["day"] >= adopted, "25.2", "25.1")
    rate = np.where(seen["day"] < 12, 0.6, np.where(seen["day"] >= adopted, 0.25, 0.05))
    seen["hit"] = rng.random(len(seen)) < rate
    return fleet, seen


def test_a_bad_version_after_an_incident_separates_hits_within_days():
    """Over all days its users are hit less often; on each day after the rollout they are hit more often."""
    fleet, seen = rollout_after_an_incident(6)
    with_version = seen["version"] == "25.2"
    assert seen.loc[with_version, "hit"].mean() < seen.loc[~with_version, "hit"].mean()
    since = (START + pd.to_timedelta(seen["day"], unit="D")).where(with_version).groupby(seen["who"]).min()
    with store_of(fleet, seen, pd.DataFrame(unrelated_changes())) as store:
        exposure = load_exposure(store, "issue-1", Filters())
    ratio, p_value = fit_at_adoption(exposure, exposure.adoption_times("25.2"), seed=0)
    assert since.notna().any()
    assert ratio > 5
    assert p_value <= 0.01


def test_a_version_that_all_users_had_from_the_start_is_no_rollout():
    fleet, seen = fleet_of(7, lambda fleet: np.where(np.arange(len(fleet)) % 2, ONSET, np.inf))
    seen["version"] = np.where(seen["who"] % 2, "25.1", "25.2")
    assert find_suspects(fleet, seen, unrelated_changes()) == []


def test_what_is_not_loaded_is_stated_instead_of_no_suspect(store):
    assert "no syncs are loaded" in why_unjudged(store)
    fleet, seen = fleet_of(2)
    for sql, reason in {
        "SELECT 1": None,
        "DELETE FROM config_change": "only one app version are loaded",
        "UPDATE sync_tracking__v SET version__v = '25.2' WHERE id < 's2'": "none are loaded",
        "UPDATE sync_error SET user_id = NULL, sync_id = NULL": "fewer than two users",
    }.items():
        with store_of(fleet, seen, pd.DataFrame(unrelated_changes())) as loaded:
            if "version__v" in sql:
                loaded.execute("DELETE FROM config_change")
            loaded.execute(sql)
            stated = why_unjudged(loaded, "issue-1")
            assert (stated is None) if reason is None else (reason in stated)


def test_changes_from_other_days_are_stated():
    fleet, seen = fleet_of(2)
    with store_of(fleet, seen, pd.DataFrame([described(TRUE, changed_at=at(-90))])) as store:
        assert "before or after the loaded" in why_unjudged(store, "issue-1")


def test_a_trail_that_begins_after_the_issue_is_stated():
    fleet, seen = fleet_of(2)
    with store_of(fleet, seen, pd.DataFrame([described(TRUE)])) as store:
        store.execute(
            "UPDATE config_change SET changed_at = (SELECT max(occurred_at) FROM sync_error) - INTERVAL 1 SECOND"
        )
        assert "begin after its first error" in why_unjudged(store, "issue-1")


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=examples(100), deadline=None)
def test_a_likelihood_ratio_is_positive_only_for_a_higher_rate_inside(hit, not_hit, hit_out, not_hit_out):
    total, total_out = hit + not_hit, hit_out + not_hit_out
    [ratio] = likelihood_ratio(
        np.array([float(hit)]), np.array([float(total)]), hit + hit_out, total + total_out
    )
    assert ratio >= -1e-9
    if hit * total_out <= hit_out * total:
        assert ratio == pytest.approx(0, abs=1e-9)
