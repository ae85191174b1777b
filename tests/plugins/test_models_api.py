"""The plugin as Airflow's processes meet it: light, and with a page that can be found."""

from __future__ import annotations

from importlib.resources import files

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.plugins.models_api import PREFIX, ModelLifecycleModelsPlugin
from tests.plugins.test_alerts import printed

ASKED = """
import sys, airflow.sdk, airflow.plugins_manager
from airflow.providers.common.compat.sdk import AirflowPlugin
before = set(sys.modules)
from model_lifecycle.plugins.models_api import ModelLifecycleModelsPlugin
plugin = ModelLifecycleModelsPlugin()
plugin.react_apps
loaded = set(sys.modules) - before
print(sorted(name for name in loaded if not name.startswith("model_lifecycle")))
(app,) = plugin.fastapi_apps
print(app["url_prefix"], type(app["app"]).__name__, plugin.fastapi_apps[0] is app)
"""


def test_importing_the_plugin_loads_nothing_and_asking_for_its_application_makes_one():
    assert printed(ASKED)[-2:] == ["[]", "/model-lifecycle/models FastAPI True"]


def test_the_provider_info_names_the_plugin():
    path = "model_lifecycle.plugins.models_api.ModelLifecycleModelsPlugin"
    assert {"name": "model_lifecycle_models", "plugin-class": path} in get_provider_info()["plugins"]


def test_the_page_is_a_file_of_the_package_that_sets_what_airflow_looks_for():
    for app in ModelLifecycleModelsPlugin().react_apps:
        folder, _, name = app["bundle_url"].rpartition("/")
        assert folder == PREFIX
        text = (files("model_lifecycle.plugins") / "page" / name).read_text()
        assert f'globalThis["{app["name"]}"] = ' in text


def test_the_page_is_found_where_airflow_is_served_below_a_path(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://a.example/team/airflow/")
    (found,) = {app["bundle_url"] for app in ModelLifecycleModelsPlugin().react_apps}
    assert found == f"/team/airflow{PREFIX}/models.js"


def test_the_page_stands_in_the_navigation_and_beside_every_dag_run():
    apps = ModelLifecycleModelsPlugin().react_apps
    assert [(app["destination"], app["url_route"]) for app in apps] == [("nav", "models"), ("dag_run", "run-models")]


def test_the_page_never_takes_text_for_markup_and_asks_nobody_else():
    forbidden = ("innerHTML", "dangerouslySet", "eval(", "document.write", "//cdn", "import(")
    for file in (files("model_lifecycle.plugins") / "page").iterdir():
        text = file.read_text()
        assert [one for one in forbidden if one in text] == [], file.name
