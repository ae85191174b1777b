"""TensorFlow's SavedModel: a graph whose operators can also run Python and write files."""

from __future__ import annotations

from model_lifecycle.stores.formats import keras
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.protobuf import Malformed, text, walk
from model_lifecycle.stores.formats.trip import Trip

NAME, TEXT_NAME, METADATA, FINGERPRINT = "saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb", "fingerprint.pb"
_WORDS = (
    "PyFunc PyFuncStateless EagerPyFunc ReadFile WriteFile WholeFileReader WholeFileReaderV2 MatchingFiles "
    "FixedLengthRecordDataset TextLineDataset TFRecordDataset PrintV2 RemoteCall GeneratorDataset DebugIdentity "
    "DebugIdentityV2 CreateSummaryFileWriter WriteSummary WriteGraphSummary LookupTableExport Save SaveSlices "
    "CollectiveReduceV2 TPUExecute XlaLaunch TensorRTEngineOp TRTEngineOp DeleteFile RenameFile LoadLibrary"
)
_ACTING = frozenset(_WORDS.split())
"""Operators that run Python, reach other machines or touch files; a list of the known, as TensorFlow has 1,400."""
_SCHEMA = {
    "saved": {2: "meta"},
    "meta": {2: "graph"},
    "graph": {1: "node", 2: "library"},
    "library": {1: "function"},
    "function": {3: "node"},
}
_INSTEAD = "save the model as ONNX"


def looks(_: Blob, where: str, __: Trip) -> bool:
    """Tell whether TensorFlow would load a file of this name; it looks at nothing else."""
    return _name(where) in (NAME, TEXT_NAME, METADATA)


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold a SavedModel to operators that only compute, and claim the files of its variables.

    :raises Untrusted: if the format is not allowed, or an operator acts.
    """
    trip.need("tensorflow_saved_model", where, "is a SavedModel", "operators of its graph can run code", _INSTEAD)
    if _name(where) == METADATA:
        keras.check_names(blob, where, trip)
        return
    operators = 0
    try:
        for kind, field in walk(blob, _SCHEMA, "saved", where, trip):
            if kind == "node" and field.number == 2:
                operators += 1
                _check_operator(text(blob, field), where, trip)
    except Malformed as error:
        raise trip.refuse(where, f"is a broken SavedModel ({error})", "nobody can say what it does") from error
    if not operators:
        raise trip.refuse(where, "is a SavedModel without operators", "readers may find others in it")
    folder = where[: -len(NAME)]
    variables = {path for path in trip.listed if path.startswith(f"{folder}variables/")}
    trip.claimed |= variables | {f"{folder}{FINGERPRINT}"}


def _check_operator(name: str, where: str, trip: Trip) -> None:
    if name.rpartition(">")[2] in _ACTING:
        raise trip.refuse(where, f"uses the operator {name}", "it runs Python, or reaches files or other machines")


def _name(where: str) -> str:
    return where.rpartition("!")[2].rpartition("/")[2]
