from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.checks import Limit, Measurement, Verdict
from model_lifecycle.core.drift import PREDICTION, compare
from model_lifecycle.core.drift_report import LARGE, MAX_NAME, OTHERS, SMALL_BARS, drift_report
from model_lifecycle.core.profile import Profile, profile
from tests.core.reports import HOSTILE, report_of, table, valid, wide


def test_the_report_says_what_drifted_how_much_and_why():
    report = report_of(table(2000), table(900, shift=1.0, seed=8), units={"n0": "°F"})
    assert (report["drifted"], report["compared"], len(report["columns"])) == (1, 8, 8)
    first = report["columns"][0]
    assert (first["name"], first["finding"], first["unit"]) == ("n0", "DRIFTED", "°F")
    assert first["effect"] == max(first["js"], first["ks"], first["new"])
    assert first["reference"]["median"] == pytest.approx(0, abs=0.1)
    assert first["current"]["median"] == pytest.approx(1, abs=0.15)
    assert report["about"]["window"] == "2013-12"
    assert "1 of 7 features drifted" in report["measurements"][0]["reason"]


def test_the_verdict_is_that_of_all_measurements():
    sick = Measurement("health", Verdict.FAIL, 0.5, 100, "50 of 100 requests failed")
    report = report_of(table(1000), table(1000, seed=9), [sick])
    assert (report["verdict"], report["reason"]) == ("FAIL", "50 of 100 requests failed")
    assert report["drifted"] == 0


def test_what_only_went_missing_ranks_by_how_much():
    before, after = table(2000), table(2000, seed=9)
    after["n3"] = after["n3"].copy()
    after["n3"][:600] = np.nan
    first = report_of(before, after)["columns"][0]
    assert (first["name"], first["finding"]) == ("n3", "DRIFTED")
    assert first["effect"] >= 0.3 == first["missing"]


def test_where_no_check_decides_the_reason_tells_what_they_found():
    found = [Measurement("feature_drift", Verdict.FAIL, 0.5, 900, "3 of 6 features drifted", critical=False)]
    report = valid(drift_report(Profile(), Profile(), [], found))
    assert (report["verdict"], report["reason"]) == ("NO_DATA", "no check decides; 3 of 6 features drifted")


def test_the_prediction_is_marked():
    report = report_of(table(1000), table(1000, seed=9))
    assert [column["name"] for column in report["columns"] if column["prediction"]] == [PREDICTION]


def test_without_rows_there_is_a_report_all_the_same():
    empty = {name: values[:0] for name, values in table(1000).items()}
    report = report_of(table(1000), empty)
    assert (report["verdict"], report["compared"], report["drifted"]) == ("NO_DATA", 0, 0)


def test_without_anything_there_is_a_report_all_the_same():
    report = valid(drift_report(Profile(), Profile(), [], []))
    assert (report["verdict"], report["reason"], report["columns"]) == ("NO_DATA", "nothing was measured", [])


def test_what_is_plainly_broken_comes_first():
    before, after = table(1000), table(1000, shift=0.8, seed=9)
    del after["n1"]
    after |= {"n2": [None] * 1000, "n3": ["text"] * 1000}
    report = report_of(before, after)
    assert [column["finding"] for column in report["columns"][:4]] == [
        "VANISHED",
        "ALL_NULL",
        "TYPE_CHANGED",
        "DRIFTED",
    ]
    assert [column["effect"] for column in report["columns"][:3]] == [1, 1, 1]
    assert report["columns"][2]["current"]["mismatched"] == 1


def test_every_drifted_column_has_bars_the_least_changed_fewer_and_some_of_the_others_too():
    report = wide()
    bars = [len(column.get("histogram", {}).get("reference", [])) for column in report["columns"]]
    assert report["drifted"] == 300
    assert min(bars[:300]) >= 10
    assert max(bars[LARGE:300]) <= SMALL_BARS
    assert sum(map(bool, bars[300:])) == OTHERS


def test_intervals_limits_and_estimates_come_along():
    quality = Limit("accuracy", minimum=0.8).judge(0.83, 5000, low=0.82, high=0.84, minimum=0.8)
    guess = Measurement(
        "roc_auc",
        Verdict.PASS,
        0.7,
        500,
        "about 0.7",
        False,
        {"estimated": True, "assumption": "calibrated", "low": 0.6},
    )
    slower = Measurement("mae[a=b]", Verdict.FAIL, 0.7, 50, "", False, {"low": 0.01, "high": 0.02, "min_coverage": 0.8})
    rival = Measurement(
        "log_loss", Verdict.PASS, 0.4, 50, "", True, {"low": -1, "candidate": {"low": 0.3, "high": 0.5}}
    )
    found = {
        one["check"]: one for one in report_of(table(600), table(600), [quality, guess, slower, rival])["measurements"]
    }
    assert found["accuracy"] | {"low": 0.82, "high": 0.84, "minimum": 0.8, "estimated": False} == found["accuracy"]
    assert found["roc_auc"] | {"estimated": True, "assumption": "calibrated", "critical": False} == found["roc_auc"]
    assert found["mae[a=b]"].keys().isdisjoint({"low", "high"}), "an interval of a difference is not that of the value"
    assert found["mae[a=b]"]["minimum"] == 0.8
    assert (found["log_loss"]["low"], found["log_loss"]["high"]) == (0.3, 0.5)


def test_numbers_that_json_has_not_are_left_out():
    wild = Measurement(
        "x", Verdict.FAIL, None, 1, "", True, {"low": float("nan"), "high": float("inf"), "minimum": True}
    )
    found = report_of(table(600), table(600), [wild])["measurements"][-1]
    assert found.keys().isdisjoint({"low", "high", "minimum"})


def test_hostile_names_and_values_are_bounded():
    before = {name[:MAX_NAME]: [*HOSTILE * 50] for name in HOSTILE}
    report = report_of(before, {name: values[:60] for name, values in before.items()}, window=HOSTILE[3])
    assert max(len(column["name"]) for column in report["columns"]) <= MAX_NAME
    assert len(report["about"]["window"]) <= 2000


def test_a_column_that_only_the_comparison_knows_is_shown_without_bars():
    reference = profile({"x": np.arange(1000.0)})
    drifts = compare(reference, profile({}, edges_from=reference))
    report = valid(drift_report(Profile(), Profile(), drifts, []))
    assert report["columns"][0]["type"] == "empty"


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.sampled_from(["f", "i", "s", "b", "n"]), max_size=5),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_whatever_the_columns_are_the_report_is_what_the_schema_says(kinds, rows, others):
    values = {"f": 0.5, "i": 3, "s": "\udc80", "b": True, "n": None}
    before = {name: [values[kind]] * rows for name, kind in kinds.items()}
    after = {name: [values[kind]] * others for name, kind in kinds.items()}
    report_of(before, after)
