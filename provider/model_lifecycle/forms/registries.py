"""Forms of what knows and measures models: MLflow, Prometheus, and who may tell us of alerts."""

from __future__ import annotations

from typing import Any

from model_lifecycle.forms.fields import BY_HTTP, by_http, choice, connection_type, mapping, secret, text


def registries() -> list[dict[str, Any]]:
    """``mlflow``, ``prometheus`` and ``model_alerts``."""
    return [_mlflow(), _prometheus(), _model_alerts()]


def _mlflow() -> dict[str, Any]:
    return connection_type(
        "mlflow",
        "mlflow.MlflowHook",
        "MLflow",
        {
            "auth": choice(
                "Authentication", "basic: user and password; bearer: the password is a token. Empty: as filled in.",
                "basic", "bearer",
            ),
            **by_http(),
        },
        labels={"host": "Tracking server", **BY_HTTP},
        placeholders={"host": "https://mlflow.example.com", "port": "5000", "login": "empty with a token"},
    )  # fmt: skip


def _prometheus() -> dict[str, Any]:
    fields = {
        "pushgateway": text(
            "Pushgateway", "Its URL, or the id of a connection that has credentials of its own.",
            "http://pushgateway.example.com:9091",
        ),
        "textfile": text("Folder for samples", "Of node_exporter's textfile collector, instead of a Pushgateway."),
        "grafana": text(
            "Grafana", "Its URL, for links from tasks to the dashboards of this package.",
            "https://grafana.example.com",
        ),
        "selector": text("Label matchers", "For the scorer's counts.", 'namespace="prod"'),
        "counts": mapping("Expressions for counts", "requests, errors, refused and latency, of other servers."),
    }  # fmt: skip
    return connection_type(
        "prometheus",
        "prometheus.PrometheusHook",
        "Prometheus",
        {**fields, **by_http()},
        labels={"host": "Prometheus", **BY_HTTP},
        placeholders={"host": "https://prometheus.example.com", "port": "9090"},
    )


def _model_alerts() -> dict[str, Any]:
    long = "16 characters or more; several, separated by spaces, are all valid"
    return connection_type(
        "model_alerts",
        "alerts.AlertsHook",
        "Model alerts",
        {
            "mlflow_secret": secret("Secret of MLflow's webhook", f"{long}."),
            "endpoints": mapping("Endpoints", "The endpoint of each model whose alerts carry no label endpoint."),
        },
        hidden=("host", "port", "schema", "login"),
        labels={"password": "Alertmanager's shared secret"},
        placeholders={"password": long},
    )
