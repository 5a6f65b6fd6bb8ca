"""`explain` on frames: it returns injected combinations, and nothing without one."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.diagnosis.explain.explanations import Explanation, explain
from tests.support.examples import examples

BY = ["version", "country", "platform"]
VALUES = {
    "version": ["25.1", "25.2", "25.3"],
    "country": ["DE", "FR", "US", "JP"],
    "platform": ["iPad", "iPhone"],
}


def period(rng, bad=None, rate=0.3, size=60, usual=0.03):
    """One row per combination; combinations that match `bad` fail at `rate`."""
    rows = []
    for values in product(*VALUES.values()):
        row = dict(zip(BY, values, strict=True))
        hit = bad is not None and bad.items() <= row.items()
        total = int(rng.integers(size // 2, size * 2))
        rows.append(row | {"failures": int(rng.binomial(total, rate if hit else usual)), "total": total})
    return pd.DataFrame(rows)


def history(rng, periods=5):
    return pd.concat([period(rng) for _ in range(periods)], ignore_index=True)


def asserted(explanations):
    return [explanation.where for explanation in explanations if explanation.asserted]


def find_explanations(now, before, **options) -> list[Explanation]:
    return explain(now, before, **({"by": BY, "failures": "failures", "total": "total"} | options))


@pytest.mark.parametrize(
    "planted",
    [{"version": "25.2"}, {"country": "DE", "platform": "iPad"}, {"version": "25.3", "country": "JP"}],
)
@pytest.mark.parametrize("periods", [0, 1, 2, 6])
def test_the_injected_combination_is_first(planted, periods):
    rng = np.random.default_rng(7)
    before = history(rng, periods) if periods else pd.DataFrame()
    first = find_explanations(period(rng, planted), before)[0]
    assert first.where == planted
    assert first.earlier_periods == periods
    if periods >= 2:
        assert first.asserted
        assert first.p_value <= 0.05
    assert first.interval[0] <= first.rate_in <= first.interval[1]
    assert first.rate_in > 3 * first.rate_out
    assert first.failures > 2 * first.expected
    assert first.share > 0.5


def test_two_simultaneous_causes_are_both_found():
    rng = np.random.default_rng(3)
    now = period(rng, {"version": "25.2", "country": "DE"}, rate=0.5)
    other = period(rng, {"platform": "iPhone", "country": "US"}, rate=0.5)
    now.loc[now.country == "US"] = other.loc[other.country == "US"]
    named = [explanation.where for explanation in find_explanations(now, history(rng))]
    assert {"version": "25.2", "country": "DE"} in named
    assert {"platform": "iPhone", "country": "US"} in named


def test_a_combination_that_always_failed_more_is_no_explanation():
    rng = np.random.default_rng(5)
    standing = {"country": "JP"}
    before = pd.concat([period(rng, standing, rate=0.2) for _ in range(6)])
    assert not asserted(find_explanations(period(rng, standing, rate=0.2), before))


def test_a_new_value_without_history_can_be_the_cause():
    rng = np.random.default_rng(6)
    before = history(rng, 6)
    before = before[before.version != "25.3"]
    assert find_explanations(period(rng, {"version": "25.3"}), before)[0].where == {"version": "25.3"}


def test_unchanged_periods_rarely_have_an_explanation():
    pages = [
        bool(asserted(find_explanations(period(rng), history(rng))))
        for rng in map(np.random.default_rng, range(40))
    ]
    assert sum(pages) <= 4  # at a true rate of 5 % this fails for one set of seeds in twenty; these are fixed


@pytest.mark.parametrize("periods", [1, 2, 3, 4, 6])
def test_quiet_periods_that_differ_as_a_whole_are_rarely_explained(periods):
    def varied_period(rng):
        size = int(rng.choice([6, 60, 600]))
        return period(rng, {"country": "DE"}, rate=0.03 * rng.lognormal(0, 0.3), size=size).assign(
            failures=lambda rows: rng.binomial(
                rows.total, np.clip(rng.beta(1, 30) * rng.lognormal(0, 0.5), 0, 1)
            )
        )

    pages = []
    for rng in map(np.random.default_rng, range(60)):
        before = pd.concat([varied_period(rng) for _ in range(periods)])
        pages.append(bool(asserted(find_explanations(varied_period(rng), before))))
    assert sum(pages) <= 5


def test_overdispersed_rows_without_history_are_rarely_explained():
    pages = []
    for rng in map(np.random.default_rng, range(60)):
        rows = period(rng, size=int(rng.choice([20, 400])))
        rates = np.clip(rng.beta(1, 30, len(rows)), 0, 1)
        rows["failures"] = rng.binomial(rows.total, rates)
        pages.append(bool(asserted(find_explanations(rows, pd.DataFrame()))))
    assert sum(pages) <= 6


def test_a_rise_of_all_rows_has_no_explanation():
    pages = [
        bool(asserted(find_explanations(period(rng, usual=0.3), history(rng, 6))))
        for rng in map(np.random.default_rng, range(40))
    ]
    assert sum(pages) <= 4


def test_one_earlier_period_asserts_nothing():
    rng = np.random.default_rng(13)
    answers = find_explanations(period(rng, {"version": "25.2"}, rate=0.9), history(rng, 1))
    assert answers[0].where == {"version": "25.2"}
    assert all(answer.p_value is None and not answer.asserted for answer in answers)


def test_rates_before_are_those_of_the_earlier_rows():
    rng = np.random.default_rng(14)
    before = history(rng, 4)
    inside = before[before.version == "25.2"]
    outside = before[before.version != "25.2"]
    first = find_explanations(period(rng, {"version": "25.2"}), before)[0]
    assert first.where == {"version": "25.2"}
    assert first.rate_in_before == pytest.approx(inside.failures.sum() / inside.total.sum())
    assert first.rate_out_before == pytest.approx(outside.failures.sum() / outside.total.sum())


def test_periods_without_a_column_begin_where_combinations_repeat():
    rng = np.random.default_rng(15)
    now, before = period(rng, {"country": "DE"}), history(rng, 4)
    labeled = before.assign(period=-(before.index // len(now)) - 1)
    named, inferred = find_explanations(now, labeled), find_explanations(now, before)
    assert named[0].earlier_periods == inferred[0].earlier_periods == 4
    assert named == inferred
    by_combination = before.sort_values(BY, kind="stable")
    assert find_explanations(now, by_combination) == named
    partial = before[rng.random(len(before)) < 0.9]  # a period need not have every combination
    assert find_explanations(now, partial)[0].where == named[0].where
    assert find_explanations(now, partial)[0].asserted


COUNTS = st.integers(0, 30).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "y", None]), st.sampled_from("pqr"), COUNTS),
    max_size=30,
)


@given(now=ROWS, before=st.lists(ROWS, max_size=4))
@example(now=[("a", "x", "p", (30, 30)), ("b", "y", "q", (30, 30))], before=[])
@example(now=[("a", "x", "p", (5, 30)), ("b", "x", "p", (6, 30))], before=[[("a", "x", "p", (0, 30))]])
@settings(max_examples=examples(100), deadline=None)
def test_every_listed_group_fails_more_than_the_rest_now(now, before):
    def table(rows, at):
        columns = [*BY, "failures", "total", "period"]
        return pd.DataFrame([(*row[:3], *row[3], at) for row in rows], columns=columns)

    current = table(now, 0)
    earlier = pd.concat([table([], 0), *(table(rows, -k) for k, rows in enumerate(before, 1))])
    for answer in find_explanations(current, earlier):
        inside = np.logical_and.reduce([current[name] == value for name, value in answer.where.items()])
        failures, total = current.failures, current.total
        assert total[~inside].sum() > 0
        assert failures[inside].sum() * total[~inside].sum() > failures[~inside].sum() * total[inside].sum()
        assert answer.rate_in == failures[inside].sum() / total[inside].sum()
        assert answer.asserted <= (answer.earlier_periods != 1)


def test_an_attribute_that_another_determines_is_not_combined_with_it():
    rng = np.random.default_rng(8)
    region = {"DE": "EMEA", "FR": "EMEA", "US": "AMER", "JP": "APAC"}
    now, before = period(rng, {"country": "DE"}), history(rng)
    now["region"], before["region"] = now.country.map(region), before.country.map(region)
    first = find_explanations(now, before, by=[*BY, "region"])[0]
    assert first.where == {"country": "DE"}


def test_measurements_are_binned_and_categories_are_not():
    rng = np.random.default_rng(9)
    size = 4_000
    free = rng.uniform(0, 1_000, size)
    frame = pd.DataFrame({"free": free, "major": rng.integers(16, 19, size).astype(float), "total": 1})
    frame["failures"] = (rng.random(size) < np.where(free < 150, 0.6, 0.02)).astype(int)
    first = find_explanations(frame, pd.DataFrame(), by=["free", "major"])[0]
    assert list(first.where) == ["free"]
    assert first.where["free"].startswith(f"{free.min():g} to ")
    frame["failures"] = (rng.random(size) < np.where(frame.major == 17, 0.4, 0.02)).astype(int)
    assert find_explanations(frame, pd.DataFrame(), by=["free", "major"])[0].where == {"major": "17"}


def test_missing_values_are_counted_but_never_an_explanation():
    rng = np.random.default_rng(10)
    now, before = period(rng, {"version": "25.2"}), history(rng)
    now.loc[now.version == "25.2", "country"] = None
    now["nothing"], before["nothing"] = np.nan, np.nan
    answers = find_explanations(now, before, by=[*BY, "nothing"])
    assert answers[0].where == {"version": "25.2"}
    assert not any(
        value in ("nan", "None") for explanation in answers for value in explanation.where.values()
    )


def test_empty_frames_have_no_explanation():
    assert find_explanations(pd.DataFrame(), pd.DataFrame()) == []
    assert (
        find_explanations(pd.DataFrame({name: [] for name in [*BY, "failures", "total"]}), pd.DataFrame())
        == []
    )


def test_a_missing_column_or_invalid_counts_raise_an_error():
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match=r"No column colour; the frame has version"):
        find_explanations(period(rng), pd.DataFrame(), by=["colour"])
    with pytest.raises(ValueError, match="count failures among the total"):
        find_explanations(period(rng).assign(failures=10_000), pd.DataFrame())


@given(seed=st.integers(0, 10_000), periods=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
@example(seed=381, periods=3, shuffle=Random(1))
@settings(max_examples=examples(25), deadline=None)
def test_the_order_and_split_of_rows_do_not_matter(seed, periods, shuffle):
    rng = np.random.default_rng(seed)
    now = period(rng, {"country": "US"}, rate=0.2)
    before = history(rng, periods) if periods else pd.DataFrame()
    answers = find_explanations(now, before)
    order = list(range(len(now)))
    shuffle.shuffle(order)
    assert [explanation.where for explanation in find_explanations(now.iloc[order], before)] == [
        explanation.where for explanation in answers
    ]
    assert len(answers) <= 5
    for explanation in answers:
        assert explanation.p_value is None if periods == 1 else 0 <= explanation.p_value <= 1
        assert explanation.asserted == (explanation.p_value is not None and explanation.p_value <= 0.05)
        assert 0 <= explanation.share <= 1
        assert 1 <= len(explanation.where) <= 3
    assert [explanation.score for explanation in answers] == sorted(
        (explanation.score for explanation in answers), reverse=True
    )
