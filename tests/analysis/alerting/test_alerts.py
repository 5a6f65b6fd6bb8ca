"""Alert rules, the alert log, and the backtest."""

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.alerting.alert_log import AlertLog, AlertLogError, Silence, update_open_alerts
from analysis.alerting.backtest import backtest_alerts, score_alerts
from analysis.alerting.prometheus import prometheus_text
from analysis.alerting.rules import (
    Alert,
    AlertRulesError,
    describe_definition,
    evaluate_alert_rules,
    load_alert_rules,
)
from analysis.alerting.slo import load_objectives
from analysis.issues.listing import list_issue_summaries
from analysis.metrics.registry import measure

AT = datetime(2026, 3, 20, 12)  # noqa: DTZ001 - as in the store
HOUR = timedelta(hours=1)


def firing(key="k", rule="r"):
    return Alert(rule=rule, key=key, title="Trouble", severity="page", value=1.0, reason="too many")


def kinds(notices):
    return [(notice.kind, notice.alert.key) for notice in notices]


def test_our_own_rules_are_sound_and_quiet_on_an_empty_store(store):
    rules = load_alert_rules()
    assert len(rules) >= 5
    assert evaluate_alert_rules(store, rules, AT) == []


def test_the_storm_makes_issues_escalate_and_objectives_burn(stormy_store):
    rules = load_alert_rules()
    result = backtest_alerts(
        stormy_store, rules, AT - timedelta(days=8), AT + timedelta(days=9), every=timedelta(days=3)
    )
    assert {"issue-escalates", "objective-burns"} <= set(result.rule)
    assert result.recovered_at.notna().any()


def test_a_version_that_fails_more_on_the_same_days_alerts(store):
    """40 of 200 syncs on the new version fail, 10 of 200 on the old: ratio 4, lower bound about 2."""
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_type__v, sync_start_datetime__v,"
        " sync_completed_datetime__v, successful_sync__v, version__v, source, batch_id)"
        " SELECT 's' || i, 'u' || i % 20, 'incremental__v', $at, $at,"
        " i % 200 >= CASE WHEN i < 200 THEN 40 ELSE 10 END,"
        " CASE WHEN i < 200 THEN '25.3.1' ELSE '25.3.0' END, 't', 't' FROM range(400) AS r(i)",
        {"at": AT - HOUR},
    ).fetchall()
    alerts = evaluate_alert_rules(store, load_alert_rules(), AT)
    assert [alert.key for alert in alerts if alert.rule == "version-at-risk"] == ["25.3.1"]


