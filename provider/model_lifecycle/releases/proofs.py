"""What is asked of a version before it is believed: its own smoke prediction, and the answers that callers get."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_lifecycle.core.errors import ModelLifecycleError, NotFound, Rejected, Unavailable
from model_lifecycle.core.examples import (
    EXAMPLE_FILES,
    OUTPUT_FILE,
    Columns,
    difference,
    example_columns,
    expected_outputs,
    fault_of,
    rows,
)
from model_lifecycle.hooks.serving import ServingHook
from model_lifecycle.stores.base import ModelStore

TOLERANCE = 1e-3
"""How far a smoke answer may be from the recorded one, relative to it and at least to 1."""
PROOFS = 10
"""How many unversioned answers in a row must come from a version before it counts as serving."""


class Prover:
    """Asks the versions of one model.

    :param artifact: the artifact URI of a version.
    :param inputs: rows to ask with instead of the artifact's own input example.
    """

    def __init__(
        self,
        model: str,
        serving: ServingHook,
        store: ModelStore,
        artifact: Callable[[int], str],
        inputs: Columns | None = None,
    ) -> None:
        self.model, self.serving, self.store, self.artifact, self.inputs = model, serving, store, artifact, inputs
        self._example: Columns | None = None

    def unproven(self, version: int) -> str | None:
        """What is wrong with the first bad one of :data:`PROOFS` unversioned answers, or None if all are right."""
        faults = (self.fault(version, None, (Rejected, Unavailable)) for _ in range(PROOFS))
        return next((fault for fault in faults if fault is not None), None)

    def fault(
        self,
        expected: int,
        pinned: int | None,
        faults: tuple[type[ModelLifecycleError], ...],
        tolerance: float | None = None,
    ) -> str | None:
        """Ask once and say what is wrong with the answer, or None.

        Before traffic moved a server that is away is worth a retry of the task; after it, it is a reason to go back.

        :param tolerance: how far the answer may be from the one that the artifact was registered with.
        """
        inputs = self._inputs(expected)
        try:
            answer = self.serving.predict(self.model, inputs, pinned)
        except faults as error:
            return str(error)
        if answer.version is not None and answer.version != expected:
            return f"version {answer.version} answered"
        fault = fault_of(answer.outputs, rows(inputs))
        if fault is None and tolerance is not None and self.inputs is None:
            recorded = self._file(expected, (OUTPUT_FILE,))
            fault = difference(answer.outputs, expected_outputs(recorded), tolerance) if recorded else None
        return fault

    def _inputs(self, version: int) -> Columns:
        if self.inputs is not None:
            return self.inputs
        if self._example is None:
            data = self._file(version, EXAMPLE_FILES)
            if data is None:
                raise NotFound(
                    "the artifact has no input example to ask the endpoint with",
                    target=self.artifact(version),
                    version=version,
                    hint="save the model with an input example, or pass inputs={column: [values]} to the operator",
                )
            self._example = example_columns(data)
        return self._example

    def _file(self, version: int, names: Sequence[str]) -> bytes | None:
        """The first of these files that the version's artifact has."""
        for name in names:
            try:
                return self.store.read_file(self.artifact(version), name)
            except NotFound:
                continue
        return None
