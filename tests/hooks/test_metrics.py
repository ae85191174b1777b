from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.metrics import metrics_hook


def test_a_connection_of_another_kind_is_refused_by_naming_the_right_one(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps({"conn_type": "haproxy", "host": "h"}))
    with pytest.raises(Invalid, match=r"is no metric system .* -> use a connection of type prometheus"):
        metrics_hook("tried")


def test_a_connection_that_is_not_there_is_refused():
    with pytest.raises(Invalid, match="there is no connection nowhere"):
        metrics_hook("nowhere")
