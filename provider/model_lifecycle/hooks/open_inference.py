"""Servers that speak the Open Inference Protocol v2: the embedded scorer, and others as far as they go.

The protocol has no call that sets traffic. The scorer adds one; a server without it can be asked and loaded here, and
:meth:`~OpenInferenceHook.route` says that it cannot route.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.serving import Answer, Columns, ServingHook, VersionState
from model_lifecycle.hooks.session import ConnectionSession, url_path
from model_lifecycle.hooks.staging import stage_into
from model_lifecycle.hooks.tensors import state_of, to_answer, to_tensors
from model_lifecycle.stores.base import ModelStore


class OpenInferenceHook(ServingHook):
    """One server of the Open Inference Protocol behind a connection of type ``open_inference``.

    Host, port, login and password (alone: a bearer token) lead to the server. Extras: ``repository``, the folder from
    which it loads models, as the workers see it; ``verify``, ``cert``, ``key`` and ``timeout`` as for every server
    (:mod:`model_lifecycle.hooks.session`).

    :param serving_conn_id: the connection.
    """

    default_conn_name = "open_inference_default"
    conn_type = "open_inference"
    hook_name = "Open Inference Protocol v2"
    can_split = True

    def __init__(self, serving_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.serving_conn_id = serving_conn_id

    @cached_property
    def session(self) -> ConnectionSession:
        """The HTTP session; the connection is read when it is first used."""
        return ConnectionSession(self._connection)

    def get_conn(self) -> ConnectionSession:
        """The HTTP session of this hook."""
        return self.session

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the server is there and ready; for the button of the connection form."""
        try:
            server = self.session.call("GET", "/v2", retry=False).json()
            self.session.call("GET", "/v2/health/ready", retry=False)
        except ModelLifecycleError as error:
            return False, str(error)
        return True, f"{server.get('name', 'the server')} {server.get('version', '')} is ready"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Fetch the artifact into the server's model repository; see the contract."""
        stage_into(self._repository, model, version, artifact_uri, store)

    def load(self, model: str, version: int) -> None:
        """Begin to load a staged version.

        :raises NotFound: if the server finds no such folder: it was not staged, or the connection's ``repository`` is
            not the server's.
        """
        self._change("load", model, version)

    def unload(self, model: str, version: int) -> None:
        """Forget a version; see the contract."""
        self._change("unload", model, version)

    def versions(self, model: str) -> dict[int, VersionState]:
        """The versions that are loaded, being loaded, or could not be."""
        return {version: VersionState(state) for version, (state, _) in self._index(model).items()}

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        state, reason = self._index(model).get(version, (None, None))
        return (reason or "no reason given") if state == VersionState.FAILED else None

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask for a prediction; see the contract.

        :raises Invalid: also if the model itself fails for these inputs: asking again would change nothing.
        """
        path = _model_path(model, version) + "/infer"
        body = {"inputs": to_tensors(inputs)}
        response = self.session.call("POST", path, json=body, errors={500: Invalid})
        return to_answer(response.json(), response.headers.get("x-model-version"))

    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, read from the server."""
        return self._route("GET", model)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the traffic; see the contract."""
        shares = list(traffic.values())
        if any(type(share) is not int or share < 0 for share in shares) or (shares and sum(shares) != 100):
            raise Invalid(f"traffic {dict(traffic)} is not whole per cent that sum to 100", target=self.session.target)
        self._route("PUT", model, {"traffic": {str(version): share for version, share in traffic.items()}})

    @cached_property
    def _connection(self) -> Any:
        return BaseHook.get_connection(self.serving_conn_id)

    @property
    def _repository(self) -> Path:
        folder = self._connection.extra_dejson.get("repository")
        if not isinstance(folder, str) or not Path(folder).is_absolute():
            raise Invalid(
                "the connection's extra repository is not an absolute path",
                target=self.serving_conn_id,
                hint="set it to the folder from which the server loads models, as the workers see it",
            )
        return Path(folder)

    def _change(self, verb: str, model: str, version: int) -> None:
        path = url_path("v2", "repository", "models", check_name(model, "model name"), verb)
        self.session.call("POST", path, json={"parameters": {"version": str(version)}})

    def _index(self, model: str) -> dict[int, tuple[str, str | None]]:
        check_name(model, "model name")
        found = {}
        for entry in self.session.call("POST", url_path("v2", "repository", "index"), json={}).json():
            state, version = state_of(entry), str(entry.get("version", ""))
            if entry.get("name") == model and state and version.isascii() and version.isdigit():
                found[int(version)] = (state, entry.get("reason") or None)
        return found

    def _route(self, method: str, model: str, body: Any = None) -> dict[int, int]:
        path = _model_path(model) + "/route"
        try:
            value = self.session.call(method, path, json=body, errors={405: NotFound, 501: NotFound}).json()
            return {int(version): int(percent) for version, percent in value["traffic"].items() if percent}
        except NotFound as error:
            raise Invalid(
                "this server has no call that sets or shows traffic",
                target=self.session.target,
                model=model,
                hint="use the scorer of this package (model-lifecycle-scorer), which has one",
            ) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Invalid(f"the answer to {method} {path} is no traffic", target=self.session.target) from error


def _model_path(model: str, version: int | None = None) -> str:
    path = url_path("v2", "models", check_name(model, "model name"))
    return path if version is None else path + url_path("versions", version)
