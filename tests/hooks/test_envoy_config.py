from __future__ import annotations

import json
from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.envoy_config import ModelRoutes, bucket_bounds, clusters, read_table, route_configuration
from model_lifecycle.hooks.targets import Target

INSTALLED = files("model_lifecycle") / "routers"


@st.composite
def model_routes(draw):
    hosts = st.sampled_from(["127.0.0.1", "models.example.com", "[::1]"])
    target = st.builds(Target, hosts, st.integers(1, 65535), st.sampled_from(["/", "/x", "/v2/models/m/infer"]))
    targets = draw(st.dictionaries(st.integers(1, 50), target, min_size=1, max_size=5))
    bounds = sorted({*draw(st.sets(st.integers(1, 99), max_size=len(targets) - 1)), 100})
    shares = [high - low for low, high in zip([0, *bounds], bounds, strict=False)]
    traffic = dict(zip(sorted(targets), shares, strict=False)) if draw(st.booleans()) else {}
    shadow = {draw(st.sampled_from(sorted(targets))): draw(st.integers(1, 100))}
    return ModelRoutes(targets, traffic, shadow if traffic and draw(st.booleans()) else {})


TABLES = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}[A-Za-z0-9]", fullmatch=True), model_routes(), max_size=4
)


@given(TABLES)
def test_what_is_written_is_read_back(table):
    assert read_table(json.loads(json.dumps(route_configuration(table)))) == table


@given(TABLES)
def test_the_fractions_share_the_requests_out_as_the_traffic_says(table):
    """Envoy draws one number from 0 to 99 for each request and takes the first route whose fraction is above it."""
    routes = route_configuration(table)["virtual_hosts"][0]["routes"]
    for model, wanted in table.items():
        own = [
            route for route in routes if route["match"].get("path") == f"/{model}" and "headers" not in route["match"]
        ]
        answered = [_first(own, number) for number in range(100)] if own else []
        assert {version: answered.count(str(version)) for version in wanted.traffic} == wanted.traffic


def _first(routes, number):
    for route in routes:
        fraction = route["match"].get("runtime_fraction")
        if fraction is None or number < fraction["default_value"]["numerator"]:
            return route["metadata"]["filter_metadata"]["model_lifecycle"]["version"]
    return None


@given(TABLES)
def test_every_route_leads_to_a_cluster(table):
    known = {each["name"] for each in clusters([table])} | {"shadows"}
    for route in route_configuration(table)["virtual_hosts"][0]["routes"]:
        action = route.get("route", {})
        assert {
            action.get("cluster", "shadows"),
            *(one["cluster"] for one in action.get("request_mirror_policies", [])),
        } <= known


def test_a_version_that_moves_keeps_its_counters_and_has_both_addresses_for_a_while():
    before, after = ({"m": ModelRoutes({1: Target("h", port, "/x")})} for port in (1, 2))
    both = clusters([before, after])
    assert [each["name"] for each in both] == ["m/1@h:1", "m/1@h:2"]
    assert {each["alt_stat_name"] for each in both} == {"m/1"}


def test_names_are_resolved_and_addresses_are_not():
    table = {"m": ModelRoutes({1: Target("h", 1, "/"), 2: Target("10.0.0.1", 1, "/"), 3: Target("[::1]", 1, "/")})}
    assert [each["type"] for each in clusters([table])] == ["LOGICAL_DNS", "STATIC", "STATIC"]


@pytest.mark.parametrize("mark", [{"kind": "pin", "model": "m", "version": "1"}, {"kind": "pin", "version": "x"}])
def test_routes_of_another_making_are_told_apart(mark):
    route = {"metadata": {"filter_metadata": {"model_lifecycle": mark}}}
    with pytest.raises((KeyError, ValueError, Invalid)):
        read_table({"virtual_hosts": [{"routes": [route]}]})


def test_the_installed_routes_are_those_of_no_model():
    assert json.loads((INSTALLED / "routes.json").read_text())["resources"] == [route_configuration({})]
    assert json.loads((INSTALLED / "clusters.json").read_text())["resources"] == clusters([{}])


def test_the_installed_configuration_counts_in_the_classes_of_our_counts():
    settings = yaml.safe_load((INSTALLED / "envoy.yaml").read_text())["stats_config"]["histogram_bucket_settings"]
    assert settings == [{"match": {"prefix": "cluster."}, "buckets": bucket_bounds()}]
