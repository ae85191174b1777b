from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Conflict
from model_lifecycle.notifications.texts import event_of

RELEASE = {"release": "4-abc", "endpoint": "scorer/churn", "change": "deploy", "state": "SUCCEEDED", "version": 3,
           "serving_version": 3, "reason": "weekly retrain", "abandons": None}  # fmt: skip


@pytest.mark.parametrize(
    ("result", "kind", "title"),
    [
        (RELEASE, "release", "version 3 serves on scorer/churn"),
        ({**RELEASE, "change": "promote"}, "promotion", "version 3 is the champion of scorer/churn"),
        ({**RELEASE, "change": "rollback", "state": "ROLLED_BACK", "serving_version": 2, "abandons": 3}, "rollback",
         "rolled back to version 2 on scorer/churn"),
        ({**RELEASE, "state": "ROLLED_BACK", "serving_version": 2}, "rollback",
         "rolled back to version 2 on scorer/churn"),
        ({**RELEASE, "state": "REJECTED"}, "release", "release of version 3 on scorer/churn is REJECTED"),
        ({"verdict": "FAIL", "endpoint": "scorer/churn"}, "verdict", "verdict on scorer/churn: FAIL"),
        ({"verdict": "FAIL", "drifted": ["age"], "endpoint": "s/m"}, "drift", "drift of s/m: FAIL"),
        ({"chosen_options": ["Approve"], "responded_by_user": {"id": "1", "name": "alice"}}, "approval",
         "alice has answered: Approve"),
        ({"chosen_options": ["Reject"], "responded_by_user": None}, "approval",
         "nobody has answered in time: Reject"),
        ("models:/churn/3", "done", "models:/churn/3"),
        (None, "done", "done"),
    ],
)  # fmt: skip
def test_a_result_has_its_title(result, kind, title):
    event = event_of(result)
    assert (event.kind, event.title) == (kind, title)


def test_a_release_tells_why_and_what_was_left():
    event = event_of({**RELEASE, "change": "rollback", "state": "ROLLED_BACK", "serving_version": 2, "abandons": 3})
    assert event.lines == ("left: version 3", "why: weekly retrain", "release 4-abc, ROLLED_BACK")


def test_a_verdict_tells_what_did_not_pass():
    answers = [{"name": f"c{n}", "verdict": "FAIL", "reason": "too slow"} for n in range(7)]
    lines = event_of({"verdict": "FAIL", "reason": "slow", "measurements": [*answers, {"verdict": "PASS"}]}).lines
    assert lines[0] == "why: slow"
    assert lines[1] == "c0: FAIL too slow"
    assert lines[-1] == "and 2 more"


def test_drift_names_its_columns():
    lines = event_of({"verdict": "FAIL", "drifted": ["a", "b", "c", "d", "e", "f"]}).lines
    assert lines == ("drifted: a, b, c, d, e ...",)


def test_a_failure_and_a_question_are_told():
    failed = event_of(None, Conflict("somebody was first", target="s/m", hint="look"))
    assert (failed.kind, failed.title) == ("failure", "somebody was first [target s/m] -> look")
    assert event_of(None, question="Promote churn 3?").title == "approval is asked for: Promote churn 3?"


def test_others_words_are_escaped_and_stay_on_one_line():
    event = event_of({**RELEASE, "reason": "<script>alert(1)</script>\n\x1b[31mred" + "x" * 1000})
    assert "<script>" not in event.html
    assert "&lt;script&gt;" in event.html
    assert all(line.isprintable() and len(line) <= 500 for line in event.lines)
