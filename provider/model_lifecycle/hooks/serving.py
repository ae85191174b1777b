"""The contract of a serving system, and how a backend is found by its connection's type."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from airflow.sdk import BaseHook

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.connected import Connected
from model_lifecycle.hooks.finding import find_hook, wrong_kind
from model_lifecycle.hooks.metrics import MetricsHook
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.stores.base import ModelStore

SERVING_TYPES = (
    "open_inference, torchserve, tensorflow_serving, mlflow_serving, multi_model_server or sagemaker_endpoint"
)
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


class ServingHook(Connected, MetricsHook):
    """One serving system behind one connection.

    Every verb is absolute and repeatable: doing it twice is doing it once (Law 3). Every call has a connect and a
    read time-out and raises errors of :mod:`model_lifecycle.core.errors` only.

    :param serving_conn_id: the connection; ``default_conn_name`` of the class by default.
    """

    conn_name_attr = "serving_conn_id"
    declared = ("conn_type", "hook_name", "can_split")
    can_split: ClassVar[bool]
    """Whether :meth:`route` can share traffic between versions by per cent."""
    can_mirror: ClassVar[bool] = False
    """Whether :meth:`mirror` can send copies of requests to a version whose answers nobody gets."""
    counts_requests: ClassVar[bool] = False
    """Whether :meth:`counts` knows each version's requests; without them no check can judge a release."""
    serves_first: ClassVar[bool] = False
    """Whether the server gives all traffic to the first version of a model that it loads, asked or not."""

    def __init__(self, serving_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.serving_conn_id = serving_conn_id or self.default_conn_name

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

    def mirrored(self, model: str) -> dict[int, int]:
        """Per cent of requests that are copied, by version; empty where nothing is."""
        return {}

    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        """Send copies of so many per cent of the requests to a version; an empty map ends it.

        :raises Conflict: if the version is not READY.
        :raises Invalid: if the backend cannot mirror, or the map names more than one version.
        """
        if mirrored:
            hint = "put a router that can, of type envoy, before it: the extra router_conn_id of the connection"
            raise Invalid(f"{self.hook_name} cannot mirror requests", model=model, hint=hint)

    def counts(self, model: str) -> dict[int, Counts]:
        """What each version was asked; empty for a server that does not count by version."""
        return {}


class RoutableHook(ServingHook):
    """A serving system whose versions each have an address of their own, so that a router can share traffic out.

    The extra ``router_conn_id`` of its connection names the router; :func:`serving_hook` then puts both together.
    """

    can_split = False

    @abstractmethod
    def address(self, model: str, version: int) -> str:
        """The URL of one READY version's own prediction call, ``http://host:port/path``.

        :raises NotFound: if the version is not loaded, where the server has to be asked for the URL.
        """

    @abstractmethod
    def ask(
        self, session: ConnectionSession, path: str, model: str, inputs: Columns, headers: Mapping[str, str]
    ) -> Answer:
        """Ask at ``path`` of a session that leads to the server, directly or through a router.

        :param headers: sent along; the header ``x-model-version`` of the answer tells who answered.
        :raises Invalid: if the server refuses the inputs, or the model fails for them.
        :raises NotFound: if nothing answers there.
        """

    def traffic(self, model: str) -> dict[int, int]:
        """Nothing: the server itself cannot be told who answers unversioned calls."""
        raise self._needs_router(model)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Refused: the server itself cannot be told who answers unversioned calls."""
        raise self._needs_router(model)

    def _needs_router(self, model: str) -> Invalid:
        return Invalid(
            f"{self.hook_name} has no call that sets or shows traffic",
            model=model,
            hint="name a router, of type haproxy or envoy, in the extra router_conn_id of the connection",
        )


def serving_hook(conn_id: str) -> ServingHook:
    """The hook for a serving connection, found by the connection's type, behind its router if it names one.

    :raises Invalid: if there is no such connection, or it is of another kind.
    """
    from model_lifecycle.hooks.routed import routed

    hook = find_hook(conn_id, SERVING_TYPES)
    if not isinstance(hook, ServingHook):
        raise wrong_kind(conn_id, "serves no models", SERVING_TYPES)
    router = BaseHook.get_connection(conn_id).extra_dejson.get("router_conn_id")
    return routed(hook, str(router)) if router else hook
