"""The formulas against scipy, which knows them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from model_lifecycle.core import statistics

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=40).filter(
    lambda cells: sum(a for a, _ in cells) > 0 and sum(b for _, b in cells) > 0
)


@given(st.floats(0.001, 500), st.integers(1, 300))
def test_the_tail_of_chi_squared_is_scipys(statistic: float, degrees: int) -> None:
    assert statistics.chi2_p_value(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), abs=1e-11)


@given(st.floats(0.001, 1.0), st.integers(500, 10**6), st.integers(500, 10**6))
def test_the_ks_p_value_lies_close_to_scipys_for_samples_that_are_judged(distance: float, n: int, m: int) -> None:
    expected = stats.kstwo.sf(distance, round(n * m / (n + m)))
    assert statistics.ks_p_value(distance, n, m) == pytest.approx(expected, abs=0.012)


@given(COUNTS)
def test_jensen_shannon_is_scipys(cells: list[tuple[int, int]]) -> None:
    one, other = zip(*cells, strict=True)
    expected = jensenshannon(np.array(one) / sum(one), np.array(other) / sum(other), base=2)
    assert statistics.jensen_shannon(one, other) == pytest.approx(expected, abs=1e-7)


@given(COUNTS)
def test_distances_do_not_care_who_is_the_reference(cells: list[tuple[int, int]]) -> None:
    one, other = zip(*cells, strict=True)
    for distance in (statistics.jensen_shannon, statistics.population_stability, statistics.ks_distance):
        assert distance(one, other) == pytest.approx(distance(other, one))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_adjusted_p_values_are_scipys(p_values: list[float]) -> None:
    assert statistics.adjust(p_values) == pytest.approx(stats.false_discovery_control(p_values))


def test_nothing_asked_needs_no_adjusting() -> None:
    assert statistics.adjust([]) == []


@given(st.lists(st.tuples(st.integers(50, 500), st.integers(50, 500)), min_size=2, max_size=20))
def test_the_homogeneity_test_is_scipys_where_no_cell_is_rare(cells: list[tuple[int, int]]) -> None:
    one, other = zip(*cells, strict=True)
    expected = stats.chi2_contingency(np.array([one, other]), correction=False).pvalue
    assert statistics.homogeneity_p_value(one, other) == pytest.approx(expected, abs=1e-9)


@given(COUNTS)
def test_homogeneity_of_any_counts_is_a_probability(cells: list[tuple[int, int]]) -> None:
    one, other = zip(*cells, strict=True)
    assert 0 <= statistics.homogeneity_p_value(one, other) <= 1
    assert statistics.homogeneity_p_value(one, one) > 0.99


def test_rare_cells_raise_no_false_alarm() -> None:
    rng = np.random.default_rng(7)
    shares = np.r_[0.5, np.full(200, 0.0025)]
    shares /= shares.sum()
    p_values = [
        statistics.homogeneity_p_value(rng.multinomial(50_000, shares).tolist(), rng.multinomial(600, shares).tolist())
        for _ in range(400)
    ]
    assert 0.01 < np.mean(np.array(p_values) <= 0.05) < 0.1


@pytest.mark.parametrize("cells", [5, 20, 100])
def test_chance_explains_most_of_the_divergence_of_equal_data(cells: int) -> None:
    rng = np.random.default_rng(cells)
    shares = np.full(cells, 1 / cells)
    samples = [(rng.multinomial(5000, shares).tolist(), rng.multinomial(500, shares).tolist()) for _ in range(200)]
    plain = np.mean([statistics.jensen_shannon(*pair) ** 2 for pair in samples])
    assert np.mean([statistics.jensen_shannon_beyond_chance(*pair) ** 2 for pair in samples]) < plain / 3


def test_population_stability_of_a_known_shift() -> None:
    assert statistics.population_stability([5000, 5000], [6000, 4000]) == pytest.approx(0.04054, abs=1e-4)


def test_the_normal_quantile_is_the_one_everybody_knows() -> None:
    assert statistics.normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.001, 0.5))
def test_the_interval_of_a_share_is_scipys(seen: tuple[int, int], alpha: float) -> None:
    expected = stats.binomtest(*seen).proportion_ci(1 - alpha, method="wilson")
    assert statistics.wilson_interval(*seen, alpha) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert statistics.wilson_interval(0, 0) == (0.0, 1.0)
