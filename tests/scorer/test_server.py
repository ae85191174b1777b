"""The scorer over HTTP, as its users start it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests import models
from tests.servers.scorer import ScorerServer

Call = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def call(scorer_server: ScorerServer, client: requests.Session) -> Call:
    return caller(scorer_server, client)


@pytest.fixture
def repository(scorer_server: ScorerServer) -> Path:
    return scorer_server.repository


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Models made once for the module: linear ones by their offset, and the sick ones by name."""
    root, known = tmp_path_factory.mktemp("made"), {}
    makers = {
        "broken": models.broken,
        "failing": models.failing,
        "cold": lambda folder: models.failing(folder, example=True),
        "nan": lambda folder: models.scripted(folder, 'return [float("nan")] * len(rows)'),
        "matrix": lambda folder: models.scripted(folder, "return rows.to_numpy()"),
        "frame": lambda folder: models.scripted(
            folder, 'import pandas as pd; return pd.DataFrame({"p": rows.x, "t": ["a"] * len(rows)})'
        ),
        "slow": lambda folder: models.scripted(folder, "import time; time.sleep(float(rows.x.max())); return rows.y"),
        "slow to load": lambda folder: models.scripted(folder, "return rows.y", before="import time; time.sleep(1)"),
        "exit": lambda folder: models.scripted(folder, "raise SystemExit(3)"),
        "bare": lambda folder: models.scripted(folder, "return model_input.sum(axis=1)", signature=None),
    }

    def make(kind: str) -> Path:
        if kind not in known:
            folder = root / kind.replace(" ", "_")
            known[kind] = models.linear(folder, float(kind)) if kind.isdigit() else makers[kind](folder)
        return known[kind]

    return make


@pytest.fixture
def bring(call: Call, repository: Path, made) -> Callable[..., str]:
    """A new model whose versions 1, 2, ... are of these kinds, loaded; the first has all the traffic."""

    def bring(*kinds: str, routed: bool = True) -> str:
        model = f"m{uuid4().hex[:12]}"
        for version, kind in enumerate(kinds, 1):
            models.stage(repository, model, version, made(kind))
            assert load(call, model, version).status_code in (200, 202)
        for version in range(1, len(kinds) + 1):
            settled(call, model, version)
        if routed:
            assert route(call, model, {1: 100}).status_code == 200
        return model

    return bring


def caller(server: ScorerServer, session: requests.Session) -> Call:
    return lambda method, path, **more: session.request(method, server.url + path, timeout=30, **more)


def load(call: Call, model: str, version: int) -> requests.Response:
    return call("POST", f"/v2/repository/models/{model}/load", json={"parameters": {"version": str(version)}})


def unload(call: Call, model: str, version: int) -> requests.Response:
    return call("POST", f"/v2/repository/models/{model}/unload", json={"parameters": {"version": str(version)}})


def route(call: Call, model: str, traffic: dict[int, int]) -> requests.Response:
    return call("PUT", f"/v2/models/{model}/route", json={"traffic": {str(v): p for v, p in traffic.items()}})


def index(call: Call, model: str, **more: object) -> dict[str, dict[str, str]]:
    found = call("POST", "/v2/repository/index", json=more).json()
    return {one["version"]: one for one in found if one["name"] == model}


def settled(call: Call, model: str, version: int) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while (entry := index(call, model)[str(version)])["state"] == "LOADING":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return entry


def tensors(datatype: str = "FP64", **columns: list[Any]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "shape": [len(data)], "datatype": datatype, "data": data} for name, data in columns.items()
        ]
    }


GOOD = tensors(**models.INPUTS)


def test_the_server_says_what_it_is_and_which_extensions_it_has(call):
    said = call("GET", "/v2").json()
    assert said["name"] == "model-lifecycle-scorer"
    assert said["extensions"] == ["model_repository", "model_route"]
    assert call("GET", "/v2/health/live").json() == {"live": True}
    assert call("GET", "/v2/health/ready").json() == {"ready": True}


def test_an_answer_carries_the_version_that_answered_and_repeats_the_id(call, bring):
    model = bring("100", "200")
    for path, version, data in (("", "1", [111.0, 122.0]), ("/versions/2", "2", [211.0, 222.0])):
        answer = call("POST", f"/v2/models/{model}{path}/infer", json={"id": "\u03b1-7", **GOOD})
        assert answer.status_code == 200
        assert answer.headers["x-model-version"] == version
        assert answer.json() == {
            "model_name": model,
            "model_version": version,
            "id": "\u03b1-7",
            "outputs": [{"name": "output", "shape": [2], "datatype": "FP64", "data": data}],
        }


