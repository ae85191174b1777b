"""Evaluate a candidate against the champion, on labels neither has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import Context, ObjectStoragePath

from model_lifecycle.core.checks import Measurement, Verdict, log_evidence, report
from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.models import CHAMPION, ModelUri, ModelVersion
from model_lifecycle.core.telling import EVALUATED_TAG
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.operators.base import SECTION, ModelLifecycleOperator, task_key
from model_lifecycle.operators.data import input_columns, read_table, scores, split_labels
from model_lifecycle.operators.reports import note_verdict
from model_lifecycle.stores.trusted import TrustedStore

if TYPE_CHECKING:
    import pandas as pd

RIVAL_TAG = "model_lifecycle.rival."
"""With the key of the task that compared: what it compared with."""
NOBODY = "nobody"


class EvaluateModelOperator(ModelLifecycleOperator):
    """Judge a candidate against the champion on the same newest labelled rows.

    Both versions are fetched, proven, looked through by the trust policy, and loaded by MLflow in this worker. The
    verdict rests on the confidence interval of the difference: PASS if the candidate is surely better by ``margin``,
    FAIL if it is surely not, INCONCLUSIVE if the rows cannot tell. Without a champion the candidate has to beat the
    constant prediction. Data that a version was trained on, as recorded by :class:`UploadModelOperator`, is refused.

    The rival is noted as a tag on the candidate: cleared and run again after the champion has changed, the task
    compares with the same version as before and comes to the same verdict.

    :param model_uri: the candidate.
    :param champion: the version to compare with; the model's ``champion`` by default.
    :param data: a Parquet or CSV file, as a path or URI.
    :param target: the column that holds the labels.
    :param metric: a metric of :mod:`model_lifecycle.core.quality`.
    :param margin: the smallest improvement that counts, in units of the metric; negative is a tolerated loss.
    :param min_samples: fewer rows are INCONCLUSIVE.
    :param trust: what the versions' files may be and may name, see :class:`~model_lifecycle.core.trust.TrustPolicy`;
        by default what ``[model_lifecycle] trust`` says.
    :returns: the verdict with its evidence, JSON.
    """

    template_fields: Sequence[str] = (
        *ModelLifecycleOperator.template_fields,
        "model_uri",
        "champion",
        "data",
        "target",
        "metric",
    )

    def __init__(
        self,
        *,
        model_uri: str,
        data: str,
        target: str,
        champion: str | None = None,
        metric: str = "log_loss",
        margin: float = 0.0,
        min_samples: int = 500,
        trust: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.data = data
        self.target = target
        self.champion = champion
        self.metric = metric
        self.margin = margin
        self.min_samples = min_samples
        self.trust = trust

    def perform(self, context: Context, **resumed: Any) -> dict[str, Any]:
        """Predict with both, compare, and say why."""
        registry = self.model_registry()
        candidate = registry.get(ModelUri.parse(self.model_uri))
        champion = self._rival(candidate, RIVAL_TAG + task_key(context))
        names = {"candidate": candidate.uri, "champion": champion.uri if champion else None, "data": self.data}
        if champion and champion.version == candidate.version:
            same = Measurement(self.metric, Verdict.PASS, reason=f"{candidate.uri} is the champion already")
            return report([same], metric=self.metric, **names)
        features, labels = split_labels(read_table(self.data), self.target, self.data)
        ours = self._predict(candidate, features)
        theirs = self._predict(champion, features) if champion else None
        found = [self._compare(labels.tolist(), ours, theirs)]
        log_evidence(self.log, f"{names['candidate']} against {names['champion'] or 'the constant prediction'}", found)
        result = report(found, metric=self.metric, **names)
        note_verdict(registry, candidate, EVALUATED_TAG, result)
        return result

    def _compare(self, labels: list[Any], ours: list[float], theirs: list[float] | None) -> Measurement:
        from model_lifecycle.core.quality import compare

        return compare(self.metric, labels, ours, theirs, margin=self.margin, min_samples=self.min_samples)

    def _rival(self, candidate: ModelVersion, tag: str) -> ModelVersion | None:
        """The version this task compared with when it first ran, or else the champion of today."""
        noted = candidate.tags.get(tag)
        if noted is not None:
            self.log.info("Comparing with the same rival as when this task first ran: %s", noted)
            return None if noted == NOBODY else self.model_registry().get(ModelUri.parse(noted))
        champion = self._champion(candidate)
        if champion is None or champion.version != candidate.version:
            rival = champion.uri if champion else NOBODY
            self.model_registry().set_tags(candidate.name, candidate.version, {tag: rival})
        return champion

    def _champion(self, candidate: ModelVersion) -> ModelVersion | None:
        wanted = ModelUri.parse(self.champion) if self.champion else ModelUri(candidate.name, alias=CHAMPION)
        try:
            return self.model_registry().get(wanted)
        except NotFound:
            if self.champion:
                raise
            self.log.info("%s has no %s yet: comparing with the constant prediction", candidate.name, CHAMPION)
            return None

    def _predict(self, version: ModelVersion, features: pd.DataFrame) -> list[float]:
        from mlflow import pyfunc

        store = TrustedStore(self.model_store(), self._policy())
        manifest = store.read_manifest(version.artifact_uri)
        self._refuse_training_data(version, manifest)
        inputs = features[input_columns(manifest.signature, features)]
        with TemporaryDirectory(prefix="model-") as folder:
            store.fetch(version.artifact_uri, Path(folder) / "artifact")
            model = pyfunc.load_model(str(Path(folder) / "artifact"), suppress_warnings=True)
            return scores(model.predict(inputs))

    def _policy(self) -> TrustPolicy:
        return TrustPolicy.parse(self.trust or conf.get(SECTION, "trust", fallback=None))

    def _refuse_training_data(self, version: ModelVersion, manifest: Manifest) -> None:
        with ObjectStoragePath(self.data).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if digest in manifest.provenance.get("training_data", "").split():
            raise Invalid(
                f"{self.data} is data that {version.uri} was trained on",
                model=version.name,
                version=version.version,
                hint="evaluate on newer rows",
            )
