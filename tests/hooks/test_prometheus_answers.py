from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.prometheus_answers import Result, Series, differing, number, points, read_result

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def answer(kind: str, result: Any) -> Any:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


@given(JSON | st.builds(answer, st.sampled_from(["scalar", "vector", "matrix", "string"]), JSON))
def test_whatever_is_answered_is_a_result_or_one_clear_error(value):
    try:
        found = number(read_result(value, "p at http://p"))
    except Invalid:
        return
    assert found is None or math.isfinite(found)


@given(st.floats())
def test_a_number_is_finite_or_no_data(value):
    text = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))
    found = number(read_result(answer("vector", [{"metric": {}, "value": [1.5, text]}]), "p"))
    assert found == (value if math.isfinite(value) else None)


def test_points_keep_their_moments_and_lose_what_is_no_number():
    values = [[0, "1"], [15.5, "NaN"], [31, "+Inf"], [46.5, "-2e3"]]
    found = points(read_result(answer("matrix", [{"metric": {"a": "b"}, "values": values}]), "p"))
    assert found == [(datetime(1970, 1, 1, tzinfo=UTC), 1.0), (datetime(1970, 1, 1, 0, 0, 46, 500_000, UTC), -2000.0)]


def test_a_native_histogram_is_told_from_a_number():
    one = {"metric": {}, "histogram": [1, {"count": "3", "sum": "1", "buckets": []}]}
    with pytest.raises(Invalid, match=r"gives a native histogram -> write histogram_quantile"):
        number(read_result(answer("vector", [one]), "p"))


def test_labels_that_differ_are_named_on_one_line_and_not_without_end():
    series = [Series({"pod": f"p\n{number}", "model": "churn", "x" * 200: str(number)}, []) for number in range(5)]
    text = differing(series)
    assert "pod (p 0, p 1, p 2, ...)" in text
    assert "model" not in text
    assert "\n" not in text
    assert len(text) < 200


def test_series_without_any_label_that_differs_are_still_several():
    with pytest.raises(Invalid, match="has 2 series"):
        number(Result("vector", [Series({}, [(0, 1)]), Series({}, [(0, 1)])]))


def test_an_answer_survives_json():
    text = json.dumps(answer("scalar", [1, "2"]))
    assert number(read_result(json.loads(text), "p")) == 2.0