def test_a_backtest_reads_only_earlier_events(stormy_store):
    """The alerts of a day do not depend on later events."""
    rules = load_alert_rules()
    short = backtest_alerts(stormy_store, rules, AT - timedelta(days=2), AT)
    long = backtest_alerts(stormy_store, rules, AT - timedelta(days=2), AT + timedelta(days=2))
    columns = ["rule", "key", "fired_at", "reason"]
    earlier = long[long.fired_at <= AT][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(short[columns].reset_index(drop=True), earlier)


@pytest.mark.parametrize(
    "entry",
    [
        "name='Bad Name'\ntitle='x'\nkind='slo'\nseverity='page'",
        "name='x'\ntitle='x'\nkind='metric'\nmetric='nothing'\nrows=true\nabove=1\nseverity='page'",
        "name='x'\ntitle='x'\nkind='metric'\nmetric='retries'\nabove=1\nseverity='page'",
        "name='x'\ntitle='x'\nkind='metric'\nmetric='retries'\nrows=true\nseverity='page'",
        "name='x'\ntitle='x'\nkind='slo'\nabove=1\nseverity='page'",
        "name='x'\ntitle='x'\nkind='metric'\nmetric='retries'\nrows=true\nabove=1\nseverity='page'\n"
        "filters={colour='blue'}",
        "name='x'\ntitle='x'\nkind='slo'\nseverity='page'\n[[rule]]\nname='x'\ntitle='y'\nkind='slo'\n"
        "severity='page'",
        "name=",
    ],
)
def test_a_broken_rule_is_refused_with_advice(entry):
    with pytest.raises(AlertRulesError) as refused:
        load_alert_rules(f"[[rule]]\n{entry}\n")
    assert refused.value.next_step


def test_a_metric_rule_narrows_by_its_filters(stormy_store):
    text = (
        "[[rule]]\nname='x'\ntitle='x'\nkind='metric'\nmetric='errors_by_cause'\ncolumn='events'\nabove=0\n"
        "severity='ticket'\nfilters={cause='network'}"
    )
    (result,) = evaluate_alert_rules(stormy_store, load_alert_rules(text), AT)
    expected = measure(stormy_store, "errors_by_cause", cause="network", until=AT).events[0]
    assert (result.key, result.value) == ("network", expected)


def test_an_alert_fires_once_and_recovers_once():
    calm = {"r": 2}
    state, notices = update_open_alerts({}, [firing()], AT, calm)
    assert kinds(notices) == [("fired", "k")]
    state, notices = update_open_alerts(state, [firing()], AT + HOUR, calm)
    assert notices == []
    state, notices = update_open_alerts(state, [], AT + 2 * HOUR, calm)
    assert notices == []
    state, notices = update_open_alerts(state, [], AT + 3 * HOUR, calm)
    assert kinds(notices) == [("recovered", "k")]
    assert notices[0].since == AT
    assert update_open_alerts(state, [], AT + 4 * HOUR, calm) == ({}, [])


def test_a_short_calm_is_no_recovery():
    calm = {"r": 2}
    state, _ = update_open_alerts({}, [firing()], AT, calm)
    for hour, fires in enumerate([[], [firing()], [], [firing()], []], start=1):
        state, notices = update_open_alerts(state, fires, AT + hour * HOUR, calm)
        assert notices == []


def test_a_silenced_alert_is_sent_if_it_still_fires_when_the_silence_ends():
    silence = Silence(rule="r", key="*", until=AT + HOUR, actor="mia", reason="release day")
    state, notices = update_open_alerts({}, [firing()], AT, {}, [silence])
    assert (state, notices) == ({}, [])
    state, notices = update_open_alerts(state, [firing()], AT + HOUR, {}, [silence])
    assert kinds(notices) == [("fired", "k")]


def test_a_silence_of_one_key_leaves_the_others():
    silence = Silence(rule="r", key="a", until=AT + HOUR, actor="mia", reason="")
    _, notices = update_open_alerts({}, [firing("a"), firing("b")], AT, {}, [silence])
    assert kinds(notices) == [("fired", "b")]


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=20), st.integers(1, 3))
def test_fired_and_recovered_alternate(history, calm):
    state, kinds_by_key = {}, {}
    for number, keys in enumerate(history):
        fires = [firing(key) for key in sorted(keys)]
        state, notices = update_open_alerts(state, fires, AT + number * HOUR, {"r": calm})
        for notice in notices:
            kinds_by_key.setdefault(notice.alert.key, []).append(notice.kind)
        assert keys <= {key for _, key in state}
    for sequence in kinds_by_key.values():
        assert sequence == (["fired", "recovered"] * len(sequence))[: len(sequence)]


def test_the_alert_log_survives_a_restart(tmp_path):
    rules = load_alert_rules(
        "[[rule]]\nname='r'\ntitle='x'\nkind='metric'\nmetric='stuck_devices'\nrows=true\nabove=1\nseverity='page'\n"
    )
    assert kinds(AlertLog(tmp_path / "a.sqlite").record(rules, [firing()], AT)) == [("fired", "k")]
    again = AlertLog(tmp_path / "a.sqlite")
    assert [alert.alert.key for alert in again.open_alerts()] == ["k"]
    assert again.record(rules, [firing()], AT + HOUR) == []
    assert kinds(again.record(rules, [], AT + 2 * HOUR)) == [("recovered", "k")]
    assert again.open_alerts() == []


