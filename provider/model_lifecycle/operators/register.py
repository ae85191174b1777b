"""Register an uploaded artifact as a version of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from model_lifecycle.assets import model as assets
from model_lifecycle.core.errors import Conflict, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.registry import ModelRegistryHook
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.telling import tell

TAG_PREFIX = "model_lifecycle."
PROFILE_NAME = "profile.json"


class RegisterModelOperator(ModelLifecycleOperator):
    """Make an artifact a version, once: a digest that a version already has returns that version.

    The version's tags name the DAG, the run, the data interval, the git commit, and the digests of the manifest and
    of the profile; its link leads back to the task.

    :param model_name: the registered model's name.
    :param artifact_uri: what :class:`UploadModelOperator` returned.
    :param alias: an alias to set on the version, such as ``challenger``, unless a newer version has it. ``champion``
        is moved by :class:`PromoteModelOperator` only.
    :param tags: further tags.
    :param description: a text for people, in markdown.
    :param mlflow_run_id: the training run in the registry's own tracking system.
    :returns: the model URI, ``models:/<name>/<version>``.
    """

    template_fields = (
        *ModelLifecycleOperator.template_fields,
        "model_name",
        "artifact_uri",
        "alias",
        "tags",
        "description",
        "mlflow_run_id",
    )
    tells = True

    def __init__(
        self,
        *,
        model_name: str,
        artifact_uri: str,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        mlflow_run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.artifact_uri = artifact_uri
        self.alias = alias
        self.tags = tags
        self.description = description
        self.mlflow_run_id = mlflow_run_id

    def perform(self, context: Context, **resumed: Any) -> str:
        """Read the manifest back from the store, then register what it says."""
        manifest = self.model_store().read_manifest(self.artifact_uri)
        self._check(manifest)
        registry = self.model_registry()
        version = registry.register(
            self.model_name,
            self.artifact_uri,
            manifest.digest,
            tags={**manifest_tags(manifest), **(self.tags or {})},
            description=self.description,
            run_id=self.mlflow_run_id,
            link=getattr(context["ti"], "log_url", None),
        )
        facts = {"model": version.name, "version": version.version, "digest": version.digest, "model_uri": version.uri}
        tell(context, assets.versions(version.name), "registration", str(version.version), **facts)
        if self.alias and self._point_alias(registry, version, self.alias):
            facts["alias"] = self.alias
            tell(context, assets.alias(version.name, self.alias), "registration", str(version.version), **facts)
        self.log.info("%s is %s", self.artifact_uri, version.uri)
        return version.uri

    def _point_alias(self, registry: ModelRegistryHook, version: ModelVersion, alias: str) -> bool:
        """Aliases only move forward: an old run that is cleared and run again takes none from a newer version."""
        try:
            holder = registry.get(ModelUri(self.model_name, alias=alias)).version
        except NotFound:
            holder = 0
        if holder > version.version:
            self.log.info("Alias %s stays at the newer version %s", alias, holder)
        else:
            registry.set_alias(self.model_name, alias, version.version)
        return holder <= version.version

    def _check(self, manifest: Manifest) -> None:
        if self.alias:
            check_name(self.alias, "alias")
        if manifest.model != self.model_name:
            raise Conflict(
                f"the artifact was uploaded for model {manifest.model}",
                target=self.artifact_uri,
                model=self.model_name,
                hint="register it under that name, or upload it again under this one",
            )


def manifest_tags(manifest: Manifest) -> dict[str, str]:
    """The tags of a version: its provenance and the digests of what it rests on."""
    tags = {TAG_PREFIX + name: text for name, text in manifest.provenance.items() if name != "training_data"}
    profile = next((entry for entry in manifest.files if entry.path == PROFILE_NAME), None)
    if profile:
        tags[TAG_PREFIX + "profile_digest"] = profile.sha256
    return {**tags, TAG_PREFIX + "size": str(manifest.size)}
