"""The calls of the Open Inference Protocol v2 and its repository extension, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from model_lifecycle.core.errors import Invalid, ModelLifecycleError
from model_lifecycle.hooks.serving import Answer
from model_lifecycle.hooks.session import ConnectionSession, url_path
from model_lifecycle.hooks.tensors import to_answer

Tensors = Sequence[Mapping[str, Any]]


class InferenceCalls(Protocol):
    """The calls, whatever carries them. Names are those of the server's own models; a version is one that it knows."""

    timeout: float
    """Seconds that a call may stay silent."""

    def index(self) -> list[dict[str, str]]:
        """What the server's repository holds: ``name``, ``version``, ``state`` and ``reason`` of each."""

    def load(self, name: str) -> None:
        """Load a model, which may take until the answer comes.

        :raises Invalid: with the server's words, if it cannot be loaded.
        :raises NotFound: if the server finds no such model in its repository.
        """

    def unload(self, name: str) -> None:
        """Unload a model.

        :raises NotFound: if it is not loaded.
        """

    def infer(self, name: str, version: int | None, tensors: Tensors) -> Answer:
        """Ask for a prediction.

        :raises Invalid: if the server refuses the inputs, or the model fails for them.
        :raises NotFound: if no such model is loaded.
        """


class RestCalls:
    """:class:`InferenceCalls` over HTTP."""

    # What a server says of a model that it could not load is no trouble of its own: KServe 503, MLServer 500.
    _CANNOT_LOAD: Mapping[int, type[ModelLifecycleError]] = {500: Invalid, 503: Invalid}

    def __init__(self, session: ConnectionSession) -> None:
        self.session = session
        self.timeout = session.timeout

    def index(self) -> list[dict[str, str]]:
        """Ask the repository extension."""
        path = url_path("v2", "repository", "index")
        return _list(self.session.call("POST", path, json={}).json(), self.session.target)

    def load(self, name: str) -> None:
        """Ask once: a second load of a version that ended the server would end it again."""
        path = url_path("v2", "repository", "models", name, "load")
        self.session.call("POST", path, json={}, retry=False, errors=self._CANNOT_LOAD)

    def unload(self, name: str) -> None:
        """Ask; a repeated call says NotFound."""
        self.session.call("POST", url_path("v2", "repository", "models", name, "unload"), json={})

    def infer(self, name: str, version: int | None, tensors: Tensors) -> Answer:
        """Ask at the model's own path."""
        return infer_at(self.session, model_path(name, version) + "/infer", tensors)


def infer_at(
    session: ConnectionSession, path: str, tensors: Tensors, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask for a prediction at a path of that session.

    :raises Invalid: also if the model itself fails for these inputs: asking again would change nothing.
    """
    response = session.call("POST", path, json={"inputs": list(tensors)}, headers=headers, errors={500: Invalid})
    return to_answer(response.json(), response.headers.get("x-model-version"))


def model_path(name: str, version: int | None = None) -> str:
    """Where a model, or one of its versions, is asked."""
    path = url_path("v2", "models", name)
    return path if version is None else path + url_path("versions", version)


def _list(value: Any, target: str) -> list[dict[str, str]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Invalid("the answer is no index of a model repository", target=target)
    return value
