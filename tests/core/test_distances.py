"""The distance of binned columns against scipy's of the values themselves, within the bound that it states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from model_lifecycle.core.distances import Wasserstein, wasserstein
from model_lifecycle.core.profile import profile
from tests.core.test_drift import SHAPES, draw


def distance(reference: Any, current: Any) -> Wasserstein:
    base = profile({"x": reference})
    found = wasserstein(base.columns["x"], profile({"x": current}, base).columns["x"])
    assert found is not None
    return found


@settings(max_examples=150)
@given(SHAPES, SHAPES, st.integers(0, 2**32), st.sampled_from([50, 500, 20_000]), st.sampled_from([50, 3000]))
def test_the_distance_is_scipys_within_the_bound_it_states(shape: str, other: str, seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    reference, current = draw(shape, rng, n), draw(other, rng, m)
    exact = stats.wasserstein_distance(reference, np.clip(current, reference.min(), reference.max()))
    found = distance(reference, current)
    assert abs(found.distance - exact) <= found.bound + 1e-9


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.lists(st.integers(-5, 5), min_size=1, max_size=60))
def test_integers_counted_by_value_are_exact(one: list[int], other: list[int]) -> None:
    known = [value for value in other if value in one]
    if len(set(one)) < 2 or not known:
        return
    found = distance(one, other)
    assert found.distance == pytest.approx(stats.wasserstein_distance(one, known), abs=1e-12)
    assert found.bound == 0
    assert found.spread == pytest.approx(np.std(one), abs=1e-12)


def test_a_shift_is_told_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    found = distance(rng.normal(10, 4, 50_000), rng.normal(11.2, 4, 50_000))
    assert found.normalised == pytest.approx(0.3, abs=0.02)
    assert found.bound < 0.1 * found.spread


def test_how_far_beyond_the_range_values_lie_does_not_count() -> None:
    reference = np.arange(1000.0)
    assert distance(reference, reference * 0 + 1e9) == distance(reference, [2000.0] * 7)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        (["a", "b"], ["a"]),
        ([1.0, 2.0, 3.0], [None]),
        ([None, None], [1.0]),
        ([np.inf, np.inf], [1.0]),
        ([7], [7]),
        ([10**400, 1], [1]),
    ],
)
def test_where_nothing_can_be_said_nothing_is(reference: list[Any], current: list[Any]) -> None:
    base = profile({"x": reference})
    assert wasserstein(base.columns["x"], profile({"x": current}, base).columns["x"]) is None


def test_a_column_without_spread_has_a_distance_and_no_normalised_one() -> None:
    assert Wasserstein(1.0, 0.0, 0.0).normalised is None
