"""The layout and schema that writers and readers of the prediction log share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.prediction_log import (
    FIXED,
    MAX_ID,
    check_columns,
    fault_of_id,
    faults,
    hour_folder,
    hour_folders,
    is_plain_id,
    is_sampled,
)

NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
GOOD = {**FIXED, "input.x": "double", "output.output": "double"}


def test_rows_lie_in_the_folder_of_their_hour_in_utc():
    assert hour_folder("churn", NOON) == "_predictions/churn/2026-03-01/12"
    east = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert hour_folder("churn", east) == "_predictions/churn/2026-02-28/22"
    for name in ("../churn", "a/b", ""):
        with pytest.raises(Invalid):
            hour_folder(name, NOON)


def test_a_window_touches_each_of_its_hours_once():
    found = list(hour_folders("churn", NOON, NOON + timedelta(hours=13)))
    assert (len(found), found[0], found[-1]) == (
        14,
        "_predictions/churn/2026-03-01/12",
        "_predictions/churn/2026-03-02/01",
    )
    assert list(hour_folders("churn", NOON.replace(minute=0), NOON.replace(minute=0) + timedelta(hours=1))) == found[:1]
    assert list(hour_folders("churn", NOON, NOON)) == []
    with pytest.raises(Invalid, match="time zone"):
        list(hour_folders("churn", datetime(2026, 3, 1), NOON))


def test_sampling_takes_about_its_share_and_says_the_same_every_time():
    ids = [f"request-{number}" for number in range(20_000)]
    tenth = {one for one in ids if is_sampled(one, 0.1)}
    assert 0.09 < len(tenth) / len(ids) < 0.11
    assert tenth == {one for one in ids if is_sampled(one, 0.1)}
    assert tenth <= {one for one in ids if is_sampled(one, 0.3)}
    assert is_sampled("request-1", 0.1) is False  # written down: other servers must come to the same answer
    assert is_sampled("request-11", 0.1) is True


@given(st.text())
def test_every_id_is_sampled_whole_and_never_at_nought(request_id: str):
    assert is_sampled(request_id, 1.0)
    assert not is_sampled(request_id, 0.0)


@pytest.mark.parametrize(
    ("request_id", "words"),
    [("", "0 characters"), ("x" * (MAX_ID + 1), "257 characters"), ("\ud800", "not Unicode"), ("\u03b1-7", None)],
)
def test_an_id_that_parquet_cannot_carry_is_named(request_id: str, words: str | None):
    fault = fault_of_id(request_id)
    assert (words in fault) if words and fault else fault is words


@pytest.mark.parametrize("text", ["a b", "a\r\nset-cookie: x", "", "\u00e4", "x" * 129])
def test_what_could_break_a_header_does_not_go_into_one(text: str):
    assert not is_plain_id(text)
    assert is_plain_id("3f2a-9:x/1")


def test_a_table_that_fits_is_taken_whatever_else_it_holds():
    assert faults(GOOD) == []
    assert faults({**GOOD, "row": "int64", "at": "timestamp[ms, tz=UTC]", "request_id": "large_string"}) == []
    assert faults({**GOOD, "input.\x00": "string", "trace": "binary"}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"request_id": "int64"}, "request_id is int64, not string"),
        ({"version": "string"}, "version is string"),
        ({"at": "timestamp[us]"}, "at is timestamp"),
        ({"at": "timestamp[us, tz=Europe/Berlin]"}, "at is timestamp"),
        ({"row": None}, "row is missing"),
        ({"output.output": None}, "no column begins with output."),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_naming_what_is_wrong(change: dict, words: str):
    columns = {name: kind for name, kind in {**GOOD, **change}.items() if kind}
    with pytest.raises(Invalid, match="docs/prediction-log.md") as refused:
        check_columns(columns, "x.parquet")
    assert words in str(refused.value)
