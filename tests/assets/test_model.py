from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.assets import model as assets
from model_lifecycle.core.errors import Invalid
from model_lifecycle.get_provider_info import get_provider_info
from tests.core.bad_names import BAD_NAMES

HELPERS = {
    "model://churn": assets.versions("churn"),
    "model://churn/champion": assets.champion("churn"),
    "model://churn/challenger": assets.challenger("churn"),
    "model://churn/previous": assets.previous("churn"),
    "model://churn/blue": assets.alias("churn", "blue"),
    "model://churn/endpoints/scorer_default": assets.endpoint("scorer_default/churn"),
    "model://churn/events/artifacts": assets.artifacts("churn"),
    "model://churn/events/registry": assets.registry_changes("churn"),
    "model://churn/events/alerts": assets.alerts("churn"),
}


@pytest.mark.parametrize("uri", HELPERS)
def test_each_part_of_a_model_is_an_asset_named_by_its_uri(uri: str):
    found = HELPERS[uri]
    assert (found.uri, found.name, found.group) == (uri, uri, "model")
    assert found.uri == Asset(uri).uri


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9_-])?", fullmatch=True))
def test_a_name_keeps_its_case_and_an_asset_made_of_its_own_uri_is_the_same(name: str):
    uri = assets.champion(name).uri
    assert uri == f"model://{name}/champion"
    assert assets.sanitize_uri(urlsplit(uri)).geturl() == uri
    assert Asset(name=uri, uri=uri).uri == uri


def test_slashes_too_many_change_nothing():
    assert assets.sanitize_uri(urlsplit("model://churn//champion/")).geturl() == "model://churn/champion"
    assert assets.sanitize_uri(urlsplit("model://churn/")).geturl() == "model://churn"


@pytest.mark.parametrize(
    "uri",
    [
        "model://",
        "model:///champion",
        "model://churn/a/b/c",
        "model://churn/champion?x=1",
        "model://churn/champion#x",
        "model://churn/endpoints",
        "model://churn/events",
        "model://churn/events/secrets",
        "model://churn/champion/scorer_default",
        "model://churn/%2e%2e",
        "model://user:word@churn/champion",
    ],
)
def test_a_uri_that_names_nothing_of_a_model_is_refused(uri: str):
    with pytest.raises(ValueError, match="is no asset of a model"):
        assets.sanitize_uri(urlsplit(uri))


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_name_outside_the_allow_list_is_refused(name: str):
    with pytest.raises(Invalid):
        assets.versions(name)
    with pytest.raises(Invalid):
        assets.alias("churn", name)


def test_hook_lineage_makes_the_same_assets():
    assert assets.create_asset(model="churn") == assets.versions("churn")
    assert assets.create_asset(model="churn", alias="champion") == assets.champion("churn")
    assert assets.create_asset(model="churn", endpoint="scorer") == assets.endpoint("scorer/churn")


def test_openlineage_names_the_model_and_what_of_it(monkeypatch: pytest.MonkeyPatch):
    # A double: without the OpenLineage client Airflow's own class is an empty one.
    monkeypatch.setattr("airflow.providers.common.compat.openlineage.facet.Dataset", SimpleNamespace)
    found = assets.convert_asset_to_openlineage(assets.champion("churn"), SimpleNamespace())
    assert (found.namespace, found.name) == ("model", "churn/champion")


def test_the_provider_info_names_the_functions_of_the_scheme():
    (row,) = get_provider_info()["asset-uris"]
    module = "model_lifecycle.assets.model"
    assert row == {
        "schemes": ["model"],
        "handler": f"{module}.sanitize_uri",
        "factory": f"{module}.create_asset",
        "to_openlineage_converter": f"{module}.convert_asset_to_openlineage",
    }


def test_importing_the_assets_loads_nothing_heavy():
    code = (
        "import sys, airflow.sdk; before = set(sys.modules); import model_lifecycle.assets.model\n"
        "print(sorted({'mlflow', 'pandas', 'numpy', 'fastapi', 'requests'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
