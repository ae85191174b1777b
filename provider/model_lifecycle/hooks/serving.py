"""The contract of a serving system, and how a backend is found by its connection's type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from inspect import isabstract
from typing import Any, ClassVar

from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores.base import ModelStore

Columns = Mapping[str, Sequence[Any]]
"""Named columns of equal length; the rows of a request."""


class VersionState(StrEnum):
    """What a server says about one version it knows."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered: the version that says it answered, and its output columns in order."""

    version: int | None
    outputs: Mapping[str, Sequence[Any]]


class ServingHook(BaseHook, ABC):
    """One serving system behind one connection.

    Every verb is absolute and repeatable: doing it twice is doing it once (Law 3). Every call has a connect and a
    read time-out and raises errors of :mod:`model_lifecycle.core.errors` only.
    """

    conn_name_attr: ClassVar[str] = "serving_conn_id"
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    can_split: ClassVar[bool]
    """Whether :meth:`route` can share traffic between versions by per cent."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A backend that declares itself badly fails when its module is imported, not hours later in the triggerer.
        missing = [name for name in ("conn_type", "hook_name", "can_split") if not hasattr(cls, name)]
        if missing and not isabstract(cls):
            raise TypeError(f"{cls.__name__} must declare {', '.join(missing)}")

    @abstractmethod
    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Bring the artifact, proven, to where the server can load it; answers nothing yet."""

    @abstractmethod
    def load(self, model: str, version: int) -> None:
        """Ask the server to load a staged version; returns at once or when it is loaded.

        A version that cannot be loaded shows as FAILED in :meth:`versions`; what served before goes on serving.
        """

    @abstractmethod
    def unload(self, model: str, version: int) -> None:
        """Ask the server to forget a version; nothing happens if it is not loaded.

        :raises Conflict: if the version has traffic.
        """

    @abstractmethod
    def versions(self, model: str) -> dict[int, VersionState]:
        """What the server knows of a model's versions; empty if nothing."""

    @abstractmethod
    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, in the server's words, or None."""

    @abstractmethod
    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask the endpoint; with ``version`` pinned to it, without as any caller would.

        :raises Invalid: if the server refuses the inputs.
        :raises NotFound: if the version, or any version, does not serve.
        """

    @abstractmethod
    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version for unversioned calls, read from the server; empty if nothing serves."""

    @abstractmethod
    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the traffic, all at once; an empty map makes unversioned calls NotFound.

        :raises Conflict: if a version in the map is not READY; the old traffic stays.
        :raises Invalid: if the map does not sum to 100, or the backend cannot split.
        """


def serving_hook(conn_id: str) -> ServingHook:
    """The hook for a serving connection, found by the connection's type.

    :raises Invalid: if the connection is of another kind.
    """
    hook = BaseHook.get_hook(conn_id)
    if not isinstance(hook, ServingHook):
        raise Invalid(
            f"connection {conn_id} is of a type that serves no models",
            target=conn_id,
            hint="use a connection of type open_inference",
        )
    return hook
