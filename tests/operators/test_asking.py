"""Asking request by request, on a double of a server that fails when it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from model_lifecycle.core.errors import Invalid
from model_lifecycle.operators.asking import Answers

ROWS = pd.DataFrame({"x": [1.0, 2.0, 3.0], "shop": ["a", "b", "c"], "label": [0, 1, 0]})


class ServerDouble:
    def __init__(self, fails: int | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails = fails

    def predict(self, model: str, inputs: dict[str, Any], version: int | None = None) -> Any:
        self.asked.append(inputs)
        if self.fails is not None and self.fails in (version, len(self.asked)):
            raise Invalid("the model failed")
        return SimpleNamespace(outputs={"output": [2 * x for x in inputs["x"]]})


def answers(server: ServerDouble) -> Answers:
    found = Answers(server, "churn", ["label", "shop"])  # type: ignore[arg-type]
    for start in range(3):
        found.ask(ROWS.iloc[start : start + 1])
    return found


def test_what_is_kept_aside_is_not_sent():
    server = ServerDouble()
    found = answers(server)
    assert server.asked == [{"x": [1.0]}, {"x": [2.0]}, {"x": [3.0]}]
    assert (found.predictions, found.table["shop"].tolist()) == ([2.0, 4.0, 6.0], ["a", "b", "c"])


def test_a_request_that_failed_is_counted_and_its_rows_are_left_out():
    found = answers(ServerDouble(fails=2))
    assert (found.requests, len(found.errors), found.table["label"].tolist()) == (3, 1, [0, 0])


def test_another_version_is_asked_about_the_same_rows_and_may_fail():
    found = answers(ServerDouble())
    assert found.again(7, 2) == [2.0, 4.0, 6.0]
    assert answers(ServerDouble(fails=9)).again(9, 2) is None
    assert Answers(ServerDouble(), "churn", []).again(7, 2) is None  # type: ignore[arg-type]
