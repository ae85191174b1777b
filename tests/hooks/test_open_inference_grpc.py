"""The protocol over gRPC, on the gRPC port of a real MLServer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.open_inference_grpc import GrpcInference, _unpacked
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.hooks.tensors import to_tensors
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import INPUTS, settled, values
from tests import models
from tests.hooks.test_open_inference import connect
from tests.servers.mlserver import MLServerServer

Publish = Callable[..., None]


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def hook(mlserver_server: MLServerServer, monkeypatch: pytest.MonkeyPatch) -> OpenInferenceHook:
    extra = {"repository": str(mlserver_server.repository), "grpc": mlserver_server.grpc, "timeout": 60}
    connect(monkeypatch, mlserver_server.port, "grpc_tried", **extra)
    return OpenInferenceHook("grpc_tried")


@pytest.fixture
def calls(hook: OpenInferenceHook) -> GrpcInference:
    assert hook.grpc is not None
    return hook.grpc


@pytest.fixture
def bring(hook: OpenInferenceHook, model: str, tmp_path: Path) -> Callable[..., VersionState]:
    store = local_store(tmp_path / "store")

    def bring(version: int, maker: Callable[..., Path] = models.linear, *arguments: Any, **more: Any) -> VersionState:
        folder = maker(tmp_path / uuid4().hex, *arguments, **more)
        hook.stage(model, version, store.publish(folder, models.manifest_of(folder, model)), store)
        hook.load(model, version)
        return settled(hook, model, version)

    return bring


def test_versions_are_loaded_asked_and_unloaded_without_http(hook, model, bring):
    assert bring(1, models.linear, 1, outputs=True) is VersionState.READY
    answer = hook.predict(model, INPUTS, 1)
    assert (answer.version, [list(column) for column in answer.outputs.values()]) == (1, [[12.0, 23.0]])
    hook.unload(model, 1)
    assert hook.versions(model) == {}
    with pytest.raises(NotFound, match=r"ModelInfer: NOT_FOUND"):
        hook.predict(model, INPUTS, 1)


def test_the_reason_of_a_failed_load_is_the_runtimes_own(hook, model, bring):
    assert bring(2, models.broken, outputs=True) is VersionState.FAILED
    assert "INTERNAL File is not a zip file" in hook.failure(model, 2)


def test_an_unpinned_request_goes_to_what_the_server_chooses(hook, calls, model, mlserver_server, tmp_path):
    with pytest.raises(NotFound):
        hook.predict(model, INPUTS)
    for version in (1, 2):
        folder = models.linear(mlserver_server.repository / f"{model}-{version}", version, outputs=True)
        mlserver_server.add_model(model, folder, str(version))
    calls.load(model)
    try:
        assert values(hook, model) == [13.0, 24.0]
        assert hook.predict(model, INPUTS).version == 2
        assert calls.infer(model, 1, to_tensors(INPUTS)).version == 1
    finally:
        calls.unload(model)


def test_the_index_tells_what_is_loaded(calls, model, bring):
    bring(1, models.linear, 1, outputs=True)
    assert {"name": f"{model}.1", "version": "1", "state": "READY", "reason": ""} in calls.index()


def test_what_the_model_does_not_take_is_refused(hook, model, bring):
    bring(1, models.linear, 1, outputs=True)
    with pytest.raises(Invalid, match=r"\by\b"):
        hook.predict(model, {"x": [1.0]}, 1)
    assert bring(3, models.failing, outputs=True) is VersionState.READY
    with pytest.raises(Invalid, match="ModelInfer: INTERNAL .*expecting 3 features"):
        hook.predict(model, INPUTS, 3)


def test_texts_numbers_and_booleans_travel(hook, model, bring):
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {"t": "string", "n": "long", "f": "double", "b": "boolean"}
    columns = Schema([ColSpec(kind, name) for name, kind in kinds.items()])
    signature = ModelSignature(columns, columns)
    # A text in an answer ends MLServer 1.7.1 with KeyError: 'O' where pandas is 3 or newer.
    bring(1, models.scripted, "return rows.assign(t=rows.t.str.len())", types=kinds, signature=signature)
    rows = {"t": ["a", "äö"], "n": [1, -2], "f": [0.5, 2.0], "b": [True, False]}
    outputs = hook.predict(model, rows, 1).outputs
    assert {name: list(column) for name, column in outputs.items()} == rows | {"t": [1, 2]}


def test_a_null_that_grpc_cannot_carry_is_refused(calls):
    with pytest.raises(Invalid, match="column t holds a null"):
        calls.infer("any", None, to_tensors({"t": [None, "a"]}))


def test_loading_goes_by_grpc_and_asking_by_the_router(mlserver_server, haproxy_connection, model, monkeypatch, bring):
    bring(1, models.linear, 1, outputs=True)
    extra = {"repository": str(mlserver_server.repository), "grpc": mlserver_server.grpc, "timeout": 60}
    connect(monkeypatch, mlserver_server.port, "grpc_tried", router_conn_id=haproxy_connection, **extra)
    behind = serving_hook("grpc_tried")
    behind.route(model, {1: 100})
    assert values(behind, model) == [12.0, 23.0]
    with pytest.raises(Conflict):
        behind.unload(model, 1)


@pytest.mark.parametrize(
    ("datatype", "raw", "expected"),
    [
        ("FP32", b"\x00\x00\x80\x3f\x00\x00\x00\x40", [1.0, 2.0]),
        ("FP16", b"\x00\x3c", [1.0]),
        ("INT16", b"\xff\xff\x01\x00", [-1, 1]),
        ("BOOL", b"\x01\x00", [True, False]),
        ("BYTES", b"\x01\x00\x00\x00a\x00\x00\x00\x00", [b"a", b""]),
    ],
)
def test_raw_outputs_are_little_endian(datatype, raw, expected):
    assert _unpacked(datatype, raw) == expected


@pytest.mark.parametrize(("datatype", "raw"), [("FP32", b"\x00"), ("BF16", b"\x00\x00"), ("BYTES", b"\x01\x00")])
def test_raw_outputs_that_cannot_be_read_are_invalid(datatype, raw):
    with pytest.raises(Invalid, match=datatype):
        _unpacked(datatype, raw)
