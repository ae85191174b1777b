"""Servers that speak the Open Inference Protocol v2: the embedded scorer, MLServer, and KServe's model server.

The protocol has no call that sets traffic. The scorer adds one, and counts by version; the others stand behind a
router.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.inputs import check_inputs
from model_lifecycle.hooks.named_versions import KServeVersions, MlServerVersions, NamedVersions
from model_lifecycle.hooks.once import once
from model_lifecycle.hooks.open_inference_grpc import GrpcInference
from model_lifecycle.hooks.open_inference_rest import InferenceCalls, RestCalls, infer_at, model_path
from model_lifecycle.hooks.router import VERSION_HEADER, check_traffic
from model_lifecycle.hooks.scorer_calls import ScorerCalls
from model_lifecycle.hooks.serving import Answer, Columns, RoutableHook, VersionState
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.staging import stage_into
from model_lifecycle.hooks.tensors import to_tensors
from model_lifecycle.stores.base import ModelStore

SCORER, MLSERVER, KSERVE = "scorer", "mlserver", "kserve"
MLFLOW_RUNTIME = "mlserver_mlflow.MLflowRuntime"


class OpenInferenceHook(RoutableHook):
    """One server of the Open Inference Protocol behind a connection of type ``open_inference``.

    Host, port, login and password (alone: a bearer token) lead to the server. Extras: ``repository``, the folder from
    which it loads models, as the workers see it; ``server`` (scorer, mlserver or kserve), where the server's own name
    does not tell; ``grpc``, an address ``host:port`` that predictions and the calls of MLServer's repository go to;
    ``implementation``, the runtime class that MLServer loads artifacts with; ``verify``, ``cert``, ``key`` and
    ``timeout`` as for every server (:mod:`model_lifecycle.hooks.session`).

    :param serving_conn_id: the connection.
    """

    default_conn_name = "open_inference_default"
    conn_type = "open_inference"
    folders = ("repository",)
    hook_name = "Open Inference Protocol v2"

    @property
    def can_split(self) -> bool:  # type: ignore[override]
        """Whether it is a scorer."""
        return self.server == SCORER

    @property
    def counts_requests(self) -> bool:  # type: ignore[override]
        """Whether it is a scorer: the others do not know which version answered an unversioned call."""
        return self.server == SCORER

    @cached_property
    def session(self) -> ConnectionSession:
        """The HTTP session; the connection is read when it is first used."""
        return ConnectionSession(self.connection)

    @cached_property
    def grpc(self) -> GrpcInference | None:
        """The gRPC side, if the connection names one."""
        address = self.connection.extra_dejson.get("grpc")
        return GrpcInference(self.connection, str(address)) if address else None

    @once
    def server(self) -> str:
        """Which server it is, by the extra ``server`` or by what it calls itself.

        :raises Invalid: if neither tells.
        """
        said = self.connection.extra_dejson.get("server") or self._metadata().get("name", "")
        found = {"model-lifecycle-scorer": SCORER}.get(str(said), str(said))
        if found not in (SCORER, MLSERVER, KSERVE):
            hint = "set the extra server of the connection to scorer, mlserver or kserve"
            raise Invalid(f"{said!r} is no server that we know", target=self.session.target, hint=hint)
        return found

    def get_conn(self) -> ConnectionSession:
        """The HTTP session of this hook."""
        return self.session

    def prove_connection(self) -> str:
        """Prove that the server is there and ready."""
        server = self._metadata(retry=False)
        if "name" not in server:
            message = "the answer to GET /v2 is none of the Open Inference Protocol's"
            raise Invalid(message, target=self.session.target, hint="is this the right port?")
        self.session.call("GET", "/v2/health/ready", retry=False)
        return f"{server.get('name', 'the server')} {server.get('version', '')} is ready"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Fetch the artifact into the server's model repository; see the contract."""
        repository = self._repository
        if self._named is None:
            stage_into(repository, model, version, artifact_uri, store)
        else:
            self._named.stage(model, version, artifact_uri, store)

    def load(self, model: str, version: int) -> None:
        """Begin to load a staged version.

        :raises NotFound: if the server finds no such folder: it was not staged, or the connection's ``repository`` is
            not the server's.
        """
        if self._named is None:
            self._scorer.change("load", model, version)
        else:
            self._named.load(model, version)

    def unload(self, model: str, version: int) -> None:
        """Forget a version; see the contract."""
        if self._named is None:
            self._scorer.change("unload", model, version)
        else:
            self._named.unload(model, version)

    def versions(self, model: str) -> dict[int, VersionState]:
        """The versions that are loaded, being loaded, or could not be."""
        if self._named is not None:
            return self._named.versions(model)
        return {version: VersionState(state) for version, (state, _) in self._scorer.states(model).items()}

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        if self._named is not None:
            return self._named.failure(model, version)
        state, reason = self._scorer.states(model).get(version, (None, None))
        return (reason or "no reason given") if state == VersionState.FAILED else None

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask for a prediction; see the contract.

        :raises Invalid: also if the model itself fails for these inputs: asking again would change nothing.
        """
        tensors = self._tensors(check_name(model, "model name"), inputs, version)
        calls = self.grpc or RestCalls(self.session)
        if self._named is None or version is None:
            return calls.infer(model, version, tensors)
        return calls.infer(self._named.name(model, version), None, tensors)

    def address(self, model: str, version: int) -> str:
        """Where the router finds a version; see the contract."""
        check_name(model, "model name")
        named = self._named
        path = model_path(model, version) if named is None else model_path(named.name(model, version))
        return f"{self.session.url}{path}/infer"

    def ask(
        self, session: ConnectionSession, path: str, model: str, inputs: Columns, headers: Mapping[str, str]
    ) -> Answer:
        """Ask in the protocol's words; see the contract."""
        pinned = headers.get(VERSION_HEADER)
        tensors = self._tensors(check_name(model, "model name"), inputs, int(pinned) if pinned else None)
        return infer_at(session, path, tensors, headers)

    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, read from a scorer."""
        return self._scorer.traffic("GET", model) if self.server == SCORER else super().traffic(model)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set a scorer's traffic; see the contract."""
        check_traffic(traffic, self.session.target)
        if self.server != SCORER:
            raise self._needs_router(model)
        self._scorer.traffic("PUT", model, traffic)

    def counts(self, model: str) -> dict[int, Counts]:
        """What each version of a scorer was asked; empty for the others."""
        return self._scorer.counts(model) if self.server == SCORER else {}

    @cached_property
    def _scorer(self) -> ScorerCalls:
        return ScorerCalls(self.session)

    @once
    def _named(self) -> NamedVersions | None:
        """The versions of a server that knows models only; None for a scorer."""
        if self.server == SCORER:
            return None
        rest = RestCalls(self.session)
        if self.server == KSERVE:
            return KServeVersions(self._repository, rest)  # its gRPC answers to load and unload are broken: 0.21
        calls: InferenceCalls = self.grpc or rest
        runtime = self.connection.extra_dejson.get("implementation") or MLFLOW_RUNTIME
        return MlServerVersions(self._repository, calls, str(runtime))

    def _metadata(self, *, retry: bool = True) -> dict[str, Any]:
        found = self.session.call("GET", "/v2", retry=retry).json()
        return found if isinstance(found, dict) else {}

    def _tensors(self, model: str, inputs: Columns, version: int | None) -> list[dict[str, Any]]:
        tensors = to_tensors(inputs)
        if version is not None and self._named is not None:
            check_inputs(tensors, self._named.signature(model, version))
        return tensors

    @property
    def _repository(self) -> Path:
        return self.folder(
            "repository", "set it to the folder from which the server loads models, as the workers see it"
        )
