"""Monitor what serves: ask the live endpoint about labelled rows, or join what it answered with labels, and judge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from model_lifecycle.core.checks import log_evidence, report
from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from model_lifecycle.core.prediction_log import REQUEST_ID
from model_lifecycle.core.telling import MONITORED_TAG
from model_lifecycle.core.windows import window_id
from model_lifecycle.hooks.metrics import metrics_connection
from model_lifecycle.hooks.serving import ServingHook, VersionState, serving_hook
from model_lifecycle.operators.asking import Answers
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.data import as_columns, batches, input_columns, read_table, split_labels
from model_lifecycle.operators.logged import Labels, LoggedPredictions
from model_lifecycle.operators.register import PROFILE_NAME
from model_lifecycle.operators.reports import DriftReportLink, file_report, note_verdict
from model_lifecycle.operators.results import publish_result
from model_lifecycle.operators.windows import window_of
from model_lifecycle.stores.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.core.checks import Measurement
    from model_lifecycle.core.monitoring import Check, Window
    from model_lifecycle.core.profile import Profile

JOB = "model_lifecycle_monitor"
OWN_LOG = "log://"
"""The log that lies in the task's own model store."""


class MonitorModelOperator(ModelLifecycleOperator):
    """Judge the version that serves: health, quality, drift.

    Either ask the endpoint, as its callers do, about labelled rows (``data``), or join the predictions that its server
    logged with labels that came later (``predictions``): see ``docs/monitor.md``.

    A sick model is a verdict, not an error: the task succeeds and returns FAIL, and the DAG decides. ``drifted`` in the
    result tells that features or predictions no longer look as they did at registration: a reason to train again.

    :param endpoint: ``<serving_conn_id>/<model>``.
    :param data: the newest labelled rows, a Parquet or CSV file, as a path or URI.
    :param target: the column that holds the labels.
    :param predictions: the URI of the folder that the server logs into, or ``log://`` for this task's model store.
    :param labels: a table of labels, or a folder of them, Parquet or CSV; None while there are none.
    :param on: the columns that a label shares with its prediction: ``request_id``, or names of inputs.
    :param delay: the time until a label is there; younger predictions are not expected to have one.
    :param window: start and end of the predictions that are judged; the data interval by default.
    :param min_coverage: the least share of predictions with a label, of those that should have one.
    :param past: a table of this version with the columns ``prediction`` and ``target``, to calibrate estimates with;
        the labelled predictions of the window by default.
    :param slices: columns by which quality is judged in parts, too.
    :param checks: what to ask; by default health, quality against the version a rollback would restore, and drift, or
        of logged predictions coverage, quality, drift and an estimate of quality for those without a label.
    :param batch: rows in one request.
    :param max_rows: rows asked about at most, evenly spaced over the data.
    :param metrics_conn_id: connection of the metric system that is told of the results; ``[model_lifecycle]
        metrics_conn_id`` by default.
    :returns: the verdict with its evidence, JSON; ``drift_report`` says where the report was filed with the version.
    """

    operator_extra_links = (*ModelLifecycleOperator.operator_extra_links, DriftReportLink())
    dashboard = "model-lifecycle-drift"
    template_fields: Sequence[str] = (
        *ModelLifecycleOperator.template_fields,
        *("endpoint", "data", "target", "predictions", "labels", "window", "past", "metrics_conn_id"),
    )

    def __init__(
        self,
        *,
        endpoint: str,
        data: str | None = None,
        target: str,
        predictions: str | None = None,
        labels: str | None = None,
        on: str | Sequence[str] = REQUEST_ID,
        delay: timedelta = timedelta(0),
        window: Sequence[str | datetime] | None = None,
        min_coverage: float = 0.8,
        past: str | None = None,
        slices: Sequence[str] = (),
        checks: Sequence[Check] | None = None,
        batch: int = 500,
        max_rows: int = 20_000,
        metrics_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.data = data
        self.target = target
        self.predictions = predictions
        self.labels = labels
        self.on = on
        self.delay = delay
        self.window = window
        self.min_coverage = min_coverage
        self.past = past
        self.slices = slices
        self.checks = checks
        self.batch = batch
        self.max_rows = max_rows
        self.metrics_conn_id = metrics_conn_id

    def perform(self, context: Context, **resumed: Any) -> dict[str, Any]:
        """Gather one window of answers, then judge it."""
        from model_lifecycle.core.monitoring import judge_window

        if bool(self.data) == bool(self.predictions):
            raise Invalid("a monitor takes either data or predictions", hint="give one of data= and predictions=")
        endpoint, checks = Endpoint.parse(self.endpoint), self._checks()
        serving = serving_hook(endpoint.conn_id)
        live = self._live(endpoint, serving)
        if self.predictions:
            window, rival = self._logged(context, endpoint, live, checks)
        else:
            window, rival = self._asked(endpoint, serving, live)
        found = judge_window(checks, window)
        drifted = [one.check for one in found if one.check.endswith("drift") and one.verdict == "FAIL"]
        about = {"endpoint": self.endpoint, "version": live.version, "compared_with": rival}
        result = report(found, **about, data=self.data or self.predictions, drifted=drifted)
        log_evidence(self.log, live.uri, found)
        result["drift_report"] = self._file(context, live, window, found, rival)
        note_verdict(self.model_registry(), live, MONITORED_TAG, result)
        told = metrics_connection(self.metrics_conn_id)
        if told:
            publish_result(told, JOB, result)
        return result

    def _checks(self) -> list[Check]:
        """What was asked for, and what the arguments ask for besides."""
        from model_lifecycle.core.monitoring import DEFAULT_CHECKS, LOG_CHECKS, Coverage, Health, Quality, Slices

        checks = list(self.checks or (LOG_CHECKS if self.predictions else DEFAULT_CHECKS))
        if self.predictions:
            if any(isinstance(check, Health) for check in checks):
                raise Invalid("health is that of requests, and a log holds answers only", hint="leave Health() out")
            given = [check for check in self.checks or () if isinstance(check, Coverage)]
            rest = [check for check in checks if not isinstance(check, Coverage)]
            checks = [*(given or [Coverage(self.min_coverage)]), *rest]
        if self.slices:
            checks += [Slices(tuple(self.slices), one.metric) for one in checks if isinstance(one, Quality)]
        return checks

    def _asked(self, endpoint: Endpoint, serving: ServingHook, live: ModelVersion) -> tuple[Window, int | None]:
        from model_lifecycle.core.monitoring import Window

        table, groups = self._table(live)
        answers = Answers(serving, endpoint.model, [self.target, *groups])
        for rows in batches(table, self.batch, self.max_rows):
            answers.ask(rows)
        fallback = self._fallback(endpoint, serving, live.version)
        window = Window(
            requests=answers.requests,
            errors=answers.errors,
            features=as_columns(answers.inputs) if answers.parts else {},
            labels=answers.table[self.target].tolist() if answers.parts else [],
            predictions=answers.predictions,
            fallback=answers.again(fallback, self.batch) if fallback else None,
            reference=self._profile(live),
            groups=as_columns(answers.table[groups]) if answers.parts else {},
        )
        return window, fallback

    def _logged(
        self, context: Context, endpoint: Endpoint, live: ModelVersion, checks: Sequence[Check]
    ) -> tuple[Window, int | None]:
        """The window of the log; compared with the version before if that answered in it, too."""
        from model_lifecycle.core.metrics import known
        from model_lifecycle.core.monitoring import Drift

        reference = self._profile(live)
        features = list(reference.columns) if reference and any(isinstance(one, Drift) for one in checks) else []
        on = [self.on] if isinstance(self.on, str) else list(self.on)
        kinds = [known(one.metric) for one in checks if not isinstance(one, Drift) and hasattr(one, "metric")]
        labels = Labels(
            self.labels,
            self.target,
            on,
            binary=any(kind.binary for kind in kinds),
            numeric=any(kind.takes == "number" for kind in kinds),
        )
        root = self.store_uri() if self.predictions == OWN_LOG else str(self.predictions)
        start, end = self._span(context)
        log_of = LoggedPredictions(root, endpoint.model, start, end, [*features, *self.slices, *on])
        below = self._below(endpoint, live.version)
        due = datetime.now(UTC) - self.delay
        more = {"reference": reference, "past": self._past()}
        window = log_of.window(live.version, below, labels, due, self.slices, **more)
        return window, below if window.others else None

    def _span(self, context: Context) -> tuple[datetime, datetime]:
        """Start and end of the window.

        :raises Invalid: if neither the task nor the run says.
        """
        given = list(self.window or (context.get("data_interval_start"), context.get("data_interval_end")))
        if len(given) != 2 or not all(given):
            raise Invalid("a window has a start and an end, and this run has no data interval", hint="pass window=")
        start, end = (window_of(one, context) for one in given)
        return start, end

    def _past(self) -> tuple[list[Any], list[Any]] | None:
        if not self.past:
            return None
        features, labels = split_labels(read_table(self.past), self.target, self.past)
        if "prediction" not in features:
            raise Invalid(f"{self.past} has no column prediction", hint="write labels and predictions side by side")
        return labels.tolist(), features["prediction"].tolist()

    def _file(
        self, context: Context, live: ModelVersion, window: Window, found: Sequence[Measurement], fallback: int | None
    ) -> dict[str, Any]:
        """File the report of this window with the live version."""
        from model_lifecycle.core.monitoring import Drift
        from model_lifecycle.core.profile import profile

        check = next((one for one in self._checks() if isinstance(one, Drift)), None)
        sides, start = None, self.window[0] if self.window else context.get("data_interval_start")
        if check and window.reference is not None:
            sides = window.reference, profile(window.answered(), edges_from=window.reference)
        about = {
            "endpoint": self.endpoint,
            "window": window_id(window_of(start, context)) if start else PurePath(self.data or "log").stem,
            "data": self.data or self.predictions,
            "compared_with": "training" if sides else None,
            "rival": f"version {fallback}" if fallback else None,
        }
        drifts = check.compare(*sides) if check and sides else []
        return file_report(context, self.model_registry(), live, drifts, found, sides=sides, **about)

    def _live(self, endpoint: Endpoint, serving: ServingHook) -> ModelVersion:
        traffic = serving.traffic(endpoint.model)
        if not traffic:
            raise NotFound("nothing serves on this endpoint", target=self.endpoint, hint="deploy a version first")
        most = max(traffic, key=lambda version: traffic[version])
        return self.model_registry().get(ModelUri(endpoint.model, version=most))

    def _table(self, live: ModelVersion) -> tuple[pd.DataFrame, list[str]]:
        """The inputs and the labels, and which columns are there only to slice by."""
        uri = str(self.data)
        table = read_table(uri)
        features, _ = split_labels(table, self.target, uri)
        signature = self.model_store().read_manifest(live.artifact_uri).signature
        inputs = input_columns(signature, features)
        groups = [name for name in self.slices if name in features and name not in inputs]
        return table[[*inputs, *groups, self.target]], groups

    def _fallback(self, endpoint: Endpoint, serving: ServingHook, live: int) -> int | None:
        """The version that a rollback would restore, if it is loaded and can be asked."""
        below = self._below(endpoint, live)
        ready = below and serving.versions(endpoint.model).get(below) is VersionState.READY
        return below if ready else None

    def _below(self, endpoint: Endpoint, live: int) -> int | None:
        newest = Ledger(self.model_store(), endpoint).newest()
        below = newest.standing.below(live) if newest else None
        return below.version if below else None

    def _profile(self, live: ModelVersion) -> Profile | None:
        from model_lifecycle.core.profile import Profile

        try:
            return Profile.from_json(self.model_store().read_file(live.artifact_uri, PROFILE_NAME))
        except NotFound:
            return None
