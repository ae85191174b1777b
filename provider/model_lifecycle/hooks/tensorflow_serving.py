"""TensorFlow Serving: versions by number, and a label where other systems have a share of the traffic.

Without a number the server answers with the highest version it has, and no call changes that. So callers ask by a
label (``/v1/models/<model>/labels/stable:predict``, or ``version_label`` over gRPC), which ``route`` moves. A router
before the REST port can split the traffic; then callers ask the router.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Rejected, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.grpc_calls import message_class
from model_lifecycle.hooks.router import VERSION_HEADER, check_traffic
from model_lifecycle.hooks.serving import Answer, Columns, RoutableHook, VersionState
from model_lifecycle.hooks.session import ConnectionSession, url_path
from model_lifecycle.hooks.staging import stage_into
from model_lifecycle.hooks.tensorflow_calls import (
    AVAILABLE,
    DESCRIPTOR,
    END,
    NotAvailable,
    NotYet,
    Status,
    TensorflowCalls,
    address_of,
    state_of,
)
from model_lifecycle.hooks.tensorflow_config import ModelList
from model_lifecycle.hooks.tensorflow_layout import artifacts_in, is_staged, link, saved_model_of
from model_lifecycle.hooks.tensorflow_tensors import inputs_of, to_columns, to_json, to_tensors
from model_lifecycle.stores.base import ModelStore

LOOK = 2.0
"""Seconds in which the server surely looks at its list again: by default it does so once a second."""

log = logging.getLogger(__name__)


class TensorflowServingHook(RoutableHook):
    """One TensorFlow Serving behind a connection of type ``tensorflow_serving``.

    Host and port (8500 by default) lead to its gRPC port; TLS and who we are as :mod:`model_lifecycle.hooks.grpc_calls`
    says. Extras: ``repository``, the folder with its models and its list of models, as the workers see it;
    ``base_path``, the same folder as the server sees it, if that differs; ``label``, by which callers ask (``stable``);
    ``signature``, of the models (``serving_default``); ``rest``, the URL of its REST port, for a router before it;
    ``timeout``.

    :param serving_conn_id: the connection.
    """

    default_conn_name = "tensorflow_serving_default"
    conn_type = "tensorflow_serving"
    folders = ("repository",)
    hook_name = "TensorFlow Serving"

    @cached_property
    def calls(self) -> TensorflowCalls:
        """The gRPC calls; the connection is read when they are first used."""
        return TensorflowCalls(self.connection, address_of(self.connection))

    def get_conn(self) -> TensorflowCalls:
        """The gRPC calls of this hook."""
        return self.calls

    def prove_connection(self) -> str:
        """Prove that a server answers; it has no call that says who it is."""
        self.calls.states("no-such-model", retry=False)
        return f"TensorFlow Serving answers at {address_of(self.connection)}"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Fetch the artifact into the repository, and put a link to its SavedModel where the server looks for it.

        :raises Invalid: if the artifact holds no SavedModel, or several.
        """
        check_name(model, "model name")
        inner = saved_model_of(store.read_manifest(artifact_uri))
        stage_into(artifacts_in(self._repository), model, version, artifact_uri, store)
        link(self._repository, model, version, inner)

    def load(self, model: str, version: int) -> None:
        """List the version, and send the list; one that is FAILED is taken off before, so that it is tried again.

        :raises NotFound: if the version was not staged.
        """
        if not is_staged(self._repository, check_name(model, "model name"), version):
            raise NotFound("the version is not staged", target=self.calls.target, model=model, version=version)
        if self.versions(model).get(version) is VersionState.FAILED:
            self._drop(model, version)
        ended = self._state(model, version) == END
        try:
            self._change(lambda config: self._models.add(config, model, version))
        except NotAvailable as error:
            log.warning("%s", error)
        except NotYet:
            # The server holds the call until a new model is loaded. What it says of the version tells it was taken.
            if not self._state(model, version):
                raise
        if ended:
            _until(lambda: self._state(model, version) != END, LOOK)

    def unload(self, model: str, version: int) -> None:
        """Take the version off the list and wait until the server has let it go; running requests end first.

        :raises Conflict: also if a label that somebody else made is at it.
        """
        state = self.versions(model).get(version)
        if state is VersionState.FAILED:
            self._drop(model, version, unless_labelled=True)
        elif state is not None:
            self._remove(model, version, unless_labelled=True)
            if not _until(lambda: version not in self.versions(model), self.calls.timeout):
                raise Unavailable("the server keeps it", target=self.calls.target, model=model, version=version)

    def versions(self, model: str) -> dict[int, VersionState]:
        """What the server says, seen with the list.

        The server never forgets how a version ended: that counts only while it is listed. What is listed and not taken
        up yet is LOADING. Where there is no list, as on a triggerer without the folder, the server's word is all.
        """
        seen, listed = self.calls.states(check_name(model, "model name")), self._listed(model)
        both = {version: seen.get(version, Status()) for version in sorted({*seen, *(listed or ())})}
        states = {version: state_of(status, listed is None or version in listed) for version, status in both.items()}
        return {version: state for version, state in states.items() if state}

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        if self.versions(model).get(version) is not VersionState.FAILED:
            return None
        return self.calls.states(model).get(version, Status()).error

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask for a prediction, without ``version`` by the label; see the contract.

        :raises Invalid: also if the model itself fails for these inputs: asking again would change nothing.
        """
        check_name(model, "model name")
        return self.calls.predict(model, self._signature, inputs, version=version, label=self._label)

    def traffic(self, model: str) -> dict[int, int]:
        """The version that the server itself finds under the label when it is asked to describe what lies there."""
        check_name(model, "model name")
        try:
            return {self.calls.described(model, self._signature, label=self._label).version: 100}
        except NotFound:
            return {}

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Move the label, or remove it; see the contract."""
        check_name(model, "model name")
        check_traffic(traffic, self.conn_id)
        wanted = [version for version, share in traffic.items() if share]
        if len(wanted) > 1:
            hint = "name a router, of type haproxy or envoy, in the extra router_conn_id of the connection"
            raise Invalid("TensorFlow Serving cannot split traffic", model=model, hint=hint)
        if not wanted and not self.versions(model):
            return

        def relabel(config: Any) -> None:
            entry = self._models.entry(config, model)
            for version in wanted:
                self._check_listed_and_ready(entry, model, version)
                entry.version_labels[self._label] = version
            if entry and not wanted:
                entry.version_labels.pop(self._label, None)

        self._change(relabel)
        if list(self.traffic(model)) != wanted:
            raise Unavailable(f"the label {self._label} is not at {wanted}", target=self.calls.target, model=model)

    def address(self, model: str, version: int) -> str:
        """The version's own URL on the REST port."""
        rest = str(self.connection.extra_dejson.get("rest") or "").rstrip("/")
        if not rest.startswith(("http://", "https://")):
            hint = "set it to the URL of the server's REST port (--rest_api_port), as the router sees it"
            raise Invalid("the extra rest is no URL", target=self.conn_id, hint=hint)
        if self._state(check_name(model, "model name"), version) != AVAILABLE:
            raise NotFound("the version is not loaded", target=self.calls.target, model=model, version=version)
        return f"{rest}{url_path('v1', 'models', model, 'versions', version)}:predict"

    def ask(
        self, session: ConnectionSession, path: str, model: str, inputs: Columns, headers: Mapping[str, str]
    ) -> Answer:
        """Ask the REST interface, directly or through a router; the columns are checked against the signature first."""
        pinned = headers.get(VERSION_HEADER, "")
        ready = [version for version, state in self.versions(model).items() if state is VersionState.READY]
        version = int(pinned) if pinned.isdecimal() else max(ready, default=0)
        signature = self.calls.described(model, self._signature, version=version).signature
        tensors = to_tensors(inputs, inputs_of(signature))
        body = {"signature_name": self._signature, "inputs": {name: to_json(one) for name, one in tensors.items()}}
        response = session.call("POST", path, json=body, headers=headers, errors={500: Invalid})
        said = response.headers.get(VERSION_HEADER, "")
        return Answer(int(said) if said.isdecimal() else None, to_columns(response.json(), list(signature.outputs)))

    @property
    def _repository(self) -> Path:
        return self.folder("repository", "set it to the folder of the server's models, as the workers see it")

    @property
    def _models(self) -> ModelList:
        base = str(self.connection.extra_dejson.get("base_path") or self._repository)
        return ModelList(self._repository, base, message_class(DESCRIPTOR, "tensorflow.serving.ModelServerConfig"))

    @property
    def _label(self) -> str:
        label = str(self.connection.extra_dejson.get("label") or "stable")
        if not re.fullmatch(r"[A-Za-z0-9_]+", label):
            hint = "use letters, digits and underscores only"
            raise Invalid("the extra label is no label of TensorFlow Serving", target=self.conn_id, hint=hint)
        return label

    @property
    def _signature(self) -> str:
        return str(self.connection.extra_dejson.get("signature") or "serving_default")

    def _state(self, model: str, version: int) -> int:
        return self.calls.states(model).get(version, Status()).state

    def _listed(self, model: str) -> set[int] | None:
        """The versions that the list names; None if this machine cannot see the list."""
        if not self.connection.extra_dejson.get("repository"):
            return None
        try:
            entry = self._models.entry(self._models.read(), model)
        except (NotFound, Conflict):
            return None
        return set(entry.model_version_policy.specific.versions) if entry else set()

    def _check_listed_and_ready(self, entry: Any, model: str, version: int) -> None:
        listed = entry and version in entry.model_version_policy.specific.versions
        if not listed or self._state(model, version) != AVAILABLE:
            raise Conflict("the version is not ready", target=self.calls.target, model=model, version=version)

    def _drop(self, model: str, version: int, *, unless_labelled: bool = False) -> None:
        """Forget a version that failed; listed again before the server has looked, it would not be tried again."""
        self._remove(model, version, unless_labelled=unless_labelled)
        time.sleep(LOOK)

    def _remove(self, model: str, version: int, *, unless_labelled: bool) -> None:
        def remove(config: Any) -> None:
            entry = self._models.entry(config, model)
            labelled = entry is not None and version in entry.version_labels.values()
            if unless_labelled and (labelled or version in self.traffic(model)):
                raise Conflict("the version has traffic", target=self.calls.target, model=model, version=version)
            self._models.remove(config, model, version)

        self._change(remove)

    def _change(self, change: Callable[[Any], None]) -> None:
        """Change the list and send it whole, while nobody else does.

        The file comes first: a worker that dies in between leaves what the next change, of any model, makes true. A
        list that the server refuses is taken back.
        """
        with self._models.locked(self.calls.timeout):
            before = self._models.read()
            after = type(before)()
            after.CopyFrom(before)
            change(after)
            self._models.write(after)
            try:
                self.calls.reload(after)
            except NotAvailable:
                raise
            except Rejected:
                self._models.write(before)
                raise


def _until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
