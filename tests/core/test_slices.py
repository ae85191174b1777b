"""A slice that is worse is found; one that only looks so, is too small, or is made of nonsense, is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.slices import SliceRule, judge_slices


def world(seed: int, rows: int = 6000, sick: str = "") -> tuple[dict[str, Any], Any, Any, Any]:
    """Carriers a to e in equal parts; for the sick one the newer model answers by chance."""
    rng = np.random.default_rng(seed)
    carrier = rng.choice(list("abcde"), rows)
    signal = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(int)
    before = 1 / (1 + np.exp(-0.9 * signal))
    ours = np.where(carrier == sick, rng.permutation(before), 1 / (1 + np.exp(-signal)))
    return {"carrier": carrier.tolist()}, labels, ours, before


def verdicts(rule: SliceRule, *world: Any) -> dict[str, Verdict]:
    return {one.check: one.verdict for one in judge_slices(rule, *world)}


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "f1", "roc_auc"])
def test_a_slice_that_is_worse_than_before_or_than_the_rest_is_found_by_name(metric: str):
    groups, labels, ours, before = world(1, sick="c")
    rule = SliceRule(["carrier"], metric)
    for theirs in (before, None):
        found = verdicts(rule, groups, labels, ours, theirs)
        assert found[f"{metric}[carrier=c]"] is Verdict.FAIL
        others = {verdict for name, verdict in found.items() if "=c]" not in name}
        assert others == {Verdict.PASS}


def test_slices_alike_rarely_alarm_however_many_there_are():
    rng = np.random.default_rng(5)
    alarms = 0
    for seed in range(60):
        groups, labels, ours, _ = world(seed, 4000)
        groups["shop"] = rng.integers(0, 20, 4000).tolist()
        found = verdicts(SliceRule(["carrier", "shop"], "brier"), groups, labels, ours)
        alarms += Verdict.FAIL in found.values()
    assert alarms <= 6


def test_each_slice_has_its_own_estimate_interval_and_rows():
    groups, labels, ours, _ = world(2)
    one = judge_slices(SliceRule(["carrier"], "accuracy"), groups, labels, ours)[0]
    assert one.value is not None
    assert one.details["low"] < one.value < one.details["high"]
    assert one.samples == groups["carrier"].count(one.check[-2])
    assert not one.critical


def test_a_small_slice_is_inconclusive_and_the_rest_beyond_the_largest_are_one():
    rows = 2000
    groups = {"city": [f"c{number % 70}" if number % 4 else "big" for number in range(rows)]}
    labels, ours = [number % 2 for number in range(rows)], [0.5] * rows
    found = judge_slices(SliceRule(["city"], "brier", min_samples=100, most=50), groups, labels, ours)
    assert len(found) == 51
    assert {one.check: one.verdict for one in found}["brier[city=c1]"] is Verdict.INCONCLUSIVE
    assert {one.check: one.samples for one in found}["brier[city=(other)]"] > 100
    assert sum(one.samples for one in found) == rows


def test_any_value_makes_a_name():
    values = [None, float("nan"), 3.0, 3, "x" * 500, "\ud800", True] * 20
    labels, ours = [0, 1] * 70, [0.4] * 140
    names = [one.check for one in judge_slices(SliceRule(["v"], "brier", min_samples=1), {"v": values}, labels, ours)]
    assert "brier[v=(missing)]" in names
    assert "brier[v=3]" in names
    assert all(len(name) < 100 and name.encode() for name in names)


def test_what_cannot_be_sliced_is_no_data():
    rule = SliceRule(["carrier"], "log_loss")
    (absent,) = judge_slices(rule, {}, [0, 1], [0.5, 0.5])
    assert absent.verdict is Verdict.NO_DATA
    assert "no column carrier" in absent.reason
    assert judge_slices(rule, {"carrier": []}, [], [])[0].verdict is Verdict.NO_DATA
    assert judge_slices(rule, {"carrier": ["a", "a"]}, [0, 1], [0.5, float("nan")])[0].verdict is Verdict.NO_DATA
    only = judge_slices(SliceRule(["carrier"], "brier"), {"carrier": ["a"] * 200}, [0, 1] * 100, [0.5] * 200)
    assert only[0].verdict is Verdict.INCONCLUSIVE  # all rows are of it


@pytest.mark.parametrize("wrong", [{"columns": "carrier"}, {"columns": []}, {"tolerance": -1}, {"most": 0}])
def test_a_rule_that_makes_no_slices_is_refused(wrong: dict[str, Any]):
    with pytest.raises(Invalid):
        SliceRule(**{"columns": ["carrier"], **wrong})
