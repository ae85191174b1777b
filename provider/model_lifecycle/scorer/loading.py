"""Loading one version from its folder into this process, proven before and tried after.

Loading runs the code that a model brings: pickles, Python loaders, custom code. The scorer trusts what lies in its
repository; who may write there decides what runs here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException

from model_lifecycle.core.errors import Invalid
from model_lifecycle.scorer.inputs import Inputs
from model_lifecycle.scorer.outputs import UnusablePrediction, to_tensors
from model_lifecycle.scorer.protocol import InferRequest, Tensor, read_request, write_response
from model_lifecycle.stores.proof import own_manifest, prove


@dataclass(frozen=True)
class Answer:
    """What was asked and answered; ``outputs`` are all that the model gave, ``body`` what the client wanted of them."""

    body: bytes
    request: InferRequest
    outputs: list[Tensor]


class Loaded:
    """A model in memory, ready to answer from several threads at once.

    :raises Invalid: if its signature holds what the protocol cannot carry.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        signature = model.metadata.signature
        self.inputs = Inputs(signature.inputs if signature is not None else None)

    def answer(self, name: str, version: int, body: bytes, request_id: str | None = None) -> Answer:
        """The answer to a request body.

        :param request_id: of the request, if the body names none.
        :raises Invalid: if the request is wrong.
        :raises Exception: whatever the model itself raises.
        """
        request = read_request(body)
        if request.id is None:
            request = replace(request, id=request_id)
        outputs = self.predict(self.inputs.read(request.inputs))
        return Answer(write_response(name, version, request, outputs), request, outputs)

    def predict(self, values: Any) -> list[Tensor]:
        """The model's answer as tensors.

        :raises Invalid: if MLflow finds that the values are not what the signature says.
        :raises UnusablePrediction: if the answer cannot be written as JSON.
        """
        try:
            return to_tensors(self._model.predict(values))
        except MlflowException as error:
            if error.get_http_status_code() == 400:  # type: ignore[no-untyped-call]
                raise Invalid(f"inputs: {error.message}") from error
            raise

    def warm_up(self) -> None:
        """Predict the model's own input example, if it has one: the first caller shall not find what is missing.

        :raises Exception: whatever the model raises; a model that fails its own example does not serve.
        """
        if self._model.input_example is not None:
            self.predict(self._model.input_example)


def load(folder: Path, *, verified: bool = True) -> Loaded:
    """Prove a version's folder by its manifest and load it.

    One at a time: each version gets the Python modules of its own ``code`` folder, also where versions use the same
    module names. They are gone from the import system afterwards, so a model that imports its own modules only when
    it predicts fails to warm up; import them at the top.

    :param verified: whether a folder without a manifest, or with other bytes than it says, is refused.
    :raises Exception: whatever the model raises while it is loaded.
    """
    if verified:
        prove(folder, own_manifest(folder))
    with _modules_of_its_own(folder):
        return Loaded(mlflow.pyfunc.load_model(str(folder)))


@contextmanager
def _modules_of_its_own(folder: Path) -> Iterator[None]:
    path, known = list(sys.path), set(sys.modules)
    inside = f"{folder}{os.sep}"
    try:
        yield
    finally:
        # MLflow leaves the folder of every version on the path, where the first module of a name wins for ever.
        sys.path[:] = path
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(inside):
                del sys.modules[name]


def reason_of(error: BaseException) -> str:
    """What went wrong, for an error message: our own words as they are, others with the kind of the exception."""
    if isinstance(error, UnusablePrediction):
        return str(error)
    return f"{type(error).__name__}: {error}"