def test_the_alert_log_stores_silences(tmp_path):
    rules = load_alert_rules("[[rule]]\nname='r'\ntitle='x'\nkind='slo'\nseverity='page'\n")
    alert_log = AlertLog(tmp_path / "a.sqlite")
    alert_log.silence("r", until=AT + HOUR, actor="mia", reason="release day")
    assert alert_log.record(rules, [firing()], AT) == []
    assert alert_log.silences()[0].actor == "mia"


def test_an_alert_log_that_cannot_be_opened_raises_an_error_with_a_next_step(tmp_path):
    with pytest.raises(AlertLogError) as refused:
        AlertLog(tmp_path / "missing" / "a.sqlite")
    assert "folder" in refused.value.next_step


def test_alerts_are_scored_against_incidents():
    alerts = pd.DataFrame({"fired_at": [AT + 6 * HOUR, AT + 90 * HOUR]})
    incidents = pd.DataFrame(
        {"began_at": [AT, AT + 200 * HOUR], "ended_at": [AT + 24 * HOUR, AT + 210 * HOUR]}
    )
    result = score_alerts(alerts, incidents)
    assert (result.precision, result.recall, result.delay_hours) == (0.5, 0.5, 6.0)


def test_no_alerts_and_no_incidents_have_no_score():
    result = score_alerts(pd.DataFrame({"fired_at": []}), pd.DataFrame({"began_at": [], "ended_at": []}))
    assert (result.precision, result.recall, result.delay_hours) == (None, None, None)


def test_prometheus_reads_what_we_write(stormy_store):
    """Every line is a comment or `name{labels} number`, each family is announced once, labels are escaped."""
    text = prometheus_text(stormy_store)
    assert text.endswith("\n")
    announced = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(announced) == len(set(announced)) >= 8
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    for line in samples:
        name, value = line.rsplit(" ", 1)
        float(value)
        assert name.split("{")[0] in announced


def test_prometheus_of_nothing_knows_no_ratio(store):
    text = prometheus_text(store)
    assert "synclens_success_ratio" not in text
    assert 'synclens_syncs{outcome="good"} 0' in text


def test_labels_from_data_are_escaped(own_stormy_store):
    own_stormy_store.execute("UPDATE finding SET cause = ?", ['a"b\\c\nd']).fetchall()
    assert 'synclens_errors{cause="a\\"b\\\\c\\nd"}' in prometheus_text(own_stormy_store)


STUCK = """
[[rule]]
name = 'stuck'
title = 'Stuck'
kind = 'metric'
metric = 'stuck_devices'
rows = true
above = {}
severity = 'page'
"""


def add_outbreak(store, days, devices, *, issue="i1", day=0):
    """One device a day has the issue, then `devices` devices in the last hour before AT - `day` days."""
    rows = [(f"d{number}", AT - timedelta(days=number)) for number in range(2, days)]
    rows += [(f"x{number}", AT - timedelta(days=day, minutes=30)) for number in range(devices)]
    for name, at in rows:
        event = f"{issue}-{name}-{at:%d}"
        store.execute(
            "INSERT INTO sync_error (event_id, occurred_at, user_id, device_id, message, source, batch_id)"
            " VALUES (?, ?, ?, ?, 'The visit form is closed', 't', 't')",
            [event, at, f"user-{name}", name],
        ).fetchall()
        store.execute(
            "INSERT INTO finding VALUES (?, ?, 'record-locked', 0.9, 'r', [], [], 'no', 'server', 'c', 'g')",
            [event, issue],
        ).fetchall()


