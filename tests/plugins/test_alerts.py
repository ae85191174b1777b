"""The plugin as Airflow's processes meet it: found by its entry point, and light."""

from __future__ import annotations

import subprocess
import sys

from model_lifecycle.get_provider_info import get_provider_info

ASKED = """
import sys, airflow.sdk, airflow.plugins_manager
from airflow.providers.common.compat.sdk import AirflowPlugin
before = set(sys.modules)
from model_lifecycle.plugins.alerts import ModelLifecycleAlertsPlugin
plugin = ModelLifecycleAlertsPlugin()
loaded = set(sys.modules) - before
print(sorted(name for name in loaded if not name.startswith("model_lifecycle")))
(app,) = plugin.fastapi_apps
print(app["url_prefix"], type(app["app"]).__name__, plugin.fastapi_apps[0] is app)
"""


def printed(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "[info " not in line]  # what an older Airflow logs there


def test_importing_the_plugin_loads_nothing_and_asking_for_its_application_makes_one():
    assert printed(ASKED)[-2:] == ["[]", "/model-lifecycle/alerts FastAPI True"]


def test_the_provider_info_names_the_plugin_too():
    assert {
        "name": "model_lifecycle_alerts",
        "plugin-class": "model_lifecycle.plugins.alerts.ModelLifecycleAlertsPlugin",
    } in get_provider_info()["plugins"]
