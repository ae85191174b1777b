"""Drift against truth: known shifts are found, healthy data raises no alarm, broken columns are named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from model_lifecycle.core.checks import Measurement, Verdict, overall
from model_lifecycle.core.drift import Finding, compare, judge_drift
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.profile import Profile, profile


def drifts(reference: dict[str, Any], current: dict[str, Any], **options: Any) -> dict[str, Any]:
    base = profile(reference)
    return {drift.name: drift for drift in compare(base, profile(current, edges_from=base), **options)}


def judged(reference: dict[str, Any], current: dict[str, Any], **options: Any) -> dict[str, Measurement]:
    base = profile(reference)
    answers = judge_drift(compare(base, profile(current, edges_from=base)), **options)
    return {answer.check: answer for answer in answers}


SHAPES = st.sampled_from(["normal", "lumpy", "spiked", "exponential"])


def draw(shape: str, rng: np.random.Generator, size: int) -> Any:
    if shape == "lumpy":
        return rng.poisson(rng.uniform(0.1, 30), size).astype(float)
    if shape == "spiked":
        return np.where(rng.random(size) < rng.random(), rng.normal(), rng.normal(size=size))
    if shape == "exponential":
        return rng.exponential(rng.uniform(0.5, 2), size)
    return rng.normal(rng.normal(), rng.uniform(0.5, 2), size)


@settings(max_examples=150)
@given(SHAPES, SHAPES, st.integers(0, 2**32), st.sampled_from([500, 1777, 20_000]), st.sampled_from([500, 3000]))
def test_the_binned_distance_is_the_exact_one_to_a_two_hundredth(
    shape: str, other: str, seed: int, n: int, m: int
) -> None:
    rng = np.random.default_rng(seed)
    reference, current = draw(shape, rng, n), draw(other, rng, m)
    exact = stats.ks_2samp(reference, current, method="asymp").statistic
    assert exact - 0.005 - 1 / n <= drifts({"x": reference}, {"x": current})["x"].ks <= exact + 1e-9


@pytest.mark.parametrize(("reference_rows", "rows"), [(500, 500), (20_000, 500), (20_000, 5_000), (50_000, 50_000)])
def test_unchanged_data_raises_no_alarm(reference_rows: int, rows: int) -> None:
    rng = np.random.default_rng(rows)

    def sample(size: int) -> dict[str, Any]:
        return {
            **{f"n{number}": rng.normal(size=size) for number in range(8)},
            "counts": rng.poisson(80, size).astype(float),
            "holes": np.where(rng.random(size) < 0.1, np.nan, rng.normal(size=size)),
            "day": rng.integers(0, 7, size),
            "city": rng.choice([f"c{number}" for number in range(100)], size, p=PARETO),
            "flag": rng.random(size) < 0.01,
        }

    runs = 15 if rows < 50_000 else 2
    base = profile(sample(reference_rows))
    found = [compare(base, profile(sample(rows), edges_from=base)) for _ in range(runs)]
    assert not [drift for run in found for drift in run if drift.finding is not Finding.STABLE]


PARETO = np.arange(1, 101) ** -1.2 / (np.arange(1, 101) ** -1.2).sum()


@pytest.mark.parametrize("rows", [500, 1000, 50_000])
def test_a_shift_of_four_tenths_of_a_deviation_is_found(rows: int) -> None:
    rng = np.random.default_rng(rows)
    still = {f"n{number}": rng.normal(size=20_000) for number in range(19)}
    current = {name: rng.normal(size=rows) for name in still}
    found = drifts({**still, "x": rng.normal(size=20_000)}, {**current, "x": rng.normal(0.4, 1, rows)})
    assert [name for name, drift in found.items() if drift.finding is Finding.DRIFTED] == ["x"]


def test_a_certain_but_trivial_shift_is_no_drift() -> None:
    rng = np.random.default_rng(0)
    drift = drifts({"x": rng.normal(size=200_000)}, {"x": rng.normal(0.05, 1, 200_000)})["x"]
    assert drift.p_value < 1e-9
    assert drift.finding is Finding.STABLE


def test_a_column_in_another_unit_is_found() -> None:
    hours = np.random.default_rng(0).uniform(5, 23, 3000)
    drift = drifts({"x": hours * 60}, {"x": hours})["x"]
    assert (drift.finding, drift.unseen) == (Finding.DRIFTED, 1.0)
    assert drift.js == pytest.approx(1.0, abs=0.01)


def test_values_that_go_missing_are_drift() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=5000)
    drift = drifts({"x": values, "c": ["a"] * 5000}, {"x": [None] * 1000 + [*values[1000:]], "c": ["a"] * 5000})["x"]
    assert (drift.finding, drift.missing) == (Finding.DRIFTED, 0.2)


def test_a_new_category_is_drift_and_its_share_is_told() -> None:
    drift = drifts({"c": ["a", "b"] * 1000}, {"c": ["a", "b", "a", "b", "z"] * 200})["c"]
    assert (drift.finding, drift.unseen) == (Finding.DRIFTED, 0.2)


def test_values_that_go_missing_or_are_new_need_both_effect_and_significance() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice(["a", "b", "c"], 20_000)
    little = np.where(rng.random(20_000) < 0.01, "z", values)
    found = drifts({"c": values}, {"c": little})["c"]
    assert (found.finding, found.new_p < 1e-9, found.missing_p) == (Finding.STABLE, True, 1.0)
    assert found.new == found.unseen == pytest.approx(0.01, abs=0.003)
    few = drifts({"c": [*values[:30], None, None]}, {"c": [*values[:25], *[None] * 7]}, min_samples=1)["c"]
    assert (few.finding, few.missing > 0.1, few.missing_p > 0.05) == (Finding.STABLE, True, True)
    both = drifts({"c": values}, {"c": [*values[:17_000], *[None] * 3000]})["c"]
    assert (both.finding, both.missing_p < 1e-9) == (Finding.DRIFTED, True)


def test_chi_squared_of_values_is_scipys_and_of_equal_columns_nothing() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.choice(list("abcd"), 3000, p=[0.4, 0.3, 0.2, 0.1]), rng.choice(list("abcd"), 2000)
    table = [[np.sum(values == letter) for letter in "abcd"] for values in (one, other)]
    found = drifts({"c": one, "d": one}, {"c": other, "d": one[:2000]})
    assert found["c"].chi2 == pytest.approx(stats.chi2_contingency(table, correction=False).statistic, rel=1e-9)
    assert found["d"].chi2 < 10
    assert found["c"].wasserstein is None


FEATURES, WINDOWS = 20, 40


def alarms(rows: int, shift: float, windows: int, reference_rows: int = 100_000, seed: int = 0) -> float:
    """The share of windows in which any of 20 features drifted; one of them is shifted."""
    rng = np.random.default_rng(seed)
    base = profile({f"n{number}": rng.normal(size=reference_rows) for number in range(FEATURES)})
    found = 0
    for _ in range(windows):
        current = {f"n{number}": rng.normal(shift if number == 0 else 0.0, 1, rows) for number in range(FEATURES)}
        drifted = [one.name for one in compare(base, profile(current, base)) if one.finding.alarms]
        found += bool(drifted) if shift == 0 else "n0" in drifted
    return found / windows


@pytest.mark.parametrize("rows", [100, 500, 5000])
def test_windows_without_drift_seldom_alarm(rows: int) -> None:
    assert alarms(rows, 0.0, WINDOWS) <= 0.05


@pytest.mark.parametrize("rows", [500, 5000])
def test_a_shift_of_three_tenths_of_a_deviation_is_mostly_found(rows: int) -> None:
    assert alarms(rows, 0.3, WINDOWS) >= 0.9


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("rows", "windows"), [(100, 1000), (500, 1000), (1000, 1000), (5000, 500), (50_000, 100),
                                               (500_000, 20)])  # fmt: skip
def test_false_alarms_and_power_over_many_windows(rows: int, windows: int) -> None:
    quiet, shifted = alarms(rows, 0.0, windows, seed=1), alarms(rows, 0.3, windows, seed=2)
    print(f"n = {rows:,}: {windows} windows, false alarms {quiet:.3f}, power at 0.3 sd {shifted:.3f}")
    assert quiet <= 0.05
    assert shifted >= 0.9 or rows < 500


@pytest.mark.parametrize(
    ("current", "finding"),
    [
        ({}, Finding.VANISHED),
        ({"x": ["high", "low"] * 500}, Finding.TYPE_CHANGED),
        ({"x": [True, False] * 500}, Finding.TYPE_CHANGED),
        ({"x": [None] * 1000}, Finding.ALL_NULL),
        ({"x": np.full(1000, np.nan)}, Finding.ALL_NULL),
        ({"x": np.zeros(499)}, Finding.TOO_FEW),
        ({"x": []}, Finding.TOO_FEW),
        ({"x": [None] * 3}, Finding.TOO_FEW),
    ],
)
def test_a_broken_column_is_named_and_never_a_crash(current: dict[str, Any], finding: Finding) -> None:
    others = {"y": np.zeros(len(current.get("x", [0] * 1000)))}
    found = drifts({"x": np.random.default_rng(0).normal(size=2000), "y": np.zeros(2000)}, {**current, **others})
    assert found["x"].finding is finding


def test_a_column_that_never_held_a_value_is_stable_until_it_does() -> None:
    void = [None] * 1000
    assert drifts({"x": void}, {"x": void})["x"].finding is Finding.STABLE
    assert drifts({"x": void}, {"x": ["new"] * 1000})["x"].finding is Finding.DRIFTED
    assert drifts({"x": np.full(1000, np.inf)}, {"x": np.full(1000, np.inf)})["x"].finding is Finding.STABLE


def test_profiles_with_other_cells_are_not_compared() -> None:
    with pytest.raises(Invalid, match="different cells"):
        compare(profile({"x": np.arange(1000.0)}), profile({"x": np.arange(1000.0) * 2}))


def data(rng: np.random.Generator, size: int, shifted: int = 0, prediction: float = 0.0) -> dict[str, Any]:
    columns = {f"n{number}": rng.normal(1.0 if number < shifted else 0.0, 1, size) for number in range(10)}
    return {**columns, "prediction": rng.normal(prediction, 1, size)}


@pytest.mark.parametrize(
    ("shifted", "prediction", "features", "predictions"),
    [
        (0, 0.0, Verdict.PASS, Verdict.PASS),
        (2, 0.0, Verdict.PASS, Verdict.PASS),
        (3, 0.0, Verdict.FAIL, Verdict.PASS),
        (0, 1.0, Verdict.PASS, Verdict.FAIL),
        (10, 1.0, Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_features_and_predictions_are_judged_apart(
    shifted: int, prediction: float, features: Verdict, predictions: Verdict
) -> None:
    rng = np.random.default_rng(5)
    answers = judged(data(rng, 5000), data(rng, 2000, shifted, prediction))
    assert answers["feature_drift"].verdict is features
    assert answers["prediction_drift"].verdict is predictions
    assert answers["feature_drift"].value == shifted / 10
    json.dumps([answer.to_dict() for answer in answers.values()], allow_nan=False)


def test_the_reason_names_the_worst_columns() -> None:
    rng = np.random.default_rng(5)
    current = data(rng, 2000, shifted=1)
    del current["n7"]
    reason = judged(data(rng, 5000), current)["feature_drift"].reason
    assert reason.startswith("2 of 10 features drifted: n7 (VANISHED), n0 (DRIFTED, JS 0.")


def test_too_few_rows_are_inconclusive_and_none_are_no_data() -> None:
    rng = np.random.default_rng(5)
    few = judged(data(rng, 5000), data(rng, 499))
    none = judged(data(rng, 5000), data(rng, 0))
    assert {answer.verdict for answer in few.values()} == {Verdict.INCONCLUSIVE}
    assert {answer.verdict for answer in none.values()} == {Verdict.NO_DATA}
    assert {answer.verdict for answer in judge_drift(compare(Profile(), Profile()))} == {Verdict.NO_DATA}


def test_the_caller_says_which_of_the_two_decides() -> None:
    rng = np.random.default_rng(5)
    answers = judged(data(rng, 5000), data(rng, 2000, shifted=9), features_critical=False)
    assert not answers["feature_drift"].critical
    assert overall(answers.values()) is Verdict.PASS
