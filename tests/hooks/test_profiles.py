"""Profiles of tables in files: every format, any split, and hostile columns."""

from __future__ import annotations

import datetime
import decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from model_lifecycle.core.drift import Finding, compare
from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.hooks.profiles import profile_data, profile_reference

ROWS = 4000


def table(seed: int = 1, rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({
        "x": rng.normal(size=rows), "day": rng.integers(0, 7, rows),
        "city": pa.array(["Bonn", "Köln", None]).take(pa.array(rng.integers(0, 3, rows))),
        "paid": rng.integers(0, 2, rows) > 0,
    })  # fmt: skip


def saved(folder: Path, name: str, data: pa.Table) -> str:
    path = folder / name
    if path.suffix == ".parquet":
        pq.write_table(data, path, row_group_size=700)
    else:
        {".csv": pc.write_csv, ".feather": feather.write_feather}[path.suffix](data, path)
    return str(path)


def columns(data: pa.Table) -> dict[str, Any]:
    return {name: data[name] for name in data.column_names}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather"])
def test_files_of_any_format_and_split_are_one_pass_over_all_rows(tmp_path: Path, suffix: str) -> None:
    data, base = table(), profile(columns(table(2)))
    whole = profile(columns(data), base)
    cuts = [0, 1000, 1000, 1001, ROWS]
    files = [saved(tmp_path, f"{low}-{high}{suffix}", data[low:high]) for low, high in pairwise(cuts)]
    assert profile_data(files, base).to_json() == whole.to_json()
    assert profile_data(files[::-1], base).to_json() == whole.to_json()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather"])
def test_a_reference_is_the_same_from_one_file_from_several_and_from_memory(tmp_path: Path, suffix: str) -> None:
    data = table()
    files = [saved(tmp_path, f"{low}{suffix}", data[low : low + 1500]) for low in range(0, ROWS, 1500)]
    expected = profile(columns(data)).to_json()
    assert profile_reference(files).to_json() == expected
    assert profile_reference([saved(tmp_path, f"all{suffix}", data)]).to_json() == expected
    assert list(profile_reference(files, lambda name: name in ("x", "city")).columns) == ["x", "city"]


def test_a_file_without_a_column_counts_it_as_missing(tmp_path: Path) -> None:
    files = [saved(tmp_path, "a.parquet", table()), saved(tmp_path, "b.parquet", table().drop_columns(["x"]))]
    assert profile_reference(files).columns["x"].null == ROWS
    assert profile_data(files, profile(columns(table()))).columns["x"].absent == ROWS


def test_no_files_and_files_without_rows_are_profiles_of_no_rows(tmp_path: Path) -> None:
    base = profile(columns(table()))
    empty = saved(tmp_path, "empty.parquet", table()[:0])
    assert profile_data([], base) == profile_data([empty], base)
    assert profile_data([], base).rows == 0
    with pytest.raises(Invalid, match="no files"):
        profile_reference([])


HOSTILE = {
    "vanished": None,
    "another type": pa.array([f"v{number}" for number in range(ROWS)]),
    "all null": pa.nulls(ROWS, pa.float64()),
    "null without a type": pa.nulls(ROWS),
    "dates": pa.array([datetime.date(2013, 1, 1)] * ROWS),
    "timestamps": pa.array([datetime.datetime(2013, 1, 1)] * ROWS),
    "nested": pa.array([{"a": 1.0}] * ROWS),
    "lists": pa.array([[1.0]] * ROWS),
    "10,000 categories": pa.array([f"v{number % 10_000}" for number in range(ROWS)]),
    "NaN": pa.array([float("nan")] * ROWS),
    "infinite": pa.array([float("inf")] * ROWS),
    "decimals": pa.array([decimal.Decimal("99.5")] * ROWS),
}
FOUND = {
    "vanished": Finding.VANISHED, "all null": Finding.ALL_NULL, "null without a type": Finding.ALL_NULL,
    "NaN": Finding.ALL_NULL, "infinite": Finding.DRIFTED, "decimals": Finding.DRIFTED,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_column_is_found_and_the_others_are_judged(tmp_path: Path, name: str) -> None:
    data, column = table(7).drop_columns(["x"]), HOSTILE[name]
    file = saved(tmp_path, "t.parquet", data if column is None else data.append_column("x", column))
    base = profile(columns(table()))
    found = {one.name: one.finding for one in compare(base, profile_data([file], base))}
    assert found["x"] is FOUND.get(name, Finding.TYPE_CHANGED)
    assert {found[other] for other in ("day", "city", "paid")} == {Finding.STABLE}


@pytest.mark.parametrize("name", ["dates", "timestamps", "nested", "lists"])
def test_a_reference_refuses_what_it_cannot_compare_by_name(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path, "t.parquet", table().append_column("odd", HOSTILE[name]))
    with pytest.raises(Invalid, match="column odd holds something else"):
        profile_reference([file])
    assert "odd" not in profile_reference([file], lambda one: one != "odd").columns


def test_ten_thousand_categories_have_a_small_profile(tmp_path: Path) -> None:
    data = pa.table({"c": pa.array([f"user-{number % 10_000}" for number in range(40_000)])})
    base = profile_reference([saved(tmp_path, "t.parquet", data)])
    assert len(base.columns["c"].labels) == 1000
    assert profile_data([saved(tmp_path, "u.parquet", data)], base) == base
    assert len(base.to_json()) < 50_000


def test_a_truncated_file_among_others_is_named(tmp_path: Path) -> None:
    good, bad = saved(tmp_path, "good.parquet", table()), Path(saved(tmp_path, "bad.parquet", table()))
    bad.write_bytes(bad.read_bytes()[:-100])
    with pytest.raises(Corrupt, match="bad.parquet cannot be read as Parquet"):
        profile_data([good, str(bad)], profile(columns(table())))


def test_a_profile_in_a_csv_keeps_text_that_looks_like_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("zip,x\n01067,1\n53111,oops\n")
    base = profile({"zip": ["01067"] * 9, "x": [1.0] * 9})
    seen = profile_data([str(tmp_path / "t.csv")], base)
    assert (seen.columns["zip"].counts, seen.columns["zip"].outside) == ((1,), 1)
    assert (seen.columns["x"].values, seen.columns["x"].mismatched) == (1, 1)
    assert isinstance(seen, Profile)
