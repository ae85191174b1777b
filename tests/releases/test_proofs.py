from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from model_lifecycle.core.errors import Invalid, NotFound, Rejected, Unavailable
from model_lifecycle.core.examples import OUTPUT_FILE, output_example
from model_lifecycle.hooks.serving import Answer
from model_lifecycle.releases.proofs import PROOFS, Prover

FILES = {"input_example.json": json.dumps({"columns": ["x"], "data": [[1.0], [2.0]]}).encode()}


class Files:
    """A double of a store that holds these files in every artifact."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read_file(self, artifact_uri: str, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(f"no {path}")
        return self.files[path]


class Answers:
    """A double of a serving system that gives these answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers, self.asked = list(answers), []

    def predict(self, model: str, inputs: Any, version: int | None = None) -> Answer:
        self.asked.append((dict(inputs), version))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


GOOD = Answer(2, {"y": [1.5, 2.5]})


def prover(*answers: Answer | Exception, files: Mapping[str, bytes] = FILES, inputs: Any = None) -> Prover:
    return Prover("churn", Answers(*answers), Files(files), "memory:///{}".format, inputs)  # type: ignore[arg-type]


def smoke(asked: Prover, tolerance: float = 1e-3) -> str | None:
    return asked.fault(2, 2, (Rejected,), tolerance)


def test_a_version_is_asked_with_the_example_that_it_came_with():
    asked = prover(GOOD)
    assert smoke(asked) is None
    assert asked.serving.asked == [({"x": [1.0, 2.0]}, 2)]


def test_rows_that_the_task_brings_are_asked_instead():
    asked = prover(Answer(2, {"y": [1.0]}), files={}, inputs={"x": [7.0]})
    assert smoke(asked) is None
    assert asked.serving.asked == [({"x": [7.0]}, 2)]


def test_without_any_rows_to_ask_with_the_error_says_where_they_come_from():
    with pytest.raises(NotFound, match="no input example.*save the model with an input example, or pass inputs="):
        smoke(prover(GOOD, files={}))


@pytest.mark.parametrize(
    ("recorded", "fault"),
    [
        ({"y": [1.5, 2.5]}, None),
        ({"other name": [1.5, 2.5]}, None),
        ({"y": [1.5005, 2.5]}, None),
        ({"y": [1.6, 2.5]}, "output y is 1.5 at place 0, and was 1.6 when the version was trained"),
        ({"y": [1.5]}, "output y is 2.5 at place 1, and was None when the version was trained"),
        ({"y": [1.5, 2.5], "z": [1]}, "output z is None at place 0, and was 1 when the version was trained"),
    ],
)
def test_the_answer_is_compared_with_the_one_that_was_recorded(recorded, fault):
    assert smoke(prover(GOOD, files={**FILES, OUTPUT_FILE: output_example(recorded)})) == fault


def test_how_far_an_answer_may_be_off_can_be_said():
    files = {**FILES, OUTPUT_FILE: output_example({"y": [1.6, 2.5]})}
    assert smoke(prover(GOOD, files=files), tolerance=0.1) is None


def test_rows_that_the_task_brings_have_no_recorded_answer():
    files = {**FILES, OUTPUT_FILE: output_example({"y": [9.0, 9.0]})}
    assert smoke(prover(GOOD, files=files, inputs={"x": [1.0, 2.0]})) is None


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(1, {"y": [1.0, 2.0]}), "version 1 answered"),
        (Answer(None, {"y": [1.0, 2.0]}), None),
        (Answer(2, {}), "the answer has no outputs"),
        (Answer(2, {"y": [1.0]}), "output y has 1 rows for 2 asked"),
        (Answer(2, {"y": [1.0, float("nan")]}), "output y holds a value that is no number"),
        (Invalid("column x is missing"), "column x is missing"),
    ],
)
def test_an_answer_that_no_caller_could_use_is_a_fault(answer, fault):
    assert smoke(prover(answer)) == fault


def test_before_traffic_moved_a_server_that_is_away_is_no_fault_of_the_version():
    with pytest.raises(Unavailable):
        smoke(prover(Unavailable("no answer")))


def test_after_it_every_one_of_the_proofs_must_be_right():
    assert prover(GOOD).unproven(2) is None
    asked = prover(*[GOOD] * (PROOFS - 1), Unavailable("no answer"))
    assert asked.unproven(2) == "no answer"
    assert [version for _, version in asked.serving.asked] == [None] * PROOFS
