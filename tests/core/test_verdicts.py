from __future__ import annotations

import pytest

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.verdicts import verdict_report


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (True, "PASS"),
        (False, "FAIL"),
        ("PASS", "PASS"),
        (Verdict.INCONCLUSIVE, "INCONCLUSIVE"),
        (None, "NO_DATA"),
        ([], "NO_DATA"),
        ({"verdict": "FAIL", "reason": "worse"}, "FAIL"),
        (Measurement("auc", Verdict.PASS), "PASS"),
        ([Measurement("auc", Verdict.PASS), Measurement("size", Verdict.FAIL)], "FAIL"),
    ],
)
def test_every_answer_has_one_verdict(answer, verdict):
    assert verdict_report(answer, "gate")["verdict"] == verdict


@pytest.mark.parametrize("answer", ["yes", 1.0, {}, {"verdict": None}, [1], object()])
def test_what_is_no_verdict_is_an_error_and_never_a_pass(answer):
    with pytest.raises(Invalid):
        verdict_report(answer, "gate")
