"""Windows of the log as labels find them: late, twice, for nobody, and in files that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.prediction_log import FIXED, hour_folder
from model_lifecycle.operators.logged import Labels, LoggedPredictions

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)
ARROW = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), FIXED["at"]: pa.timestamp("us", "UTC")}


def write(root: Path, rows: list[dict[str, Any]], name: str = "a.parquet", **outputs: list[Any]) -> Path:
    """One file of the log, in the hour of its first row, as any server might write it."""
    columns: dict[str, Any] = {
        column: pa.array([row.get(column, 0 if column == "row" else "churn") for row in rows], ARROW[kind])
        for column, kind in FIXED.items()
    }
    columns |= {f"input.{key}": [row[key] for row in rows] for key in ("x", "city") if key in rows[0]}
    columns |= {f"output.{key}": values for key, values in outputs.items()}
    path = root / hour_folder("churn", rows[0]["at"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def rows(count: int, *, version: int = 1, first: int = 0, at: datetime = START) -> list[dict[str, Any]]:
    return [
        {"request_id": str(number), "version": version, "at": at, "x": float(number), "city": "Rome"}
        for number in range(first, first + count)
    ]


def log_of(root: Path, *inputs: str) -> LoggedPredictions:
    return LoggedPredictions(root.as_uri(), "churn", START, END, inputs)


def labels(tmp_path: Path, ending: str = "parquet", **columns: list[Any]) -> Labels:
    path = tmp_path / f"labels.{ending}"
    frame = pd.DataFrame(columns)
    frame.to_parquet(path) if ending == "parquet" else frame.to_csv(path, index=False)
    return Labels(str(path), "late", binary=True)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_labels_find_their_predictions_by_the_request_id(tmp_path: Path, ending: str):
    write(tmp_path, rows(4), output=[0.1, 0.2, 0.3, 0.4])
    given = labels(tmp_path, ending, request_id=[2, 0, 9], late=[1, 0, 1], other=[5, 5, 5])
    window = log_of(tmp_path, "x").window(1, None, given, END)
    assert (window.labels, window.predictions) == ([0, 1], [0.1, 0.3])
    assert window.features == {"x": [0.0, 2.0]}
    assert window.unlabelled == [0.2, 0.4]
    assert window.answered() == {"x": [0.0, 1.0, 2.0, 3.0], "prediction": [0.1, 0.2, 0.3, 0.4]}
    assert window.joined is not None
    assert (len(window.joined.labels), window.joined.without_prediction) == (4, 1)


def test_predictions_that_are_too_young_count_neither_for_coverage_nor_for_quality(tmp_path: Path):
    write(tmp_path, rows(2), output=[0.1, 0.2])
    write(tmp_path, rows(2, first=2, at=START + timedelta(hours=5)), output=[0.3, 0.4])
    given = labels(tmp_path, request_id=["0", "2"], late=[1, 1])
    window = log_of(tmp_path).window(1, None, given, START + timedelta(hours=1))
    assert window.joined is not None
    assert (window.labels, window.joined.labels) == ([1], [1, None])
    assert window.unlabelled == [0.2, 0.4]


def test_the_window_begins_with_its_start_and_ends_before_its_end(tmp_path: Path):
    for number, at in enumerate((START - timedelta(seconds=1), START, END - timedelta(microseconds=1), END)):
        write(tmp_path, rows(1, first=number, at=at), output=[0.5])
    assert log_of(tmp_path).columns["request_id"] == ["1", "2"]


def test_rows_of_one_request_are_told_apart_by_their_number(tmp_path: Path):
    asked = [{**row, "request_id": "a", "row": number} for number, row in enumerate(rows(3))]
    write(tmp_path, asked, output=[0.1, 0.2, 0.3])
    with_row = labels(tmp_path, request_id=["a", "a"], row=[2, 0], late=[1, 0])
    assert log_of(tmp_path).window(1, None, with_row, END).labels == [0, 1]
    without = log_of(tmp_path).window(1, None, labels(tmp_path, request_id=["a"], late=[1]), END)
    assert without.joined is not None
    assert (without.labels, without.joined.ambiguous) == ([], 3)


def test_labels_can_be_joined_on_inputs(tmp_path: Path):
    write(tmp_path, rows(3), output=[0.1, 0.2, 0.3])
    given = labels(tmp_path, x=[1, 2], city=["Rome", "Oslo"], late=[1, 0])
    joined = log_of(tmp_path, "x", "city").window(1, None, Labels(given.uri, "late", ["x", "city"]), END)
    assert (joined.labels, joined.predictions) == ([1], [0.2])
    with pytest.raises(Invalid, match="no column input.x to join on"):
        log_of(tmp_path).window(1, None, Labels(given.uri, "late", ["x"]), END)


def test_the_version_before_is_measured_over_the_same_time(tmp_path: Path):
    write(tmp_path, rows(2), output=[0.1, 0.2])
    write(tmp_path, rows(2, version=2, first=2), name="b.parquet", probability=[[0.7, 0.3], [0.6, 0.4]])
    window = log_of(tmp_path).window(2, 1, labels(tmp_path, request_id=list("0123"), late=[0, 1, 0, 1]), END)
    assert (window.labels, window.predictions) == ([0, 1], [0.3, 0.4])
    assert window.others == ([0, 1], [0.1, 0.2])


def test_unfinished_files_and_other_files_are_overlooked(tmp_path: Path):
    path = write(tmp_path, rows(1), output=[0.1])
    (path.parent / "_staging-entry-0123456789abcdef").write_bytes(b"half a file")
    (path.parent / "notes.txt").write_text("hours")
    assert log_of(tmp_path).columns["request_id"] == ["0"]


def test_where_nothing_was_logged_there_is_nothing(tmp_path: Path):
    window = log_of(tmp_path, "x").window(1, None, Labels(None, "late"), END)
    assert (window.labels, window.unlabelled, window.answered()) == ([], [], {})


def test_a_truncated_file_is_named(tmp_path: Path):
    path = write(tmp_path, rows(50), output=[0.1] * 50)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Corrupt, match=r"a.parquet cannot be read"):
        _ = log_of(tmp_path).columns


def test_a_table_that_is_no_log_is_named(tmp_path: Path):
    path = write(tmp_path, rows(1), output=[0.1])
    pd.DataFrame({"x": [1]}).to_parquet(path)
    with pytest.raises(Invalid, match="is no prediction log: the column request_id is missing"):
        _ = log_of(tmp_path).columns


def test_labels_without_the_key_or_the_target_name_what_they_have(tmp_path: Path):
    write(tmp_path, rows(1), output=[0.1])
    for given in ({"id": ["0"], "late": [1]}, {"request_id": ["0"], "delayed": [1]}):
        for ending in ("parquet", "csv"):
            with pytest.raises(Invalid, match="has no column"):
                log_of(tmp_path).window(1, None, labels(tmp_path, ending, **given), END)


def test_a_model_with_many_outputs_is_refused_and_classes_are_taken_as_they_are(tmp_path: Path):
    write(tmp_path, rows(2), output=[[0.1, 0.2, 0.7]] * 2)
    with pytest.raises(Invalid, match="answers 3 values"):
        _ = log_of(tmp_path).answers
    write(tmp_path, rows(2), output=["late", "early"])
    assert log_of(tmp_path).answers == ["late", "early"]


def test_a_folder_of_labels_is_read_whole(tmp_path: Path):
    write(tmp_path, rows(2), output=[0.1, 0.2])
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(2):
        pd.DataFrame({"request_id": [str(number)], "late": [number]}).to_parquet(folder / f"{number}.parquet")
    assert log_of(tmp_path).window(1, None, Labels(str(folder), "late"), END).labels == [0, 1]
