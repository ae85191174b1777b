"""A worker as its server calls it, with a context of the server's form: a double, for the real ones see tests/hooks."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_lifecycle.handlers.worker import PAPERS, Worker

SIGNATURE = {"inputs": [{"type": "double", "name": "x", "required": True}], "outputs": None}


class Context:
    """What TorchServe and multi-model-server give a handler."""

    def __init__(self, folder: Path, headers: dict[str, str] | None = None) -> None:
        self.system_properties = {"model_dir": str(folder)}
        self.headers, self.statuses, self.types = headers or {}, {}, {}

    def get_request_header(self, place: int, name: str) -> str | None:
        return self.headers.get(name)

    def set_response_status(self, code: int, phrase: str, place: int) -> None:
        self.statuses[place] = code

    def set_response_content_type(self, place: int, value: str) -> None:
        self.types[place] = value


@pytest.fixture
def folder(tmp_path):
    papers = {"artifact": "d" * 64, "version": "7", "file": "artifact/model.pt", "signature": SIGNATURE}
    (tmp_path / PAPERS).write_text(json.dumps(papers))
    return tmp_path


def started(folder: Path, open_model, **papers: object) -> Worker:
    if papers:
        found = json.loads((folder / PAPERS).read_text())
        (folder / PAPERS).write_text(json.dumps({**found, **papers}))
    worker = Worker(open_model)
    worker(None, Context(folder))
    return worker


def asked(worker: Worker, folder: Path, body: object, **headers: str) -> tuple[int, dict]:
    context = Context(folder, headers)
    (answer,) = worker([{"body": body}], context)
    assert context.types == {0: "application/json"}
    return context.statuses.get(0, 200), answer


def doubling(file, specs, context):
    return lambda columns: [(None, [2 * value for value in columns[0]])]


def test_an_answer_names_its_version_and_its_outputs(folder):
    worker = started(folder, doubling)
    for body in ({"inputs": {"x": [1.5]}}, b'{"inputs": {"x": [1.5]}}'):
        assert asked(worker, folder, body) == (200, {"model_version": "7", "outputs": {"output": [3.0]}})


@pytest.mark.parametrize(
    ("declared", "made", "names"),
    [
        (None, [(None, [1])], ["output"]),
        (None, [("own", [1])], ["own"]),
        (None, [(None, [1]), ("own", [1])], ["output_0", "own"]),
        ([{"name": "said", "type": "double"}], [("own", [1])], ["said"]),
        ([{"type": "double"}], [("own", [1])], ["own"]),
        ([{"name": "said", "type": "double"}], [("a", [1]), ("b", [1])], ["a", "b"]),
    ],
)
def test_outputs_are_called_as_the_signature_says_else_as_the_model_says(folder, declared, made, names):
    signature = {**SIGNATURE, "outputs": declared}
    worker = started(folder, lambda *_: lambda columns: made, signature=signature)
    assert list(asked(worker, folder, {"inputs": {"x": [1.0]}})[1]["outputs"]) == names


def test_what_does_not_fit_is_400_with_the_columns_name(folder):
    assert asked(started(folder, doubling), folder, {"inputs": {"y": [1.0]}})[0] == 400
    assert asked(started(folder, doubling), folder, b"{")[1] == {"error": "the body is not JSON"}


@pytest.mark.parametrize("raised", [ValueError("three\ncolumns"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_a_model_that_fails_is_500_and_the_worker_lives_on(folder, raised):
    def failing(file, specs, context):
        def predict(columns):
            if columns[0] == [0.0]:
                raise raised
            return [(None, columns[0])]

        return predict

    worker = started(folder, failing)
    status, answer = asked(worker, folder, {"inputs": {"x": [0.0]}})
    assert status == 500
    assert answer["error"].startswith(f"the model failed: {type(raised).__name__}")
    assert "\n" not in answer["error"]
    assert asked(worker, folder, {"inputs": {"x": [1.0]}})[0] == 200


def test_a_model_that_cannot_be_loaded_is_told_and_answers_503(folder):
    def broken(file, specs, context):
        raise RuntimeError("no code")

    worker = started(folder, broken)
    description = {"artifact": "d" * 64, "fault": "RuntimeError: no code"}
    assert asked(worker, folder, {"describe": True}) == (200, description)
    assert asked(worker, folder, None, describe="True") == (200, description)
    status, answer = asked(worker, folder, {"inputs": {"x": [1.0]}})
    assert (status, answer["error"]) == (503, "the version could not be loaded: RuntimeError: no code")


def test_a_right_model_describes_itself_without_a_fault(folder):
    assert asked(started(folder, doubling), folder, {"describe": True})[1]["fault"] == ""


def test_each_request_of_a_batch_gets_its_own_answer(folder):
    worker, context = started(folder, doubling), Context(folder)
    answers = worker([{"body": {"inputs": {"x": [1.0]}}}, {"data": b"{"}], context)
    assert [sorted(answer) for answer in answers] == [["model_version", "outputs"], ["error"]]
    assert context.statuses == {1: 400}


def test_the_file_and_the_signature_are_those_of_the_papers(folder):
    seen = SimpleNamespace()

    def looking(file, specs, context):
        seen.file, seen.specs = file, specs
        return lambda columns: []

    started(folder, looking)
    assert (seen.file, seen.specs) == (folder / "artifact" / "model.pt", SIGNATURE["inputs"])
