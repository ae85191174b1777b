"""Columns and pictures, known by how they begin and end, and the one type of column that was unpickled."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from model_lifecycle.stores.formats import tables
from tests.trust.look import refusal


def written(name: str | None = None, prefix: str = "", *, parquet: bool) -> bytes:
    metadata = {f"{prefix}x": "1", "ARROW:extension:name": name} if name else None
    schema = pa.schema([pa.field("x", pa.int64(), metadata=metadata)])
    table, buffer = pa.table([pa.array([1, 2])], schema=schema), io.BytesIO()
    if parquet:
        pa.parquet.write_table(table, buffer)
    else:
        pa.feather.write_feather(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("parquet", [True, False])
def test_tables_pass(parquet):
    assert refusal(written(parquet=parquet)) is None
    word = "parquet" if parquet else "arrow"
    assert f"formats {word}" in str(refusal(written(parquet=parquet), words={"formats": ["text"], "exact": True}))


@pytest.mark.parametrize("parquet", [True, False])
@pytest.mark.parametrize("prefix", ["", "a", "aa", "aaa"])
def test_a_column_that_was_unpickled_is_found_wherever_its_name_stands(parquet, prefix):
    data = written("arrow.py_extension_type", prefix, parquet=parquet)
    assert "Python type" in str(refusal(data, words="pickle, code, unknown"))


@pytest.mark.parametrize(
    "data",
    [b"PAR1" + b"\0" * 20,
     b"PAR1" + b"\0" * 8 + b"\xff\xff\xff\xffPAR1", b"ARROW1\0\0" + b"\0" * 20, b"FEA1" + b"\0" * 20,
     b"CBM1\xff\xff\xff\xff" + b"\0" * 20, b"CBM1"],
)  # fmt: skip
def test_half_a_file_is_none(data):
    assert refusal(data + b"\0") is not None


def test_a_footer_has_a_bound(monkeypatch):
    monkeypatch.setattr(tables, "MAX_FOOTER", 10)
    assert "footer" in str(refusal(written(parquet=True)))


def test_pictures_pass_and_what_hides_behind_them_does_not():
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
    assert refusal(picture) is None
    assert refusal(b"\xff\xd8\xff\xe0" + b"\0" * 50) is None
    from tests.trust import raw
    from tests.trust.malicious import call

    assert refusal(picture + raw.zipped({"a.pkl": call("true")})) is not None