def test_errors_alone_can_alert_and_the_alert_names_issue_cause_and_people(store):
    add_outbreak(store, days=12, devices=10)
    (alert,) = [
        each for each in evaluate_alert_rules(store, load_alert_rules(), AT) if each.rule == "issue-escalates"
    ]
    assert (alert.issue_id, alert.cause, alert.users, alert.devices) == ("i1", "record-locked", 10, 10)
    assert alert.issue == list_issue_summaries(store)[0].title
    assert f"Issue: {alert.issue} (record-locked), 10 users on 10 devices" in alert.summary


def test_a_steady_rate_of_errors_alone_does_not_alert(store):
    for day in range(12):
        add_outbreak(store, days=0, devices=6, issue=f"i{day}", day=day)
    store.execute("UPDATE finding SET issue_id = 'i1'").fetchall()
    assert "issue-escalates" not in [
        alert.rule for alert in evaluate_alert_rules(store, load_alert_rules(), AT)
    ]


def test_a_burning_objective_names_the_issue_that_fails_most_users(stormy_store):
    at = datetime(2026, 3, 24)  # noqa: DTZ001 - as in the store
    alerts = evaluate_alert_rules(stormy_store, load_alert_rules(), at)
    (burning, *_) = [alert for alert in alerts if alert.rule == "objective-burns"]
    issues = list_issue_summaries(
        stormy_store, sync_type="incremental__v", since=at - timedelta(hours=72), until=at
    )
    assert burning.users == max(issue.users for issue in issues) > 1
    assert burning.issue_id in {issue.issue_id for issue in issues}


def test_stuck_devices_are_named(stormy_store):
    alerts = evaluate_alert_rules(stormy_store, load_alert_rules(STUCK.format(0)), AT)
    stuck = measure(stormy_store, "stuck_devices", until=AT)["device"]
    assert [alert.value for alert in alerts] == [len(stuck)]
    assert stuck[0] in alerts[0].reason


def test_another_rules_file_does_not_recover_an_alert(tmp_path):
    ours, other = (
        load_alert_rules(STUCK.format(4)),
        load_alert_rules(STUCK.replace("'stuck'", "'mine'").format(4)),
    )
    log = AlertLog(tmp_path / "a.sqlite")
    log.record(ours, [firing("", "stuck")], AT)
    assert log.record(other, [], AT + HOUR) == []
    assert [entry.alert.rule for entry in log.open_alerts()] == ["stuck"]
    assert kinds(log.record(ours, [], AT + 2 * HOUR)) == [("recovered", "")]


def test_another_objectives_file_does_not_recover_an_alert(tmp_path):
    rules = [rule for rule in load_alert_rules() if rule.kind == "slo"]
    log = AlertLog(tmp_path / "a.sqlite")
    burning = firing("mini-syncs mini__v ticket", "objective-burns")
    log.record(rules, [burning], AT)
    for hour in range(1, 4):
        others = [slo for slo in load_objectives() if slo.name != "mini-syncs"]
        assert log.record(rules, [], AT + hour * HOUR, objectives=others) == []
    assert kinds(log.record(rules, [], AT + 4 * HOUR)) == []
    assert kinds(log.record(rules, [], AT + 5 * HOUR)) == [("recovered", burning.key)]


def test_a_changed_rule_that_no_longer_fires_is_no_recovery(tmp_path):
    log = AlertLog(tmp_path / "a.sqlite")
    log.record(load_alert_rules(STUCK.format(4)), [firing("", "stuck")], AT)
    (notice,) = log.record(load_alert_rules(STUCK.format(400)), [], AT + HOUR)
    assert notice.kind == "rule changed"
    assert "not seen to recover" in notice.headline
    assert log.open_alerts() == []


def test_a_title_or_a_severity_is_no_other_definition():
    (rule,) = load_alert_rules(STUCK.format(4))
    alert = firing("", "stuck")
    renamed = rule.model_copy(update={"title": "Held up", "severity": "ticket", "recover_after": 5})
    assert describe_definition(alert, [rule], []) == describe_definition(alert, [renamed], [])
    assert describe_definition(alert, [], []) is None
