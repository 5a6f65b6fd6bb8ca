"""Tail probabilities agree with scipy.stats, which is too slow to import for a command."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaincinv, chdtrc

from analysis.base.tail_probabilities import (
    benjamini_hochberg,
    gumbel_tail,
    hypergeometric_tail,
    normal_tail,
)


@given(st.data())
def test_hypergeometric_tail_agrees_with_scipy(data):
    total = data.draw(st.integers(1, 3000))
    marked = data.draw(st.integers(0, total))
    draws = data.draw(st.integers(0, total))
    hits = data.draw(st.integers(-1, draws + 1))
    (tail,) = hypergeometric_tail(
        np.array([float(hits)]), np.array([float(draws)]), total=total, marked=marked
    )
    assert tail == pytest.approx(stats.hypergeom.sf(hits - 1, total, marked, draws), rel=1e-8, abs=1e-300)


def test_hypergeometric_tail_of_a_large_store():
    hits, draws = np.array([52_000.0, 50_000.0, 300.0]), np.array([500_000.0, 500_000.0, 1_000.0])
    tail = hypergeometric_tail(hits, draws, total=10_000_000, marked=1_000_000)
    expected = stats.hypergeom.sf(hits - 1, 10_000_000, 1_000_000, draws)
    assert tail == pytest.approx(expected, rel=1e-6)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_benjamini_hochberg_agrees_with_scipy(p_values):
    adjusted = benjamini_hochberg(np.array(p_values, dtype=np.float64))
    expected = stats.false_discovery_control(p_values) if p_values else []
    assert adjusted == pytest.approx(np.asarray(expected))


@given(st.floats(-30, 30), st.floats(0, 200), st.integers(1, 500), st.integers(0, 5000))
def test_normal_chi_square_and_beta_agree_with_scipy(deviation, statistic, devices, before):
    assert normal_tail(np.array([deviation]))[0] == pytest.approx(stats.norm.sf(deviation), rel=1e-12)
    assert chdtrc(1, statistic) == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-12)
    quantile = betaincinv(devices, before + 1, 0.01)
    assert quantile == pytest.approx(stats.beta.ppf(0.01, devices, before + 1), rel=1e-9)


@given(st.floats(-5, 100))
def test_gumbel_tail_agrees_with_scipy(deviation):
    scale = np.sqrt(6) / np.pi
    expected = stats.gumbel_r.sf(deviation, loc=-np.euler_gamma * scale, scale=scale)
    assert gumbel_tail(np.array([deviation])) == pytest.approx([expected], rel=1e-9, abs=1e-300)