def test_matrices_and_frames_become_tensors(call, bring):
    model = bring("matrix", "frame")
    matrix = call("POST", f"/v2/models/{model}/versions/1/infer", json=GOOD).json()["outputs"]
    assert matrix == [{"name": "output", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 10.0, 2.0, 20.0]}]
    frame = call("POST", f"/v2/models/{model}/versions/2/infer", json={**GOOD, "outputs": [{"name": "t"}]}).json()
    assert frame["outputs"] == [{"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", "a"]}]


def test_a_model_without_a_signature_takes_one_matrix(call, bring):
    model = bring("bare")
    tensor = {"name": "any", "shape": [2, 3], "datatype": "FP64", "data": [[1, 2, 3], [4, 5, 6]]}
    answer = call("POST", f"/v2/models/{model}/infer", json={"inputs": [tensor]})
    assert answer.json()["outputs"][0]["data"] == [6.0, 15.0]
    assert call("POST", f"/v2/models/{model}/infer", json=GOOD).status_code == 400


def test_metadata_tells_a_client_what_to_send(call, bring):
    model = bring("100", "200", "broken")
    said = call("GET", f"/v2/models/{model}/versions/2")
    assert said.headers["x-model-version"] == "2"
    assert said.json()["versions"] == ["1", "2"]
    assert said.json()["inputs"] == [{"name": name, "datatype": "FP64", "shape": [-1]} for name in models.COLUMNS]
    assert call("GET", f"/v2/models/{model}").headers["x-model-version"] == "1"
    assert call("GET", f"/v2/models/{model}/versions/3").status_code == 404


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (tensors(x=[1.0]), "input 'y' is missing"),
        (tensors(x=[1.0], y=[1.0], z=[1.0]), "input 'z' is unknown"),
        (tensors(x=[1.0], y=["ten"]), "input 'y': 'ten' is not a FP64 (row 0)"),
        (tensors("BYTES", x=["1"], y=["2"]), "input 'x': datatype BYTES is not FP64"),
        (tensors("BOOL", x=[True], y=[False]), "input 'x': datatype BOOL is not FP64"),
        (tensors(x=[1.0], y=[None]), "input 'y': null is not allowed"),
        (tensors(x=[1.0, 2.0], y=[1.0]), "input 'y' has 1 rows"),
        (tensors(x=[], y=[]), "input 'x' has no rows"),
        ({"inputs": GOOD["inputs"] + GOOD["inputs"][:1]}, "input 'x' stands twice"),
        ({"inputs": [{**GOOD["inputs"][0], "shape": [3]}]}, "input 'x': shape [3] does not fit 2 values"),
        ({}, "inputs is missing"),
        ([], "the body is not a JSON object"),
        ({**GOOD, "outputs": [{"name": "probability"}]}, "output 'probability' is unknown; the model has output"),
    ],
)
def test_wrong_inputs_are_400_with_the_name_of_the_field(call, bring, body, match):
    model = getattr(test_wrong_inputs_are_400_with_the_name_of_the_field, "model", None) or bring("100")
    test_wrong_inputs_are_400_with_the_name_of_the_field.model = model  # type: ignore[attr-defined]
    answer = call("POST", f"/v2/models/{model}/infer", json=body)
    assert answer.status_code == 400
    assert match in answer.json()["error"]
    assert answer.headers["x-model-version"] == "1"


@pytest.mark.parametrize("data", [b"", b"{", b'{"inputs": [NaN]}', b"\xff\xfe\x00", b"[" * 50_000, b"9" * 5000])
def test_what_is_not_json_is_400(call, bring, data):
    answer = call("POST", f"/v2/models/{bring('100')}/infer", data=data)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_what_a_model_cannot_answer_is_500_and_counted_and_the_server_goes_on(call, bring):
    model = bring("100", "failing", "nan", "exit")
    said = [call("POST", f"/v2/models/{model}/versions/{version}/infer", json=GOOD) for version in (2, 3, 4)]
    assert [answer.status_code for answer in said] == [500, 500, 500]
    words = [answer.json()["error"] for answer in said]
    assert "the model failed: ValueError: X has 2 features" in words[0]
    assert words[1] == "the model failed: output 'output' holds NaN or infinity, which JSON cannot carry"
    assert words[2] == "the model failed: SystemExit: 3"
    assert [counted(call, "scorer_errors_total", model, version) for version in (1, 2, 3, 4)] == [0, 1, 1, 1]
    assert call("POST", f"/v2/models/{model}/infer", json=GOOD).status_code == 200


