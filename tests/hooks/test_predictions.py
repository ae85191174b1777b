"""Files of the prediction log as tables: whose answers count, of which time, and what an answer is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.prediction_log import FIXED
from model_lifecycle.core.profile import profile
from model_lifecycle.hooks.predictions import ALL, Only, Predictions, open_rows
from model_lifecycle.hooks.profiles import profile_data, profile_reference

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROWS = 10


def log(folder: Path, versions: list[int] | None = None, **columns: Any) -> str:
    """A file of the log, a row a minute, in row groups of four."""
    given = {
        "request_id": [str(number) for number in range(ROWS)],
        "row": pa.array([0] * ROWS, pa.int32()),
        "at": pa.array([START + number * MINUTE for number in range(ROWS)], pa.timestamp("us", "UTC")),
        "version": pa.array(versions or [1] * ROWS, pa.int64()),
        "model": ["churn"] * ROWS,
        "input.x": [float(number) for number in range(ROWS)],
        "input.city": ["Bonn", "Rome"] * (ROWS // 2),
        "output.score": [number / ROWS for number in range(ROWS)],
        **columns,
    }
    assert FIXED.keys() < given.keys()
    pq.write_table(pa.table(given), folder / "a.parquet", row_group_size=4)
    return str(folder / "a.parquet")


def read(uri: str, only: Only = ALL) -> dict[str, list[Any]]:
    with open_rows(uri, only) as table:
        parts = list(table.parts())
        found = {name: [value for part in parts for value in part[name].to_pylist()] for name in table.names}
        assert {len(values) for values in found.values()} == {sum(part.num_rows for part in parts)}
    return found


def test_inputs_have_their_own_names_and_the_answer_is_the_prediction(tmp_path: Path) -> None:
    found = read(log(tmp_path, extra=[1] * ROWS))
    assert list(found) == ["x", "city", "prediction"]
    assert found["x"][:2] == [0.0, 1.0]
    assert found["city"][:2] == ["Bonn", "Rome"]
    assert found["prediction"][:2] == [0.0, 0.1]


def test_only_the_answers_of_a_version_and_of_a_time_count(tmp_path: Path) -> None:
    uri = log(tmp_path, [1, 2] * (ROWS // 2))
    assert read(uri, Only(2))["x"] == [1, 3, 5, 7, 9]
    assert read(uri, Only(between=(START + 2 * MINUTE, START + 6 * MINUTE)))["x"] == [2, 3, 4, 5]
    assert read(uri, Only(2, (START + 2 * MINUTE, START + 6 * MINUTE)))["prediction"] == [0.3, 0.5]
    assert read(uri, Only(3)) == {"x": [], "city": [], "prediction": []}


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ({"output.score": [[0.75, 0.25]] * ROWS}, 0.25),
        ({"output.score": [[0.75]] * ROWS}, 0.75),
        ({"output.score": ["late"] * ROWS}, "late"),
        ({"output.score": [0.75] * ROWS, "output.yes": [0.25] * ROWS}, 0.25),
        ({"output.score": [0.75] * ROWS, "output.old": pa.nulls(ROWS, pa.float64())}, 0.75),
        ({"output.score": pa.nulls(ROWS, pa.list_(pa.float64()))}, None),
        ({"output.score": pa.array([[0.75, 0.25]] * ROWS, pa.list_(pa.float64(), 2))}, 0.25),
    ],
)
def test_an_answer_is_one_value_or_the_second_of_two_probabilities(tmp_path: Path, outputs: Any, wanted: Any) -> None:
    assert read(log(tmp_path, **outputs))["prediction"] == [wanted] * ROWS


@pytest.mark.parametrize(
    "outputs",
    [
        {"output.score": [[0.1, 0.2, 0.7]] * ROWS},
        {"output.score": [[0.1], [0.2, 0.8]] * (ROWS // 2)},
        {"output.score": [[0.1, 0.9]] * ROWS, "output.more": [1] * ROWS},
        {f"output.{name}": [1.0] * ROWS for name in ("score", "b", "c")},
    ],
)
def test_a_model_with_many_answers_for_a_row_is_refused_with_the_file(tmp_path: Path, outputs: Any) -> None:
    with pytest.raises(Invalid, match=r"a.parquet: the model answers neither one value nor two"):
        read(log(tmp_path, **outputs))


def test_a_log_is_profiled_as_the_table_that_it_is_of(tmp_path: Path) -> None:
    uri = log(tmp_path, [1, 2] * (ROWS // 2))
    plain = {"x": [float(one) for one in range(ROWS)], "city": ["Bonn", "Rome"] * (ROWS // 2)}
    base = profile({**plain, "prediction": [number / ROWS for number in range(ROWS)]})
    assert profile_data([uri], base) == base == profile_reference([uri])
    assert profile_data([uri], base, Only(2)).columns["x"].rows == ROWS // 2
    assert profile_data([uri], base, Only(9)).rows == 0


def test_a_table_that_is_no_log_is_read_whole_under_its_own_names(tmp_path: Path) -> None:
    pq.write_table(pa.table({"input.x": [1.0], "version": [3]}), tmp_path / "b.parquet")
    with open_rows(str(tmp_path / "b.parquet"), Only(2)) as table:
        assert not isinstance(table, Predictions)
        assert table.names == ["input.x", "version"]
