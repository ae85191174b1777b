"""The inside of the protocol double of TensorFlow Serving: which versions are loaded, and what a label means."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50


class Refused(Exception):
    """A status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message[:1024]


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


class Loaded:
    """One SavedModel that can be asked, and how many are asking."""

    def __init__(self, folder: str) -> None:
        described = saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
        self.signatures = dict(described.meta_graphs[0].signature_def)
        self.functions = tf.saved_model.load(folder).signatures
        self.busy = 0

    def run(self, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
        signature = signature or "serving_default"
        if signature not in self.signatures:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature}" not found.')
        wanted = self.signatures[signature].inputs
        extra, missing = sorted(set(inputs) - set(wanted)), sorted(set(wanted) - set(inputs))
        if extra or missing:
            raise invalid(
                f"input size does not match signature. Sent extra: {{{','.join(extra)}}}. "
                f"Missing but required: {{{','.join(missing)}}}."
            )
        for name, tensor in inputs.items():
            if tensor.dtype.as_datatype_enum != wanted[name].dtype:
                raise invalid(f"{name} is of type {tensor.dtype.name}")
        try:
            found = self.functions[signature](**inputs)
        except tf.errors.OpError as error:
            raise Refused(_status(error.error_code), error.message) from error
        except (TypeError, ValueError) as error:
            raise invalid(str(error)) from error
        return dict(found)


def _status(number: int) -> grpc.StatusCode:
    return next((code for code in grpc.StatusCode if code.value[0] == number), grpc.StatusCode.UNKNOWN)