def test_a_version_that_cannot_serve_is_failed_with_its_reason(call, bring):
    model = bring("100", "broken", "cold")
    found = index(call, model)
    assert [found[version]["state"] for version in "123"] == ["READY", "FAILED", "FAILED"]
    assert found["2"]["reason"].startswith("cannot be loaded: BadZipFile")
    assert found["3"]["reason"].startswith("fails its own input example: ValueError: X has 2 features")
    assert set(index(call, model, ready=True)) == {"1"}
    answer = call("POST", f"/v2/models/{model}/versions/2/infer", json=GOOD)
    assert answer.status_code == 404
    assert "is FAILED: cannot be loaded" in answer.json()["error"]
    assert call("GET", f"/v2/models/{model}/versions/2/ready").status_code == 503
    assert call("GET", f"/v2/models/{model}/versions/1/ready").status_code == 200
    assert call("GET", f"/v2/models/{model}/versions/9/ready").status_code == 404


def test_a_tampered_folder_is_refused(call, repository, made):
    model = f"m{uuid4().hex[:12]}"
    folder = models.stage(repository, model, 1, made("100"))
    with (folder / "model.skops").open("ab") as out:
        out.write(b"\0")
    load(call, model, 1)
    entry = settled(call, model, 1)
    assert entry["state"] == "FAILED"
    assert "model.skops is not as the manifest says" in entry["reason"]


def test_a_folder_that_was_never_finished_is_refused(call, repository, made):
    model = f"m{uuid4().hex[:12]}"
    (models.stage(repository, model, 1, made("100")) / "_manifest.json").unlink()
    load(call, model, 1)
    assert "_manifest.json: it is not whole" in settled(call, model, 1)["reason"]


def test_traffic_is_set_read_and_refused_over_http(call, bring):
    model = bring("100", "200", "broken")
    assert route(call, model, {1: 75, 2: 25}).json() == {"model": model, "traffic": {"1": 75, "2": 25}}
    assert route(call, model, {3: 100}).status_code == 409
    assert route(call, model, {9: 100}).status_code == 409
    assert route(call, model, {1: 99}).status_code == 400
    for body in ({}, {"traffic": None}, {"traffic": {"one": 100}}, {"traffic": {"1": 100.0}}):
        assert call("PUT", f"/v2/models/{model}/route", json=body).status_code == 400
    assert call("GET", f"/v2/models/{model}/route").json()["traffic"] == {"1": 75, "2": 25}
    assert unload(call, model, 2).status_code == 409
    assert route(call, model, {}).json()["traffic"] == {}
    assert call("POST", f"/v2/models/{model}/infer", json=GOOD).status_code == 404
    assert call("GET", f"/v2/models/{model}/ready").status_code == 404


def test_a_model_is_ready_when_its_traffic_can_be_answered(call, bring):
    assert call("GET", f"/v2/models/{bring('100')}/ready").json() == {"ready": True}


@pytest.mark.parametrize("verb", ["load", "unload"])
@pytest.mark.parametrize("body", [{}, {"parameters": {}}, {"parameters": 3}, {"parameters": {"version": "last"}}])
def test_load_and_unload_want_a_version(call, verb, body):
    answer = call("POST", f"/v2/repository/models/churn/{verb}", json=body)
    assert answer.status_code == 400
    assert "version" in answer.json()["error"]


def test_what_is_not_there_is_404_in_json(call):
    for method, path in (("GET", "/"), ("GET", "/v2/models/none"), ("GET", "/docs"), ("GET", "/openapi.json")):
        assert "error" in call(method, path).json()
        assert call(method, path).status_code == 404
    assert load(call, "none", 1).status_code == 404
    assert call("DELETE", "/v2").status_code == 405
    assert unload(call, "none", 1).status_code == 200


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "a%20b", ".hidden", "%00", "a%252e"])
def test_a_name_outside_the_allow_list_is_400_or_404(call, name):
    assert call("GET", f"/v2/models/{name}/route").status_code in (400, 404)
    assert call("POST", f"/v2/models/{name}/infer", json=GOOD).status_code in (400, 404)
    assert call("GET", f"/v2/models/churn/versions/{name}").status_code in (400, 404)


