"""The connection of the receiver: what it says, and what it must say before anybody is let in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.hooks.alerts import AlertsHook

SECRET, OTHER = "s" * 16, "o" * 40


def hook(monkeypatch: pytest.MonkeyPatch, password: str | None, **extra: Any) -> AlertsHook:
    connection = {"conn_type": "model_alerts", "password": password, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ALERTS_DEFAULT", json.dumps(connection))
    return AlertsHook()


def test_several_secrets_are_valid_at_once(monkeypatch):
    found = hook(monkeypatch, f"{SECRET} {OTHER}", mlflow_secret=f" {OTHER}\n{SECRET} ")
    assert (found.shared_secrets(), found.mlflow_secrets()) == ((SECRET, OTHER), (OTHER, SECRET))


@pytest.mark.parametrize("secret", [None, "", "  ", "short", f"{SECRET} short"])
def test_what_is_no_secret_lets_nobody_in_and_is_not_shown(monkeypatch, secret):
    found = hook(monkeypatch, secret, mlflow_secret=secret)
    for ask, where in ((found.shared_secrets, "password"), (found.mlflow_secrets, "extra mlflow_secret")):
        with pytest.raises(Unavailable, match=f"its {where} ") as caught:
            ask()
        assert SECRET not in str(caught.value)


def test_a_secret_that_is_no_text_is_none(monkeypatch):
    with pytest.raises(Unavailable, match="extra mlflow_secret is empty"):
        hook(monkeypatch, SECRET, mlflow_secret=[SECRET]).mlflow_secrets()


def test_without_a_connection_it_says_which_is_missing():
    with pytest.raises(Unavailable, match="connection nobody_made_it cannot be used: there is no such connection"):
        AlertsHook("nobody_made_it").shared_secrets()


def test_endpoints_are_those_of_the_extra(monkeypatch):
    assert hook(monkeypatch, SECRET).endpoints() == {}
    assert hook(monkeypatch, SECRET, endpoints={"m": "s/m"}).endpoints() == {"m": "s/m"}


@pytest.mark.parametrize("endpoints", ["s/m", ["s/m"], {"m": 3}])
def test_endpoints_of_another_shape_are_refused(monkeypatch, endpoints):
    with pytest.raises(Unavailable, match="its extra endpoints is no object of texts"):
        hook(monkeypatch, SECRET, endpoints=endpoints).endpoints()
