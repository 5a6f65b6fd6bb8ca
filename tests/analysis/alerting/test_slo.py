"""Objectives: few syncs prove nothing, one device is no outage, silence is not health."""

import re
from datetime import datetime, timedelta

import pandas as pd
import pytest

from analysis.alerting.slo import SLO_COLUMNS, ObjectivesError, load_objectives, slo_status

AT = datetime(2026, 3, 16, 12)  # noqa: DTZ001 - as in the store


def add(store, good, bad, *, bad_devices=1, sync_type="incremental__v", hours_ago=1.0):
    """Syncs of one hour; the bad ones on `bad_devices` devices, the good ones on fifty."""
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_type__v, sync_start_datetime__v,"
        " sync_completed_datetime__v, successful_sync__v, source, batch_id)"
        " SELECT $t || $at || '-' || i, CASE WHEN i < $bad THEN 'b' || i % $devices ELSE 'g' || i % 50 END,"
        " $t, $at, $at, i >= $bad, 't', 't' FROM range($n) AS r(i)",
        {
            "t": sync_type,
            "at": AT - timedelta(hours=hours_ago),
            "bad": bad,
            "devices": bad_devices,
            "n": good + bad,
        },
    ).fetchall()


def pages(store):
    result = slo_status(store, until=AT)
    return result[(result.slo == "everyday-syncs") & (result.severity == "page")].set_index("sync_type")


def test_an_empty_store_has_no_rows_but_all_columns(store):
    assert tuple(slo_status(store).columns) == SLO_COLUMNS


def test_one_failure_in_ten_does_not_page(store):
    add(store, 9, 1)
    assert pages(store).state.to_list() == ["ok"]


def test_one_ipad_that_retries_does_not_page(store):
    add(store, 100, 60, bad_devices=1)
    row = pages(store).loc["incremental__v"]
    assert row.burn_low > row.burn_limit
    assert row.state != "burning"


def test_the_same_failures_on_many_ipads_do(store):
    add(store, 100, 60, bad_devices=20)
    row = pages(store).loc["incremental__v"]
    assert row.state == "burning"
    assert "20 devices" in row.reason


def test_types_are_never_pooled(store):
    add(store, 100, 60, bad_devices=20, sync_type="non_blocking__v")
    add(store, 100, 0)
    assert pages(store).state.to_dict() == {"incremental__v": "ok", "non_blocking__v": "burning"}


def test_mini_syncs_have_an_objective_of_their_own(store):
    add(store, 40, 60, bad_devices=20, sync_type="mini_sync__v")
    result = slo_status(store, until=AT).set_index("slo")
    assert "mini_sync__v" not in set(result.loc[result.index == "everyday-syncs", "sync_type"])
    assert result.loc["mini-syncs"].state == "burning"  # lower bound 0.502 / 0.25 = 2.0 > 1.5


def test_what_mobile_networks_drop_on_calm_weeks_spends_nothing(store):
    add(store, 940, 60, bad_devices=40, hours_ago=30)  # 6 % of everyday syncs
    add(store, 5, 3, bad_devices=3, hours_ago=30, sync_type="mini_sync__v")
    result = slo_status(store, until=AT).set_index("sync_type").drop(index="all devices")
    assert not set(result.state) & {"burning", "spent"}
    assert result.loc["incremental__v"].budget_used.max() == pytest.approx(60 / 70)
    mini = result.loc["mini_sync__v"]  # 8 syncs allow 2 failures: too few for a budget
    assert pd.isna(mini.budget_used)
    assert mini.reason == "3 of the last 8 syncs failed; too few syncs in 28 days for a budget"


def test_a_window_forgets_what_is_older(store):
    add(store, 100, 60, bad_devices=20, hours_ago=20)
    add(store, 50, 0)
    assert pages(store).state.to_list() != ["burning"]
    result = slo_status(store, until=AT).set_index(["slo", "severity"])
    assert result.loc[("everyday-syncs", "ticket")].state == "burning"


def test_a_window_of_syncs_is_the_newest_ones(store):
    add(store, 40, 160, bad_devices=20, hours_ago=3)
    add(store, 200, 0, hours_ago=1)
    assert pages(store).bad.to_list() == [0]


def test_two_devices_are_too_few_to_judge(store):
    add(store, 0, 20, bad_devices=2)
    judged = pages(store)
    assert judged.state.to_list() == ["little data"]
    assert re.fullmatch(
        r"(no device|only \d+ devices?) synced in this window; at least \d+ are needed", judged.reason.iloc[0]
    )


def test_refreshes_have_an_objective_of_their_own(store):
    add(store, 60, 40, bad_devices=20, sync_type="database_refresh__v")
    result = slo_status(store, until=AT)
    assert "database_refresh__v" not in result[result.slo == "everyday-syncs"].sync_type.to_list()
    assert result[result.slo == "database-refreshes"].state.to_list() == ["burning"]


def test_devices_that_stop_syncing_are_seen_although_nothing_fails(store):
    add(store, 100, 0, hours_ago=24 * 5)
    result = slo_status(store, until=AT).set_index("slo")
    assert result.loc["fresh-devices"].state == "burning"
    assert result.loc["fresh-devices"].devices_bad == 50


def test_the_storm_burns(stormy_store):
    """By 24 March 39 of 233 incremental syncs of three days failed, against the 7 % that the objective allows."""
    assert "burning" in set(slo_status(stormy_store, until=datetime(2026, 3, 24)).state)  # noqa: DTZ001
    assert len(slo_status(stormy_store, country="JP")) > 0


@pytest.mark.parametrize(
    "text",
    [
        "[[slo]]\nname = 'x'",
        "[[slo]\n",
        "[[slo]]\nname='x'\ntitle='x'\nkind='success'\nobjective=1.5\nwindow_days=1\nmin_devices=1\n"
        "[[slo.window]]\nseverity='page'\nsyncs=1\nhours=1\nburn=1",
        "[[slo]]\nname='x'\ntitle='x'\nkind='freshness'\nobjective=0.9\nwindow_days=1\nmin_devices=1\n"
        "[[slo.window]]\nseverity='page'\nsyncs=1\nhours=1\nburn=1",
    ],
)
def test_a_broken_file_of_objectives_is_refused_with_advice(text):
    with pytest.raises(ObjectivesError) as refused:
        load_objectives(text)
    assert "objectives.toml" in refused.value.next_step


def test_our_own_objectives_are_kept_apart_by_name():
    names = [slo.name for slo in load_objectives()]
    assert len(names) == len(set(names)) >= 3