def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path, client):
    with ScorerServer(tmp_path / "repository", tmp_path / "log", "--max-body", "1000") as server:
        for data in (b" " * 1001, iter([b" " * 600] * 2)):
            answer = caller(server, client)("POST", "/v2/repository/index", data=data)
            assert answer.status_code == 413
            assert "1000 bytes (--max-body)" in answer.json()["error"]
        second = subprocess.run(server.command, capture_output=True, text=True)
        assert second.returncode == 1
        assert "another scorer works on" in second.stderr


def test_requests_that_are_being_answered_outlive_their_version(call, bring, scorer_server):
    model = bring("slow", "100")
    route(call, model, {2: 100})
    with ThreadPoolExecutor(1) as pool:
        body = tensors(x=[1.0], y=[7.0])
        path = f"{scorer_server.url}/v2/models/{model}/versions/1/infer"
        answer = pool.submit(requests.post, path, json=body, timeout=30)
        while not counted(call, "scorer_in_flight", model, 1):
            time.sleep(0.01)
        assert unload(call, model, 1).status_code == 200
        assert call("POST", f"/v2/models/{model}/versions/1/infer", json=body).status_code == 404
        assert answer.result().json()["outputs"][0]["data"] == [7.0]


def test_loading_does_not_hold_requests_up(call, bring, repository, made):
    model = bring("100")
    models.stage(repository, model, 2, made("slow to load"))
    load(call, model, 2)
    answered = 0
    while index(call, model)["2"]["state"] == "LOADING":
        assert call("POST", f"/v2/models/{model}/infer", json=GOOD).status_code == 200
        answered += 1
    assert answered > 10


def test_every_sample_of_the_metrics_carries_model_and_version(call, bring):
    model = bring("100", "200", "broken")
    for _ in range(3):
        call("POST", f"/v2/models/{model}/infer", json=GOOD)
    call("POST", f"/v2/models/{model}/versions/2/infer", json={})
    for family in text_string_to_metric_families(call("GET", "/metrics").text):
        for sample in family.samples:
            assert {"model", "version"} <= set(sample.labels), sample
    expected = {
        "scorer_requests_total": [3, 1, 0],
        "scorer_errors_total": [0, 1, 0],
        "scorer_request_seconds_count": [3, 1, 0],
        "scorer_in_flight": [0, 0, 0],
        "scorer_ready": [1, 1, 0],
        "scorer_traffic_percent": [100, 0, 0],
    }
    assert {name: [counted(call, name, model, v) for v in (1, 2, 3)] for name in expected} == expected


def counted(call: Call, name: str, model: str, version: int) -> float:
    found = 0.0
    for family in text_string_to_metric_families(call("GET", "/metrics").text):
        for sample in family.samples:
            if sample.name == name and (sample.labels["model"], sample.labels["version"]) == (model, str(version)):
                found += sample.value
    return found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=8,
)
near_tensor = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y", "\ud800"]) | json_values},
    optional={
        "shape": st.lists(st.integers(0, 3), max_size=2) | json_values,
        "datatype": st.sampled_from(["FP64", "INT8", "BYTES", "BOOL", "FP16"]) | json_values,
        "data": st.lists(json_values, max_size=3) | json_values,
    },
)
near_request = st.fixed_dictionaries(
    {"inputs": st.lists(near_tensor | json_values, max_size=3)}, optional={"id": json_values, "outputs": json_values}
)
near_route = st.fixed_dictionaries({"traffic": st.dictionaries(st.sampled_from("19"), json_values)})
near_load = st.fixed_dictionaries({"parameters": st.fixed_dictionaries({"version": json_values}) | json_values})


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=json_values | near_request | near_route | near_load)
def test_no_json_is_answered_with_500(call, bring, body):
    model = getattr(test_no_json_is_answered_with_500, "model", None) or bring("100")
    test_no_json_is_answered_with_500.model = model  # type: ignore[attr-defined]
    for method, path in (
        ("POST", f"/v2/models/{model}/infer"),
        ("PUT", f"/v2/models/{model}/route"),
        ("POST", f"/v2/repository/models/{model}/load"),
        ("POST", "/v2/repository/index"),
    ):
        answer = call(method, path, data=json.dumps(body).encode())
        assert answer.status_code < 500, (path, body, answer.text)
        assert answer.json() is not None
    route(call, model, {1: 100})


def test_a_client_that_goes_away_does_no_harm(call, bring, scorer_server):
    model = bring("slow")
    body = json.dumps(tensors(x=[0.3], y=[1.0])).encode()
    for sent in (body, body[:20]):
        connection = HTTPConnection("127.0.0.1", scorer_server.port, timeout=5)
        connection.putrequest("POST", f"/v2/models/{model}/infer")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(sent)
        connection.close()
    assert call("POST", f"/v2/models/{model}/infer", json=tensors(x=[0.0], y=[1.0])).status_code == 200


