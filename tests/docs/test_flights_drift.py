"""What docs/flights-drift.md says is what the flights say today."""

from __future__ import annotations

import pytest
from flights.data import TARGET

from model_lifecycle.core.checks import Verdict
from tests.docs.flights_drift import PAGE, Month, drifted, look, verdict, written


@pytest.fixture(scope="module")
def months() -> list[Month]:
    return look()


def test_the_table_is_the_one_that_the_flights_give(months: list[Month]) -> None:
    assert written(PAGE.read_text(), months) == PAGE.read_text()


def test_september_was_calm_and_december_late(months: list[Month]) -> None:
    late = [month.late for month in months]
    assert (late.index(min(late)) + 1, late.index(max(late)) + 1) == (9, 12)
    found = {
        month.number for month in months if any(one.name == TARGET and one.finding.alarms for one in month.trained)
    }
    assert found == {9}


def test_the_sentences_about_features_hold(months: list[Month]) -> None:
    distances = {month.number: {one.name: max(one.js, one.ks or 0.0) for one in month.trained} for month in months}
    assert min(distances[7]["temp"], distances[8]["temp"]) > 0.99
    assert min(distances[month]["temp"] for month in range(7, 13)) == distances[12]["temp"]
    alarming = {month.number: {name.split()[0] for name in drifted(month.trained)} for month in months}
    assert not {"carrier", "origin", "sched_hour", "distance", "weekday"} & set().union(*alarming.values())
    assert [month for month in alarming if "dest" in alarming[month]] == list(range(5, 13))
    assert all("pressure" in " ".join(drifted(month.before)) for month in months[1:])
    assert [month.number for month in months if verdict(month.trained) is Verdict.FAIL] == list(range(3, 13))
    assert [month.number for month in months[1:] if verdict(month.before) is Verdict.PASS] == [8, 9, 10]
