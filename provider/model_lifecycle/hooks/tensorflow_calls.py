"""The four calls of TensorFlow Serving that are used here, and what their answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound, Rejected, Unavailable
from model_lifecycle.hooks.answers import one_line
from model_lifecycle.hooks.grpc_calls import GrpcCalls, message_class
from model_lifecycle.hooks.serving import Answer, Columns, VersionState
from model_lifecycle.hooks.tensorflow_tensors import fill, inputs_of, to_rows, to_tensors

if TYPE_CHECKING:
    from airflow.sdk import Connection

DESCRIPTOR = "tensorflow_serving"
PORT = 8500
START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50

_PACKAGE = "tensorflow.serving"
_STATUS = f"{_PACKAGE}.ModelService/GetModelStatus"
_RELOAD = f"{_PACKAGE}.ModelService/HandleReloadConfigRequest"
_METADATA = f"{_PACKAGE}.PredictionService/GetModelMetadata"
_PREDICT = f"{_PACKAGE}.PredictionService/Predict"
# A model that raises answers with one of these; to ask again would change nothing.
_FAILING: Mapping[str, type[ModelLifecycleError]] = dict.fromkeys(
    ("INTERNAL", "UNKNOWN", "ABORTED", "FAILED_PRECONDITION", "ALREADY_EXISTS", "DATA_LOSS"), Invalid
)


class NotAvailable(Rejected):
    """The server took the list of models, and the first version of a new model could not be loaded."""


class NotYet(Unavailable):
    """The server did not say in time that it took the list of models; it may be loading still."""


@dataclass(frozen=True)
class Status:
    """What the server says of one version: its state, and the error with which it ended."""

    state: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Described:
    """Which version lies under a number or a label, and its signature."""

    version: int
    signature: Any


class TensorflowCalls(GrpcCalls):
    """The calls to one server; see :class:`~model_lifecycle.hooks.grpc_calls.GrpcCalls`."""

    def __init__(self, connection: Connection, address: str) -> None:
        super().__init__(connection, address, DESCRIPTOR)

    def states(self, model: str, *, retry: bool = True) -> dict[int, Status]:
        """Every version the server has ever heard of; one that was unloaded stays with the state END."""
        request = self.new(f"{_PACKAGE}.GetModelStatusRequest")
        request.model_spec.name = model
        try:
            answer = self.call(_STATUS, request, retry=retry)
        except NotFound:
            return {}
        return {one.version: Status(one.state, _error(one.status)) for one in answer.model_version_status}

    def reload(self, config: Any) -> None:
        """Replace the server's whole list of models.

        :raises Conflict: if a label is at a version that is not available; nothing changed.
        :raises NotAvailable: if a model that is new in the list cannot be loaded; the list holds.
        :raises NotYet: if the server does not answer in time, as it does while a new model loads.
        """
        request = self.new(f"{_PACKAGE}.ReloadConfigRequest", config=config)
        self.call(_RELOAD, request, retry=False, errors={"UNKNOWN": NotAvailable, "DEADLINE_EXCEEDED": NotYet})

    def described(self, model: str, signature: str, *, version: int | None = None, label: str = "") -> Described:
        """What lies under a number, or under a label.

        :raises NotFound: if nothing does.
        :raises Invalid: if the model has no such signature.
        """
        if version is None and not self.states(model):
            # Until a server was told of its first model it calls every label unavailable.
            raise NotFound("no version of it is loaded", target=self.target, model=model)
        request = self.new(f"{_PACKAGE}.GetModelMetadataRequest", metadata_field=["signature_def"])
        request.model_spec.CopyFrom(self._spec(model, "", version, label))
        # The name of the field is right; what else the server can call invalid is a label that it does not know.
        answer = self.call(_METADATA, request, errors={"INVALID_ARGUMENT": NotFound})
        packed = answer.metadata["signature_def"].value
        signatures = message_class(DESCRIPTOR, f"{_PACKAGE}.SignatureDefMap").FromString(packed).signature_def  # type: ignore[attr-defined]
        if signature not in signatures:
            hint = f"its signatures are {', '.join(sorted(signatures))}; name one in the extra signature"
            raise Invalid(f"the model has no signature {signature}", target=self.target, model=model, hint=hint)
        return Described(answer.model_spec.version.value, signatures[signature])

    def predict(
        self, model: str, signature: str, inputs: Columns, *, version: int | None = None, label: str = ""
    ) -> Answer:
        """Ask the version under a number, or under a label.

        :raises NotFound: if nothing lies there.
        :raises Invalid: if the inputs are not those of the signature, or the model fails for them.
        """
        wanted = inputs_of(self.described(model, signature, version=version, label=label).signature)
        request = self.new(f"{_PACKAGE}.PredictRequest", model_spec=self._spec(model, signature, version, label))
        for name, tensor in to_tensors(inputs, wanted).items():
            fill(request.inputs[name], tensor)
        answer = self.call(_PREDICT, request, errors=_FAILING)
        outputs = {name: to_rows(name, answer.outputs[name]) for name in sorted(answer.outputs)}
        return Answer(answer.model_spec.version.value or None, outputs)

    def _spec(self, model: str, signature: str, version: int | None, label: str) -> Any:
        spec = self.new(f"{_PACKAGE}.ModelSpec", name=model, signature_name=signature)
        if version is None:
            spec.version_label = label
        else:
            spec.version.value = version
        return spec


def _error(status: Any) -> str | None:
    return (one_line(status.error_message) or "no reason given") if status.error_code else None


def state_of(status: Status, listed: bool) -> VersionState | None:
    """What a status means for a version that is, or is not, on the list of models; None for one that is not there."""
    if status.state == AVAILABLE:
        return VersionState.READY
    if status.state in (START, LOADING):
        return VersionState.LOADING
    if not listed:
        return None
    return VersionState.FAILED if status.state == END and status.error else VersionState.LOADING


def address_of(connection: Connection) -> str:
    """``host:port`` of the connection, with ``grpcs://`` before it where the host begins with ``https://``.

    :raises Invalid: if it has no host.
    """
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        hint = "set host, such as models.example.com"
        raise Invalid("the connection has no host", target=connection.conn_id, hint=hint)
    scheme, separator, name = host.rpartition("://")
    scheme = {"https": "grpcs", "http": "grpc"}.get(scheme, scheme)
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    port = "" if re.search(r":\d+$", name) else f":{connection.port or PORT}"
    return f"{scheme}{separator}{name}{port}"
