from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State
from model_lifecycle.plugins.models_reading import ModelsReading
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.stores.local import local_store
from tests.servers.process import free_ports
from tests.stores.test_ledger import write

AWAY = Endpoint("away_default", "flights")


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Ledger:
    """Of an endpoint whose server is away; the registry is away too."""
    gone = {"host": f"http://127.0.0.1:{free_ports()[0]}", "extra": {"timeout": 0.1}}
    monkeypatch.setenv("AIRFLOW_CONN_AWAY_DEFAULT", json.dumps({"conn_type": "open_inference", **gone}))
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "mlflow", **gone}))
    monkeypatch.setenv("AIRFLOW__MODEL_LIFECYCLE__STORE", (tmp_path / "models").as_uri())
    ledger = Ledger(local_store(tmp_path / "models"), AWAY)
    write(ledger, State.SUCCEEDED)
    return ledger


def test_what_the_ledger_knows_is_told_though_server_and_registry_are_away(ledger):
    told = ModelsReading().endpoints("", 0, 10)
    (row,) = told["endpoints"]
    assert (row["endpoint"], row["serving"]["version"], row["traffic"]) == (str(AWAY), 2, None)
    assert row["health"]["word"] == "unknown"
    assert [problem.split()[0].rstrip(":") for problem in told["problems"]] == ["away_default", "the"]


def test_a_page_begins_where_it_is_asked_to_and_the_search_forgives_capitals(ledger):
    reading = ModelsReading()
    assert (reading.endpoints("FLIGHT", 1, 10)["endpoints"], reading.endpoints("FLIGHT", 0, 10)["total"]) == ([], 1)
    assert reading.endpoints("churn", 0, 10)["total"] == 0


def test_no_store_is_named(ledger, monkeypatch):
    monkeypatch.delenv("AIRFLOW__MODEL_LIFECYCLE__STORE")
    (problem,) = ModelsReading().endpoints("", 0, 10)["problems"]
    assert "set [model_lifecycle] store for the API server too" in problem


def test_a_release_that_is_not_there_and_an_endpoint_that_is_none(ledger):
    with pytest.raises(NotFound, match="generation 2"):
        ModelsReading().release(str(AWAY), 2)
    with pytest.raises(Invalid):
        ModelsReading().releases("../x", None, 10)
