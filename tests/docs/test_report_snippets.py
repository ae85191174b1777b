"""The code in docs/report.md, run: a report made from two tables, filed in a real MLflow, and read back."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pandas as pd

from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.operators.reports import log_report
from model_lifecycle.testing.registry_contract import register
from tests.core.reports import table, valid
from tests.servers.mlflow import MlflowServer


def test_a_report_is_made_filed_and_read_back(
    mlflow_connection: str, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    before, after = pd.DataFrame(table(2000)), pd.DataFrame(table(900, shift=1.0, seed=8))
    # [START make]
    from model_lifecycle.core.drift import compare, judge_drift
    from model_lifecycle.core.drift_report import drift_report
    from model_lifecycle.core.profile import profile
    from model_lifecycle.core.report_page import page

    reference = profile(before)
    current = profile(after, edges_from=reference)
    drifts = compare(reference, current)
    report = drift_report(
        reference, current, drifts, judge_drift(drifts), window="2013-12", compared_with="training", units={"n0": "°F"}
    )
    (tmp_path / "report.html").write_text(page(report), encoding="utf-8")
    # [END make]
    assert "1 of 8 columns drifted" in (tmp_path / "report.html").read_text(encoding="utf-8")
    version = register(registry_hook(mlflow_connection), f"read-back-{uuid4().hex[:12]}")
    log_report(registry_hook(mlflow_connection), version, report)
    model_uri, url = version.uri, mlflow_server.url
    # [START read]
    import mlflow

    from model_lifecycle.core.models import ModelUri
    from model_lifecycle.hooks.mlflow import MlflowHook

    tags = MlflowHook("mlflow_default").get(ModelUri.parse(model_uri)).tags
    print(tags["drift"])  # FAIL: 6 of 13 columns drifted in 2013-12
    run, _, path = tags["drift_report"].partition("/runs/")[2].partition("/artifacts/")
    mlflow.set_tracking_uri(url)
    filed = mlflow.artifacts.load_dict(f"runs:/{run}/{path.removesuffix('html')}json")
    print([column["name"] for column in filed["columns"] if column["drifted"]])
    # [END read]
    assert valid(filed) == report
