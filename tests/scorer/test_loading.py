"""Loading: proven before, in modules of its own, tried after."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow.pyfunc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid, NotFound
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.scorer.loading import Loaded, load, reason_of
from model_lifecycle.scorer.outputs import UnusablePrediction
from tests import models
from tests.models import quiet


def ask(loaded: Loaded, **columns: list[object]) -> list[float]:
    tensors = [{"name": n, "shape": [len(d)], "datatype": "FP64", "data": d} for n, d in columns.items()]
    with quiet():
        answer = json.loads(loaded.answer("churn", 1, json.dumps({"inputs": tensors}).encode()).body)
    return answer["outputs"][0]["data"]


def bring(folder: Path, *, verified: bool = True) -> Loaded:
    with quiet():
        return load(folder, verified=verified)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    root = tmp_path_factory.mktemp("right")
    return bring(models.stage(root, "churn", 1, models.linear(root / "made", 100)))


def test_a_proven_folder_is_loaded_and_answers(right):
    right.warm_up()
    assert ask(right, **models.INPUTS) == [111.0, 122.0]


def test_a_folder_without_its_manifest_is_not_loaded_unless_that_is_allowed(tmp_path):
    folder = models.linear(tmp_path / "model", 5)
    with pytest.raises(NotFound, match=MANIFEST_NAME):
        bring(folder)
    assert ask(bring(folder, verified=False), **models.INPUTS) == [16.0, 27.0]


@pytest.mark.parametrize("change", ["append", "remove", "add"])
def test_a_changed_folder_is_not_loaded(tmp_path, change):
    folder = models.stage(tmp_path, "churn", 1, models.linear(tmp_path / "made", 5))
    if change == "append":
        with (folder / "MLmodel").open("a") as out:
            out.write("\n")
    elif change == "remove":
        (folder / "conda.yaml").unlink()
    else:
        (folder / "extra.py").write_text("")
    with pytest.raises(Corrupt, match="is not as the manifest says"):
        bring(folder)


def test_nothing_of_a_changed_folder_is_run(tmp_path):
    mark = tmp_path / "it-ran"
    made = models.scripted(tmp_path / "made", "return rows.x", before=f"open({str(mark)!r}, 'w').close()")
    mark.unlink(missing_ok=True)
    folder = models.stage(tmp_path, "churn", 1, made)
    (folder / "conda.yaml").write_text("")
    with pytest.raises(Corrupt):
        bring(folder)
    assert not mark.exists()


def test_a_model_that_cannot_be_loaded_raises_what_it_raises(tmp_path):
    with pytest.raises(Exception, match="File is not a zip file"):
        bring(models.stage(tmp_path, "churn", 1, models.broken(tmp_path / "made")))


def test_a_model_that_fails_its_own_example_does_so_while_it_warms_up(tmp_path):
    loaded = bring(models.stage(tmp_path, "churn", 1, models.failing(tmp_path / "made", example=True)))
    with quiet(), pytest.raises(ValueError, match="expecting 3 features"):
        loaded.warm_up()


def test_a_model_without_an_example_warms_up_as_it_is(tmp_path):
    loaded = bring(models.stage(tmp_path, "churn", 1, models.failing(tmp_path / "made")))
    loaded.warm_up()
    with pytest.raises(ValueError, match="expecting 3 features"):
        ask(loaded, **models.INPUTS)


def test_each_version_has_the_modules_of_its_own_code(tmp_path, monkeypatch):
    loaded = []
    for version in (1, 2):
        code = tmp_path / f"code{version}" / "churn_features.py"
        code.parent.mkdir()
        code.write_text(f"def offset():\n    return {version * 100}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(code.parent)  # MLflow runs the script when it saves it
            made = models.scripted(
                tmp_path / f"made{version}",
                "return rows.x + churn_features.offset()",
                before="import churn_features",
                code_paths=[str(code)],
            )
            del sys.modules["churn_features"]
        loaded.append(bring(models.stage(tmp_path, "churn", version, made)))
    assert [ask(one, **models.INPUTS) for one in loaded] == [[101.0, 102.0], [201.0, 202.0]]
    assert "churn_features" not in sys.modules
    assert not [path for path in sys.path if str(tmp_path) in path]


def test_a_signature_that_cannot_be_carried_is_refused(tmp_path):
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    signature = ModelSignature(Schema([ColSpec(Array(DataType.double), "x")]))
    made = models.scripted(tmp_path / "made", "return [1.0]", signature=signature)
    with pytest.raises(Invalid, match="column 'x' of the signature"):
        bring(models.stage(tmp_path, "churn", 1, made))


def test_what_mlflow_refuses_of_the_inputs_is_invalid_and_its_other_faults_are_the_models(tmp_path):
    body = "from mlflow.exceptions import MlflowException as E; raise E({!r}, error_code={})"
    for code, kind in ((1000, Invalid), (1, mlflow.exceptions.MlflowException)):
        made = models.scripted(tmp_path / f"made{code}", body.format("no", code))
        loaded = bring(made, verified=False)
        with pytest.raises(kind):
            ask(loaded, **models.INPUTS)


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
                    lambda one: st.lists(one, max_size=3), max_leaves=6),
       st.lists(st.integers(0, 3), max_size=3),
       st.sampled_from(["FP64", "FP16", "INT8", "BYTES", "BOOL"]))  # fmt: skip
def test_no_body_makes_a_right_model_fail(right, data, shape, datatype):
    tensor = {"shape": shape, "datatype": datatype, "data": data}
    body = json.dumps({"inputs": [{"name": "x", **tensor}, {"name": "y", **tensor}]}).encode()
    try:
        right.answer("churn", 1, body)
    except Invalid:
        pass


def test_reasons_name_the_kind_of_an_exception_unless_the_words_are_ours():
    assert reason_of(KeyError("x")) == "KeyError: 'x'"
    assert reason_of(UnusablePrediction("output 'p' holds NaN")) == "output 'p' holds NaN"