class Core:
    """Models, versions, labels and their states.

    :param allow_labels: ``--allow_version_labels_for_unavailable_models``.
    :param poll: seconds between two looks at the file system; nothing is loaded or unloaded between them.
    """

    def __init__(self, allow_labels: bool, poll: float) -> None:
        self.allow_labels, self.poll = allow_labels, poll
        self.changing = threading.Lock()  # the server's config_mu_: a change waits while another one loads a new model
        self.seen = threading.Condition()
        self.listed: dict[str, Any] = {}
        self.labels: dict[str, dict[str, int]] | None = None
        self.states: dict[str, dict[int, tuple[int, int, str]]] = defaultdict(dict)
        self.events: list[tuple[str, int, int]] = []
        self.loaded: dict[tuple[str, int], Loaded] = {}
        self.tried: set[tuple[str, int]] = set()
        threading.Thread(target=self._poll_for_ever, daemon=True).start()

    def reload(self, config: Any) -> None:
        """Replace everything by what the list says."""
        if config.WhichOneof("config") is None:
            return
        with self.changing:
            models = self._checked(config.model_config_list.config)
            self.labels = self._checked_labels(models)
            new = set(models) - set(self.listed)
            with self.seen:
                begin = len(self.events)
                self.listed = models
            self._wait_for(new, begin)

    def _checked(self, configs: Any) -> dict[str, Any]:
        models: dict[str, Any] = {}
        for config in configs:
            if config.name in models:
                raise invalid(f"Illegal to list model {config.name} multiple times in config list")
            if not config.base_path.startswith("/"):
                raise invalid(f"Expected model {config.name} to have an absolute path or URI")
            if config.model_platform != "tensorflow":
                raise invalid(f"Model {config.name} requests unsupported platform {config.model_platform}")
            models[config.name] = config
        return models

    def _checked_labels(self, models: dict[str, Any]) -> dict[str, dict[str, int]]:
        """One label that may not be where it is asked for refuses the whole list, whosever model it is."""
        for name, config in models.items():
            for label, version in config.version_labels.items():
                moves = (self.labels or {}).get(name, {}).get(label, version) != version
                available = self.states[name].get(version, (0, 0, ""))[0] == AVAILABLE
                if not available and (moves or not self.allow_labels):
                    raise Refused(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {name}, which is not currently "
                        "available for inference",
                    )
        return {name: dict(config.version_labels) for name, config in models.items()}

    def _wait_for(self, models: set[str], begin: int) -> None:
        """A model that is new in the list is loaded, or fails, before the change is answered; without end."""

        def first(model: str) -> int | None:
            return next(
                (state for name, _, state in self.events[begin:] if name == model and state in (AVAILABLE, END)), None
            )

        with self.seen:
            self.seen.wait_for(lambda: all(first(model) for model in models))
            failed = [model for model in models if first(model) == END]
        if failed:
            message = f"{len(failed)} model(s) did not become available: {{{', '.join(failed)}}}"
            raise Refused(grpc.StatusCode.UNKNOWN, message)

    def _poll_for_ever(self) -> None:
        while True:
            time.sleep(self.poll)
            try:
                self._poll_once()
            except FileNotFoundError as error:  # one missing base path stops the changes of all models
                print("FileSystemStoragePathSource encountered a filesystem access error:", error, flush=True)

    def _poll_once(self) -> None:
        wanted = {(name, version): path for name, config in dict(self.listed).items()
                  for version, path in _aspired(config)}  # fmt: skip
        for key in list(self.loaded):
            if key not in wanted:
                self._unload(*key)
        self.tried &= set(wanted)
        for (name, version), path in wanted.items():
            if (name, version) not in self.tried:
                self.tried.add((name, version))
                self._load(name, version, path)

    def _load(self, name: str, version: int, path: Path) -> None:
        self._enter(name, version, START)
        self._enter(name, version, LOADING)
        try:
            self.loaded[name, version] = Loaded(str(path))
        except Exception as error:
            code = getattr(error, "error_code", grpc.StatusCode.INTERNAL.value[0])
            self._enter(name, version, END, code, f"{type(error).__name__}: {error}")
        else:
            self._enter(name, version, AVAILABLE)

    def _unload(self, name: str, version: int) -> None:
        self._enter(name, version, UNLOADING)
        found = self.loaded.pop((name, version))
        with self.seen:
            self.seen.wait_for(lambda: not found.busy)
        self._enter(name, version, END)

    def _enter(self, name: str, version: int, state: int, code: int = 0, message: str = "") -> None:
        with self.seen:
            self.states[name][version] = (state, code, message)
            self.events.append((name, version, state))
            self.seen.notify_all()

    @contextmanager
    def servable(self, spec: Any) -> Iterator[tuple[int, Loaded]]:
        """The version that a model spec means, kept loaded for as long as it is used."""
        version, what = self._chosen(spec)
        with self.seen:
            found = self.loaded.get((spec.name, version))
            if found is None or self.states[spec.name][version][0] != AVAILABLE:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {what}")
            found.busy += 1
        try:
            yield version, found
        finally:
            with self.seen:
                found.busy -= 1
                self.seen.notify_all()

    def _chosen(self, spec: Any) -> tuple[int, str]:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value, f"Specific({spec.name}, {spec.version.value})"
        if choice == "version_label":
            if self.labels is None:
                raise Refused(grpc.StatusCode.UNAVAILABLE, f"Model labels does not init yet.{spec.version_label}")
            version = self.labels.get(spec.name, {}).get(spec.version_label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return version, f"Specific({spec.name}, {version})"
        available = [version for name, version in list(self.loaded) if name == spec.name]
        return max(available, default=0), f"Latest({spec.name})"


def _aspired(config: Any) -> list[tuple[int, Path]]:
    base, policy = Path(config.base_path), config.model_version_policy
    there = {int(path.name): path for path in base.iterdir() if path.name.isdigit()}
    if policy.WhichOneof("policy_choice") == "specific":
        chosen = sorted(set(policy.specific.versions) & set(there))
    else:
        some = None if policy.HasField("all") else max(policy.latest.num_versions, 1)
        chosen = sorted(there, reverse=True)[:some]
    return [(version, there[version]) for version in chosen]
