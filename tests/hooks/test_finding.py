from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.hooks.router import router_hook
from model_lifecycle.hooks.serving import serving_hook

FINDERS = [serving_hook, router_hook, registry_hook]


@pytest.mark.parametrize("find", FINDERS)
@pytest.mark.parametrize(
    ("conn_type", "reason"),
    [
        (None, "there is no connection tried"),
        ("http_of_nobody", "connection tried: Unknown hook type"),
        ("webhdfs", "connection tried is of a type that|connection tried: Unknown hook type"),
    ],
)
def test_a_connection_that_leads_nowhere_is_one_clear_error_that_names_the_types(find, conn_type, reason, monkeypatch):
    if conn_type:
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps({"conn_type": conn_type, "host": "h"}))
    with pytest.raises(Invalid, match=rf"({reason}).* -> .*(open_inference|haproxy|mlflow)"):
        find("tried")
