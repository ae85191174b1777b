"""The route file: what survives a restart."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.scorer.routes import ROUTE_FILE, Route, read_route, read_traffic, read_version, write_route


def test_a_route_is_read_as_it_was_written(tmp_path):
    assert read_route(tmp_path) is None
    for route in (Route.of({3: 75, 12: 25}, [7]), Route.of({}, [])):
        write_route(tmp_path, route)
        assert read_route(tmp_path) == route
    assert os.listdir(tmp_path) == [ROUTE_FILE]


def test_what_has_traffic_is_to_be_loaded():
    assert Route.of({3: 100}, [7]).loaded == {3, 7}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "{",
        "[]",
        "{}",
        '{"traffic": {"1": 100}}',
        '{"traffic": {"1": 99}, "loaded": []}',
        '{"traffic": {}, "loaded": [0]}',
        '{"traffic": {"../1": 100}, "loaded": []}',
        '{"traffic": {}, "loaded": 3}',
    ],
)
def test_a_file_that_holds_no_route_is_corrupt_and_named(tmp_path, text):
    (tmp_path / ROUTE_FILE).write_text(text)
    with pytest.raises(Corrupt, match=r"route\.json holds no route"):
        read_route(tmp_path)


def test_a_route_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write_route(tmp_path, Route.of({1: 100}, []))
    (tmp_path / f".{ROUTE_FILE}.part").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_route(tmp_path, Route.of({2: 100}, []))
    assert read_route(tmp_path) == Route.of({1: 100}, [])


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (None, "traffic is not an object"),
        ([], "traffic is not an object"),
        ({"1": 100.0}, "traffic of version '1' is not a whole number"),
        ({"1": True}, "traffic of version '1' is not a whole number"),
        ({"1": "100"}, "traffic of version '1' is not a whole number"),
        ({"1": 101, "2": -1}, "traffic of version '1' is not a whole number from 0 to 100"),
        ({"1": 50}, "traffic sums to 50"),
        ({"1": 60, "2": 60}, "traffic sums to 120"),
        ({"one": 100}, "version 'one' is not a number above 0"),
        ({"01": 100}, "version '01' is not a number above 0"),
        ({"0": 100}, "version '0' is not a number above 0"),
        ({"": 100}, "version '' is not a number above 0"),
        ({"1" * 19: 100}, "is not a number above 0"),
        ({"\u0661": 100}, "is not a number above 0"),
    ],
)
def test_wrong_traffic_is_invalid(value, match):
    with pytest.raises(Invalid, match=match):
        read_traffic(value)


def test_versions_with_nothing_are_left_out():
    assert read_traffic({"3": 100, "2": 0}) == {3: 100}
    assert read_traffic({"2": 0}) == read_traffic({}) == {}


@given(st.dictionaries(st.text() | st.integers(1, 99).map(str), st.integers(-5, 105) | st.text(), max_size=3))
def test_traffic_is_nothing_or_sums_to_100(value):
    try:
        traffic = read_traffic(json.loads(json.dumps(value)))
    except Invalid:
        return
    assert sum(traffic.values()) in (0, 100)
    assert all(version > 0 and percent > 0 for version, percent in traffic.items())


@given(st.integers(1, 10**17))
def test_a_version_is_read_from_json_and_from_a_url(number):
    assert read_version(number) == read_version(str(number)) == number
