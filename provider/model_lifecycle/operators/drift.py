"""Decide whether a window of data still looks as the model was trained on, or as the window before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from model_lifecycle.core.checks import Measurement, Verdict, log_evidence, report
from model_lifecycle.core.errors import Corrupt, Invalid, NotFound
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.core.windows import check_kind, merged_folder, verdict_folder, window_id
from model_lifecycle.hooks.metrics import metrics_connection
from model_lifecycle.operators.reports import DriftReportLink, file_report
from model_lifecycle.operators.results import publish_result
from model_lifecycle.operators.windows import ProfilingBase, Windows, window_of

if TYPE_CHECKING:
    from model_lifecycle.core.drift import ColumnDrift
    from model_lifecycle.core.monitoring import Drift
    from model_lifecycle.core.profile import Profile

SCHEMA = 1
JOB = "model_lifecycle_drift"


class ModelDriftOperator(ProfilingBase):
    """Add up the profiles of one window, compare them with training or with another window, and decide.

    Drift is a verdict, not an error: the task succeeds and returns FAIL, and the DAG decides. The merged profile and
    the verdict are kept, so that the next windows find them.

    :param profiles: what :class:`ProfileDataOperator` returned: one URI, or those of a mapped task.
    :param model_uri: the version whose ``profile.json`` the profiles were counted into.
    :param reference: or the URI of the profile that they were counted into.
    :param window: what to compare with: ``training``, ``previous``, ``last_week`` or ``last_year``.
    :param consecutive: in how many windows on end drift must be found until ``persisted`` is true.
    :param check: how to compare; drift decides by default.
    :param name: under which windows are kept; the model's name by default.
    :param window_start: when the window begins; the data interval's start by default.
    :param endpoint: ``<serving_conn_id>/<model>``, for the report and for metrics.
    :param metrics_conn_id: connection of the metric system that is told of the results; ``[model_lifecycle]
        metrics_conn_id`` by default. Needs ``endpoint`` and ``model_uri``.
    :returns: the verdict with its evidence, JSON: also ``drifted``, the columns, ``persisted``, and ``profile``, the
        URI of the merged profile, and ``drift_report``, where the report was filed with the version, if one is named.
    """

    operator_extra_links = (*ProfilingBase.operator_extra_links, DriftReportLink())
    dashboard = "model-lifecycle-drift"
    template_fields: Sequence[str] = (
        *ProfilingBase.template_fields,
        *("profiles", "window", "endpoint", "metrics_conn_id"),
    )

    def __init__(
        self,
        *,
        profiles: str | Sequence[str],
        window: str = "training",
        consecutive: int = 2,
        check: Drift | None = None,
        endpoint: str | None = None,
        metrics_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.profiles = profiles
        self.window = window
        self.consecutive = consecutive
        self.check = check
        self.endpoint = endpoint
        self.metrics_conn_id = metrics_conn_id

    def perform(self, context: Context, **resumed: Any) -> dict[str, Any]:
        """Merge, compare, judge, keep, publish."""
        self._check_arguments()
        store, version = self.model_store(), self.version()
        windows, start = self.windows(store, version), window_of(self.window_start, context)
        trained = self.reference_of(store, version)
        if trained is None:
            raise Invalid("nothing to compare with is named", hint="pass model_uri= or reference=")
        seen = self._merged(store)
        merged = store.keep_document(merged_folder(windows.name, window_id(start)), seen.to_json())
        looked = self._look(windows, start, trained, seen)
        persisted = self._keep(windows, start, trained, looked)
        result = report(
            looked.found,
            name=windows.name,
            endpoint=self.endpoint,
            version=version.version if version else None,
            window=window_id(start),
            compared_with=looked.compared_with,
            profile=merged,
            rows=seen.rows,
            drifted=looked.columns,
            persisted=persisted,
        )
        log_evidence(self.log, f"{windows.name} {window_id(start)}", looked.found)
        result["drift_report"] = self._file(context, version, result, looked)
        told = metrics_connection(self.metrics_conn_id)
        if told and version is not None and self.endpoint:
            publish_result(told, JOB, result, looked.drifts)
        return result

    def _check_arguments(self) -> None:
        check_kind(self.window)
        if type(self.consecutive) is not int or self.consecutive < 1:
            raise Invalid(f"consecutive is {self.consecutive!r}", hint="give a number of windows, at least 1")
        if self.metrics_conn_id and not (self.endpoint and self.model_uri):
            raise Invalid("published results need an endpoint and a version", hint="pass endpoint= and model_uri=")

    def _merged(self, store: Any) -> Profile:
        from model_lifecycle.core.profile import Profile

        given = [self.profiles] if isinstance(self.profiles, str) else list(self.profiles)
        uris = list(dict.fromkeys(uri for uri in given if uri))
        if not uris:
            raise Invalid("there are no profiles to merge", hint="pass what ProfileDataOperator returned")
        return reduce(Profile.merge, (Profile.from_json(store.read_document(uri)) for uri in uris))

    def _look(self, windows: Windows, start: datetime, trained: Profile, seen: Profile) -> _Looked:
        from model_lifecycle.core.monitoring import Drift

        check = self.check or Drift(critical=True)
        try:
            label, base = self._base(windows, start, trained)
        except NotFound as error:
            return self._nothing(check, error.message)
        chosen, counted, predicted = _comparable(base, seen)
        if not _same_cells(chosen, counted) and self.window != "training":
            return self._nothing(check, f"the profile of {label} was counted into the cells of another reference")
        drifts = check.compare(chosen, counted)
        found = check.judge_columns(drifts, predictions=predicted)
        told = [replace(one, reason=f"{one.reason}, against {label}") for one in found]
        return _Looked(label, drifts, told, (chosen, counted))

    def _nothing(self, check: Drift, why: str) -> _Looked:
        names, reason = ("feature_drift", "prediction_drift"), f"nothing to compare with: {why}"
        found = [Measurement(name, Verdict.NO_DATA, reason=reason, critical=check.critical) for name in names]
        return _Looked(None, [], found)

    def _base(self, windows: Windows, start: datetime, trained: Profile) -> tuple[str, Profile]:
        from model_lifecycle.core.profile import Profile

        if self.window == "training":
            return self.window, trained
        window, uri = windows.compared(self.window, start)
        return window, Profile.from_json(windows.store.read_document(uri))

    def _keep(self, windows: Windows, start: datetime, trained: Profile, looked: _Looked) -> bool:
        """Keep this window's verdict; tell whether it is the last of so many on end that found drift.

        Only verdicts about the same reference count: a new version begins anew.
        """
        cells = sha256(trained.to_json()).hexdigest()
        before = list(islice(windows.before(start), self.consecutive - 1))
        enough = looked.failed and len(before) == self.consecutive - 1
        persisted = enough and all(self._failed(windows, window, cells) for window in before)
        value = {
            "schema": SCHEMA,
            "reference": cells,
            "compared_with": looked.compared_with,
            "failed": looked.failed,
            "persisted": persisted,
            "drifted": looked.columns,
            "verdicts": {one.check: str(one.verdict) for one in looked.found},
        }
        data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        windows.store.keep_document(verdict_folder(windows.name, window_id(start), self.window), data)
        return persisted

    def _failed(self, windows: Windows, window: str, cells: str) -> bool:
        try:
            uri = windows.store.newest_document(verdict_folder(windows.name, window, self.window))
            kept = json.loads(windows.store.read_document(uri))
            return bool(kept["failed"]) and kept["reference"] == cells
        except NotFound:
            return False
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"the verdict of {window} cannot be read: {error!r}", target=uri) from error

    def _file(
        self, context: Context, version: ModelVersion | None, result: dict[str, Any], looked: _Looked
    ) -> dict[str, Any] | None:
        if version is None:
            return None
        about = {key: result[key] for key in ("endpoint", "window", "profile")}
        about["compared_with"] = looked.compared_with or self.window
        registry = self.model_registry()
        return file_report(context, registry, version, looked.drifts, looked.found, sides=looked.sides, **about)


@dataclass(frozen=True)
class _Looked:
    """What a comparison found."""

    compared_with: str | None
    drifts: Sequence[ColumnDrift]
    found: Sequence[Measurement]
    sides: tuple[Profile, Profile] | None = None

    @property
    def columns(self) -> list[str]:
        return [drift.name for drift in self.drifts if drift.finding.alarms]

    @property
    def failed(self) -> bool:
        return any(one.verdict is Verdict.FAIL for one in self.found)


def _comparable(base: Profile, seen: Profile) -> tuple[Profile, Profile, bool]:
    """Both without the columns that were excluded, and without predictions if the data never had any."""
    from model_lifecycle.core.drift import PREDICTION
    from model_lifecycle.core.profile import Profile

    kept = [name for name in base.columns if name in seen.columns]
    found = seen.columns.get(PREDICTION)
    predicted = found is not None and found.absent < found.rows
    if not predicted:
        kept = [name for name in kept if name != PREDICTION]
    chosen = [Profile(one.rows, {name: one.columns[name] for name in kept}) for one in (base, seen)]
    return chosen[0], chosen[1], predicted


def _same_cells(one: Profile, other: Profile) -> bool:
    return all((a.type, a.labels) == (other.columns[name].type, other.columns[name].labels)
               for name, a in one.columns.items())  # fmt: skip
