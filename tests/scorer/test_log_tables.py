"""What answers look like in Parquet: of one type in all files, whatever clients and models call and send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.prediction_log import check_columns
from model_lifecycle.scorer.log_tables import SCHEMA_KEY, SHARE_KEY, Record, to_parquet
from model_lifecycle.scorer.protocol import Tensor

AT = datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)


def tensor(name: str, data: list[Any], datatype: str = "FP64", shape: tuple[int, ...] | None = None) -> Tensor:
    return Tensor(name, datatype, shape or (len(data),), data)


def record(**changes: Any) -> Record:
    given = {
        "model": "churn",
        "version": 3,
        "request_id": "a-1",
        "at": AT,
        "declared": (("x", "FP64"), ("city", "BYTES")),
        "inputs": (tensor("x", [1.0, 2.0]), tensor("city", ["Rome", None], "BYTES")),
        "outputs": (tensor("output", [0.25, 0.75]),),
    }
    return Record(**{**given, **changes})


def table(*records: Record) -> pa.Table:
    assert len({one.layout() for one in records}) == 1
    found = pq.read_table(BytesIO(to_parquet(records, records[0].layout(), 0.5)))
    check_columns({field.name: str(field.type) for field in found.schema}, "the file")
    return found


def test_a_row_of_a_request_is_a_row_of_the_file():
    found = table(record(), record(request_id="a-2", version=4)).to_pylist()
    assert [(row["request_id"], row["row"], row["version"]) for row in found] == [
        ("a-1", 0, 3), ("a-1", 1, 3), ("a-2", 0, 4), ("a-2", 1, 4),
    ]  # fmt: skip
    assert found[1] == {
        "request_id": "a-1", "row": 1, "at": AT, "version": 3, "model": "churn",
        "input.x": 2.0, "input.city": None, "output.output": 0.75,
    }  # fmt: skip


def test_the_file_says_what_it_is_and_which_share_it_holds():
    metadata = table(record()).schema.metadata
    assert (metadata[SCHEMA_KEY], metadata[SHARE_KEY]) == (b"1", b"0.5")


def test_types_are_those_that_the_model_declares_not_what_a_client_sent():
    whole = record(inputs=(tensor("x", [1, 2**60 + 1], "INT64"),))
    found = table(record(), whole)
    assert found.schema.field("input.x").type == pa.float64()
    assert found["input.x"].to_pylist()[2:] == [1.0, float(2**60 + 1)]
    assert found["input.city"].to_pylist()[2:] == [None, None]


@pytest.mark.parametrize(
    ("datatype", "data", "kind"),
    [
        ("BOOL", [True, None], pa.bool_()), ("INT8", [-1, 1], pa.int64()), ("UINT64", [0, 2**64 - 1], pa.uint64()),
        ("FP32", [0.5, 1], pa.float64()), ("BYTES", ["", "\x00"], pa.string()),
    ],
)  # fmt: skip
def test_every_datatype_has_one_type(datatype: str, data: list[Any], kind: pa.DataType):
    found = table(record(declared=(("x", datatype),), inputs=(tensor("x", data, datatype),)))["input.x"]
    assert (found.type, found.to_pylist()) == (kind, data)


def test_several_values_a_row_are_a_list_and_one_is_not():
    matrix = record(
        declared=(("input", "FP64"),),
        inputs=(tensor("any name", [1, 2, 3, 4, 5, 6], "FP64", (2, 3)),),
        outputs=(
            tensor("output", [0.1, 0.9, 0.4, 0.6], shape=(2, 2)),
            tensor("column", [7, 8], "INT64", (2, 1)),
        ),
    )
    found = table(matrix)
    assert found["input.input"].to_pylist() == [[1, 2, 3], [4, 5, 6]]
    assert found["output.output"].to_pylist() == [[0.1, 0.9], [0.4, 0.6]]
    assert found["output.column"].to_pylist() == [7, 8]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True))
def test_any_name_that_a_model_gives_its_columns_is_written_and_read_back(names: list[str]):
    inputs = tuple(tensor(name, [1.0]) for name in names)
    declared = tuple((name, "FP64") for name in names)
    one = record(declared=declared, inputs=inputs, outputs=tuple(tensor(name, [2.0]) for name in names))
    found = table(one)
    assert found.num_columns == 5 + 2 * len(names)
    assert [found[f"input.{name}"].to_pylist() for name in names] == [[1.0]] * len(names)


def test_a_name_that_is_not_unicode_is_escaped():
    found = table(record(outputs=(tensor("\ud800", [1.0, 2.0]),)))
    assert "output.\\ud800" in found.column_names


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"request_id": "\ud800"}, "not Unicode"),
        ({"request_id": ""}, "0 characters"),
        ({"outputs": (tensor("output", [1.0]),)}, "other rows than the inputs"),
        ({"outputs": (tensor("\ud800", [1.0, 2.0]), tensor("\\ud800", [1.0, 2.0]))}, "equal names"),
    ],
)
def test_what_is_no_row_is_refused(change: dict[str, Any], words: str):
    with pytest.raises(Invalid, match=words):
        record(**change).layout()


def test_a_value_that_arrow_refuses_is_one_clear_error():
    sick = replace(record(), outputs=(tensor("output", ["\ud800", "b"], "BYTES"),))
    with pytest.raises(Invalid, match="cannot be logged"):
        to_parquet([sick], sick.layout(), 1.0)