class TestRestart:
    """One story on one server, because each start takes seconds."""

    def test_a_restarted_scorer_serves_what_it_served_and_says_what_it_cannot(self, tmp_path, made, client):
        repository = tmp_path / "repository"
        for version, kind in ((1, "100"), (2, "200"), (3, "300")):
            models.stage(repository, "churn", version, made(kind))
        server = ScorerServer(repository, tmp_path / "log", "--predict-timeout", "0.5")
        call = caller(server, client)
        try:
            server.start()
            for version in (1, 2, 3):
                load(call, "churn", version)
                settled(call, "churn", version)
            route(call, "churn", {2: 100})
            unload(call, "churn", 3)

            server.kill()
            server.start()  # waits for readiness: from the first moment it serves what it served
            answer = call("POST", "/v2/models/churn/infer", json=GOOD)
            assert (answer.status_code, answer.json()["model_version"]) == (200, "2")
            states = {version: entry["state"] for version, entry in index(call, "churn").items()}
            assert states == {"1": "READY", "2": "READY", "3": "UNAVAILABLE"}

            models.stage(repository, "slow", 1, made("slow"))
            load(call, "slow", 1)
            settled(call, "slow", 1)
            late = call("POST", "/v2/models/slow/versions/1/infer", json=tensors(x=[1.0], y=[1.0]))
            assert (late.status_code, late.json()["error"]) == (503, "no result after 0.5 seconds")

            server.stop()
            with (repository / "churn" / "2" / "MLmodel").open("a") as out:
                out.write("\n")
            again = ScorerServer(repository, tmp_path / "log", port=server.port, wait_ready=False)
            again.start()
            try:
                settled(call, "churn", 2)
                settled(call, "churn", 1)
                ready = call("GET", "/v2/health/ready")
                assert ready.status_code == 503
                assert "version 2 of churn has traffic and is FAILED" in ready.json()["error"]
                assert "MLmodel is not as the manifest says" in ready.json()["error"]
                assert call("POST", "/v2/models/churn/infer", json=GOOD).status_code == 503
                assert route(call, "churn", {1: 100}).status_code == 200
                assert call("GET", "/v2/health/ready").status_code == 200
                assert call("POST", "/v2/models/churn/infer", json=GOOD).json()["model_version"] == "1"
            finally:
                again.stop()
        finally:
            server.stop()

    def test_an_ending_scorer_finishes_what_it_is_answering(self, tmp_path, made, client):
        repository = tmp_path / "repository"
        models.stage(repository, "slow", 1, made("slow"))
        with ScorerServer(repository, tmp_path / "log", "--threads", "2") as server:
            call = caller(server, client)
            load(call, "slow", 1)
            settled(call, "slow", 1)
            route(call, "slow", {1: 100})
            answers: list[int] = []

            def ask() -> None:
                body = tensors(x=[1.0], y=[1.0])
                answers.append(requests.post(f"{server.url}/v2/models/slow/infer", json=body, timeout=30).status_code)

            asker = threading.Thread(target=ask)
            asker.start()
            while not counted(call, "scorer_in_flight", "slow", 1):
                time.sleep(0.01)
            server.stop()
            asker.join(10)
            assert answers == [200]


def test_an_unverified_folder_is_loaded_where_that_is_allowed(tmp_path, made, client):
    repository = tmp_path / "repository"
    (models.stage(repository, "churn", 1, made("100")) / "_manifest.json").unlink()
    with ScorerServer(repository, tmp_path / "log", "--allow-unverified") as server:
        call = caller(server, client)
        load(call, "churn", 1)
        assert settled(call, "churn", 1)["state"] == "READY"


def test_the_command_documents_its_flags_without_loading_mlflow():
    code = "import sys; sys.argv = ['scorer', '--help']\nimport runpy\n"
    code += "try: runpy.run_module('model_lifecycle.scorer', run_name='__main__')\n"
    code += "finally: assert not {'mlflow', 'fastapi', 'airflow'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for flag in ("--repository", "--host", "--port", "--threads", "--max-body", "--allow-unverified", "--grace"):
        assert flag in done.stdout
    assert "decides what runs here" in done.stdout


def test_the_scorer_never_loads_airflow():
    code = "import sys, model_lifecycle.scorer.server; assert 'airflow' not in sys.modules"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
