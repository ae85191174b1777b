from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.operators.data import as_columns, batches, input_columns, read_table, scores, split_labels

TABLE = pd.DataFrame({"x": [1.5, None, 2.0], "carrier": ["UA", None, "AA"], "late": [0, 1, 0]})


def test_parquet_and_csv_are_read_alike(tmp_path):
    TABLE.to_parquet(tmp_path / "t.parquet")
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(read_table(str(tmp_path / "t.parquet")), TABLE, check_dtype=False)
    pd.testing.assert_frame_equal(read_table(str(tmp_path / "t.csv")), TABLE, check_dtype=False)


@pytest.mark.parametrize(("name", "content", "text"), [
    ("t.xlsx", b"", "no table"), ("gone.parquet", None, "cannot be read"), ("t.parquet", b"PAR1 cut", "cannot be read"),
    ("t.csv", b"", "cannot be read"),
])  # fmt: skip
def test_what_is_no_table_is_one_clear_error(tmp_path, name, content, text):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=text):
        read_table(str(tmp_path / name))


def test_rows_without_a_label_and_missing_columns_are_refused():
    with pytest.raises(Invalid, match="no column delay"):
        split_labels(TABLE, "delay", "t")
    with pytest.raises(Invalid, match="rows without carrier"):
        split_labels(TABLE, "carrier", "t")
    with pytest.raises(Invalid, match="no rows"):
        split_labels(TABLE.head(0), "late", "t")


def test_a_model_gets_the_columns_its_signature_names_in_that_order():
    signature = {"inputs": [{"name": "carrier", "type": "string"}, {"name": "x", "type": "double"}]}
    assert input_columns(signature, TABLE) == ["carrier", "x"]
    assert input_columns(None, TABLE) == ["x", "carrier", "late"]
    with pytest.raises(Invalid, match="wind"):
        input_columns({"inputs": [{"name": "wind"}]}, TABLE)


def test_what_is_missing_goes_over_the_wire_as_null():
    assert as_columns(TABLE) == {"x": [1.5, None, 2.0], "carrier": ["UA", None, "AA"], "late": [0, 1, 0]}


@pytest.mark.parametrize("outputs", [
    [0.2, 0.9], [[0.8, 0.2], [0.1, 0.9]], [[0.2], [0.9]], {"output-0": [[0.8, 0.2], [0.1, 0.9]]},
    {"no": [0.8, 0.1], "yes": [0.2, 0.9]}, np.array([0.2, 0.9]), pd.DataFrame({"p": [0.2, 0.9]}),
])  # fmt: skip
def test_one_score_is_taken_from_each_row_of_any_usual_output(outputs):
    assert scores(outputs) == pytest.approx([0.2, 0.9])


def test_outputs_of_another_shape_say_what_to_save_instead():
    with pytest.raises(Invalid, match="predict_proba"):
        scores([[0.1, 0.2, 0.7]])


def test_batches_are_spread_evenly_over_the_table_and_bounded():
    table = pd.DataFrame({"x": range(1000)})
    parts = batches(table, 30, 100)
    rows = [x for part in parts for x in part["x"]]
    assert rows == list(range(0, 1000, 10))
    assert [len(part) for part in parts] == [30, 30, 30, 10]
    assert sum(len(part) for part in batches(table, 300, 5000)) == 1000
