"""The contract of a model registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow.sdk import BaseHook

from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.hooks.finding import find_hook, wrong_kind

DIGEST_TAG = "model_lifecycle.digest"


@dataclass(frozen=True)
class ModelState:
    """What a watcher has to know of a model: its newest version, 0 if it has none, and what its aliases name."""

    newest: int
    aliases: Mapping[str, int] = field(default_factory=dict)


class ModelRegistryHook(BaseHook, ABC):
    """Versions, aliases and tags of registered models.

    There is no verb that deletes a version: what serves or what a rollback needs cannot be lost through us (Law 7).
    """

    @abstractmethod
    def register(
        self,
        name: str,
        artifact_uri: str,
        digest: str,
        *,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        run_id: str | None = None,
        link: str | None = None,
    ) -> ModelVersion:
        """Return the version that has this digest, and create it (and the model) only if there is none.

        :param tags: set on a new version together with the digest, in the same call.
        :param run_id: the training run's id in the registry's own tracking system.
        :param link: a URL back to the task that registers.
        :raises Conflict: if the digest is registered with another artifact URI's path.
        """

    @abstractmethod
    def get(self, uri: ModelUri) -> ModelVersion:
        """The version a model URI names.

        :raises NotFound: if there is no such model, version or alias.
        """

    @abstractmethod
    def get_by_digest(self, name: str, digest: str) -> ModelVersion | None:
        """The lowest version with this manifest digest, or None."""

    @abstractmethod
    def search(self, name: str, tags: Mapping[str, str] | None = None) -> Sequence[ModelVersion]:
        """All versions of a model with all these tags, newest first; empty if the model does not exist."""

    @abstractmethod
    def survey(self) -> Mapping[str, ModelState]:
        """All models at one look, in as few requests as can be: what watchers ask at every poll."""

    @abstractmethod
    def tagged(self, tags: Mapping[str, str]) -> Mapping[str, Sequence[int]]:
        """The versions of any model that have all these tags, ascending, by the model's name."""

    @abstractmethod
    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version; nothing happens if it does so already.

        :raises NotFound: if there is no such version.
        """

    @abstractmethod
    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; nothing happens if it does not exist."""

    @abstractmethod
    def set_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags on a version, replacing equal keys."""

    @abstractmethod
    def attach_file(self, name: str, version: int, path: str, data: bytes, content_type: str) -> str:
        """Keep a small file with a version, in place of one of the same path, and return the address of its page.

        The address holds no credentials and stays the same for the same path.

        :param path: such as ``drift_reports/2013-12/report.html``; its ending tells readers its type.
        :param content_type: what it is, for registries that ask.
        :raises NotFound: if there is no such version.
        :raises Invalid: if the path is not allowed, or the registry takes no files.
        """

    @abstractmethod
    def version_url(self, name: str, version: int) -> str | None:
        """The page of a version in the registry's own UI, or None where there is none."""


def registry_hook(conn_id: str) -> ModelRegistryHook:
    """The hook for a registry connection, found by the connection's type.

    :raises Invalid: if there is no such connection, or it is of another kind.
    """
    hook = find_hook(conn_id, "mlflow")
    if not isinstance(hook, ModelRegistryHook):
        raise wrong_kind(conn_id, "is no model registry", "mlflow")
    return hook
