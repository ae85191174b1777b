"""Tables part by part, and what is no table: one clear error that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from model_lifecycle.core.errors import Corrupt, Invalid, ModelLifecycleError, NotFound
from model_lifecycle.hooks.tables import open_table

TABLE = pa.table({"x": [1.5, None, 2.0, 4.0], "carrier": ["UA", None, "AA", "UA"], "a.b": [1, 2, 3, 4]})


def written(folder: Path, suffix: str) -> str:
    path = str(folder / f"t{suffix}")
    if suffix == ".parquet":
        pq.write_table(TABLE, path, row_group_size=3)
    elif suffix == ".csv":
        (folder / "t.csv").write_text('x,carrier,a.b\n1.5,UA,1\n,NA,2\n2.0,"AA",3\n4.0,UA,4\n')
    elif suffix == ".feather":
        feather.write_feather(TABLE, path, chunksize=3)
    else:
        with pa.ipc.new_file(path, TABLE.schema) as sink:
            sink.write_table(TABLE, max_chunksize=3)
    return path


def read(path: str, *names: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in names}
    with open_table(path) as table:
        for part in table.parts(names.__contains__):
            assert list(part) == [name for name in table.names if name in names]
            assert len(part) == len(names)
            for name in names:
                found[name] += part[name].to_pylist()
                assert part.num_rows == len(part[name])
    return found


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather", ".arrow", ".ipc"])
def test_every_format_gives_the_columns_that_are_wanted(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    found = read(path, "x", "carrier", "a.b")
    if suffix == ".csv":
        found = {"x": [one and float(one) for one in found["x"]], "carrier": found["carrier"],
                 "a.b": list(map(int, found["a.b"]))}  # fmt: skip
    assert found == TABLE.to_pydict()
    assert list(read(path, "a.b")) == ["a.b"]
    with open_table(path) as table:
        assert sum(part.num_rows for part in table.parts(lambda _: False)) == 4


def test_a_row_group_has_no_other_columns(tmp_path: Path) -> None:
    with open_table(written(tmp_path, ".parquet")) as table, pytest.raises(KeyError):
        next(iter(table.parts(lambda name: name == "x")))["carrier"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".arrow"])
def test_a_table_without_rows_has_its_columns(tmp_path: Path, suffix: str) -> None:
    path = str(tmp_path / f"t{suffix}")
    if suffix == ".csv":
        Path(path).write_text("x,carrier,a.b\n")
    elif suffix == ".arrow":
        with pa.ipc.new_file(path, TABLE.schema):
            pass
    else:
        pq.write_table(TABLE[:0], path)
    assert read(path, "x") == {"x": []}


WHOLE = {".parquet": b"PAR1", ".arrow": b"ARROW1"}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
@pytest.mark.parametrize("content", [b"", b"<html><body>504</body></html>", "cut", "holed"])
def test_what_is_no_table_or_not_whole_is_one_error_with_its_name(tmp_path: Path, suffix: str, content: Any) -> None:
    path = Path(written(tmp_path, suffix))
    data = path.read_bytes()
    if content == "holed":
        data = data[:20] + b"\xff" * (len(data) // 2 - 20) + data[len(data) // 2 :]
    path.write_bytes({"cut": data[: len(data) * 2 // 3], "holed": data}.get(content, content))
    with pytest.raises(Corrupt, match=str(path)) as caught:
        read(str(path), "x", "carrier")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(("text", "told"), [
    ("x,y\n1,2\n1,2,my secret\n", "row 3 has 3 columns instead of 2"),
    ("x,y\n1\n", "row 2 has 1 columns instead of 2"),
    ("", "Empty CSV"),
    ("x,y\n1,\udcff\n", "invalid UTF8"),
])  # fmt: skip
def test_a_csv_with_a_bad_row_says_which_and_not_what(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Corrupt, match=told) as caught:
        read(str(path), "x", "y")
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_bad_row_after_the_first_batch_is_found_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("x,y\n" + "1,some text that fills the batch\n" * 400_000 + "1,2,3\n")
    with pytest.raises(Corrupt, match="row 400002 has 3"):
        read(str(path), "x")


@pytest.mark.parametrize(("name", "kind"), [
    ("t.xlsx", Invalid), ("gone.parquet", NotFound), ("twice.parquet", Invalid), ("twice.csv", Invalid),
])  # fmt: skip
def test_other_names_and_double_columns_are_refused(tmp_path: Path, name: str, kind: type[ModelLifecycleError]) -> None:
    pq.write_table(pa.table([[1], [2]], ["x", "x"]), tmp_path / "twice.parquet")
    (tmp_path / "twice.csv").write_text("x,x\n1,2\n")
    with pytest.raises(kind, match=name):
        read(str(tmp_path / name), "x")
