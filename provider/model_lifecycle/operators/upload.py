"""Upload the files of a model to the model store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any

from airflow.sdk import Context

from model_lifecycle.assets.model import artifacts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.operators.base import ModelLifecycleOperator, provenance, task_key
from model_lifecycle.operators.telling import tell
from model_lifecycle.stores.folder import describe, signature_of

ABANDONED = timedelta(days=2)
"""After this long without a change a staging folder of ours belongs to nobody any more."""


class UploadModelOperator(ModelLifecycleOperator):
    """Publish a folder as an immutable artifact: whole, proven byte for byte, or not at all.

    Uploading the same folder again changes nothing and moves no bytes; a killed upload goes on where it stopped.

    :param model_name: the registered model's name.
    :param source: the folder with the model's files, as the worker sees it.
    :param training_data: the files the model was trained on; their digests are written into the provenance, and
        :class:`EvaluateModelOperator` refuses to judge the model on one of them.
    :param git_commit: the commit the training code came from.
    :param extra_provenance: further facts about where the model comes from, strings only.
    :returns: the artifact URI.
    """

    template_fields = (
        *ModelLifecycleOperator.template_fields,
        "model_name",
        "source",
        "training_data",
        "git_commit",
        "extra_provenance",
    )

    tells = True

    def __init__(
        self,
        *,
        model_name: str,
        source: str,
        training_data: Sequence[str] | str = (),
        git_commit: str | None = None,
        extra_provenance: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.source = source
        self.training_data = training_data
        self.git_commit = git_commit
        self.extra_provenance = extra_provenance

    def perform(self, context: Context, **resumed: Any) -> str:
        """Describe the folder, then publish it."""
        store, folder = self.model_store(), Path(self.source)
        facts = {**provenance(context), **(self.extra_provenance or {})}
        if self.git_commit:
            facts["git_commit"] = self.git_commit
        if self.training_data:
            facts["training_data"] = " ".join(data_digests(self.training_data))
        manifest = describe(folder, self.model_name, signature=signature_of(folder), provenance=facts)
        self.log.info("%s: %d files, %d bytes, digest %s", folder, len(manifest.files), manifest.size, manifest.digest)
        uri = store.publish(folder, manifest, owner=task_key(context))
        for name in store.sweep(self.model_name, ABANDONED):
            self.log.info("Removed the abandoned staging folder %s", name)
        self.log.info("Published %s", uri)
        facts = {"model": self.model_name, "digest": manifest.digest, "artifact_uri": uri}
        tell(context, artifacts(self.model_name), "upload", manifest.digest, **facts)
        return uri


def data_digests(files: Sequence[str] | str) -> list[str]:
    """SHA-256 of each data file, in hexadecimal.

    :raises Invalid: if a file cannot be read.
    """
    digests = []
    for name in [files] if isinstance(files, str) else files:
        try:
            with Path(name).open("rb") as file:
                digests.append(file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise Invalid(f"training data {name} cannot be read: {error.strerror}") from error
    return digests
