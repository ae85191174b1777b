"""Monitor what serves: ask the live endpoint about the newest labelled rows and judge the answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from model_lifecycle.core.checks import log_evidence, report
from model_lifecycle.core.errors import ModelLifecycleError, NotFound, Rejected, Unavailable
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from model_lifecycle.hooks.serving import ServingHook, VersionState, serving_hook
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.data import as_columns, batches, input_columns, read_table, scores, split_labels
from model_lifecycle.operators.register import PROFILE_NAME
from model_lifecycle.operators.reports import DriftReportLink, file_report
from model_lifecycle.operators.windows import window_id
from model_lifecycle.stores.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.core.checks import Measurement
    from model_lifecycle.core.monitoring import Check, Window
    from model_lifecycle.core.profile import Profile

log = logging.getLogger(__name__)


class MonitorModelOperator(ModelLifecycleOperator):
    """Ask an endpoint, as its callers do, about labelled rows, and judge health, quality and drift.

    A sick model is a verdict, not an error: the task succeeds and returns FAIL, and the DAG decides. ``drifted`` in the
    result tells that features or predictions no longer look as they did at registration: a reason to train again.

    :param endpoint: ``<serving_conn_id>/<model>``.
    :param data: the newest labelled rows, a Parquet or CSV file, as a path or URI.
    :param target: the column that holds the labels.
    :param checks: what to ask; health, quality against the version a rollback would restore, and drift by default.
    :param batch: rows in one request.
    :param max_rows: rows asked about at most, evenly spaced over the data.
    :returns: the verdict with its evidence, JSON; ``drift_report`` says where the report was filed with the version.
    """

    operator_extra_links = (DriftReportLink(),)
    template_fields: Sequence[str] = (*ModelLifecycleOperator.template_fields, "endpoint", "data", "target")

    def __init__(
        self,
        *,
        endpoint: str,
        data: str,
        target: str,
        checks: Sequence[Check] | None = None,
        batch: int = 500,
        max_rows: int = 20_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.data = data
        self.target = target
        self.checks = checks
        self.batch = batch
        self.max_rows = max_rows

    def perform(self, context: Context, **resumed: Any) -> dict[str, Any]:
        """Gather one window of answers, then judge it."""
        from model_lifecycle.core.monitoring import DEFAULT_CHECKS, Window

        endpoint = Endpoint.parse(self.endpoint)
        serving = serving_hook(endpoint.conn_id)
        live = self._live(endpoint, serving)
        table = self._table(live)
        answers = _Answers(serving, endpoint.model, self.target)
        for rows in batches(table, self.batch, self.max_rows):
            answers.ask(rows)
        fallback = self._fallback(endpoint, serving, live.version)
        window = Window(
            requests=answers.requests,
            errors=answers.errors,
            features=as_columns(answers.table.drop(columns=[self.target])) if answers.parts else {},
            labels=answers.table[self.target].tolist() if answers.parts else [],
            predictions=answers.predictions,
            fallback=answers.again(fallback, self.batch) if fallback else None,
            reference=self._profile(live),
        )
        found = [one for check in self.checks or DEFAULT_CHECKS for one in check.judge(window)]
        drifted = [one.check for one in found if one.check.endswith("drift") and one.verdict == "FAIL"]
        result = report(
            found, endpoint=self.endpoint, version=live.version, compared_with=fallback, data=self.data, drifted=drifted
        )
        log_evidence(self.log, live.uri, found)
        result["drift_report"] = self._file(context, live, window, found, fallback)
        return result

    def _file(
        self, context: Context, live: ModelVersion, window: Window, found: Sequence[Measurement], fallback: int | None
    ) -> dict[str, Any]:
        """File the report of this window with the live version."""
        from model_lifecycle.core.drift import PREDICTION
        from model_lifecycle.core.monitoring import Drift
        from model_lifecycle.core.profile import profile

        check = next((one for one in self.checks or () if isinstance(one, Drift)), Drift())
        sides, start = None, context.get("data_interval_start")
        if window.reference is not None:
            answered = {**window.features, PREDICTION: window.predictions}
            sides = window.reference, profile(answered, edges_from=window.reference)
        about = {
            "endpoint": self.endpoint,
            "window": window_id(start) if start else PurePath(self.data).stem,
            "data": self.data,
            "compared_with": "training",
            "rival": f"version {fallback}" if fallback else None,
        }
        drifts = check.compare(*sides) if sides else []
        return file_report(context, self.model_registry(), live, drifts, found, sides=sides, **about)

    def _live(self, endpoint: Endpoint, serving: ServingHook) -> ModelVersion:
        traffic = serving.traffic(endpoint.model)
        if not traffic:
            raise NotFound("nothing serves on this endpoint", target=self.endpoint, hint="deploy a version first")
        most = max(traffic, key=lambda version: traffic[version])
        return self.model_registry().get(ModelUri(endpoint.model, version=most))

    def _table(self, live: ModelVersion) -> pd.DataFrame:
        table = read_table(self.data)
        features, _ = split_labels(table, self.target, self.data)
        signature = self.model_store().read_manifest(live.artifact_uri).signature
        return table[[*input_columns(signature, features), self.target]]

    def _fallback(self, endpoint: Endpoint, serving: ServingHook, live: int) -> int | None:
        """The version that a rollback would restore, if it is loaded and can be asked."""
        newest = Ledger(self.model_store(), endpoint).newest()
        below = newest.standing.below(live) if newest else None
        if below and serving.versions(endpoint.model).get(below.version) is VersionState.READY:
            return below.version
        return None

    def _profile(self, live: ModelVersion) -> Profile | None:
        from model_lifecycle.core.profile import Profile

        try:
            return Profile.from_json(self.model_store().read_file(live.artifact_uri, PROFILE_NAME))
        except NotFound:
            return None


class _Answers:
    """What an endpoint answered, request by request; a request that failed is counted and its rows are left out."""

    def __init__(self, serving: ServingHook, model: str, target: str) -> None:
        self.serving, self.model, self.target = serving, model, target
        self.requests = 0
        self.errors: list[str] = []
        self.parts: list[pd.DataFrame] = []
        self.predictions: list[float] = []

    @property
    def table(self) -> pd.DataFrame:
        """The rows that were answered."""
        import pandas as pd

        return pd.concat(self.parts)

    def ask(self, rows: pd.DataFrame) -> None:
        """Ask as any caller does."""
        self.requests += 1
        try:
            answer = self.serving.predict(self.model, as_columns(rows.drop(columns=[self.target])))
            self.predictions += scores(answer.outputs)
            self.parts.append(rows)
        except (Rejected, Unavailable) as error:
            self.errors.append(str(error))

    def again(self, version: int, size: int) -> list[float] | None:
        """What another version says about the same rows; None if it fails for one of them."""
        if not self.parts:
            return None
        found: list[float] = []
        try:
            for rows in batches(self.table.drop(columns=[self.target]), size, len(self.table)):
                found += scores(self.serving.predict(self.model, as_columns(rows), version).outputs)
        except ModelLifecycleError as error:
            log.warning("Version %s cannot be compared with: %s", version, error)
            return None
        return found
