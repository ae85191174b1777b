"""The Models page's API as a table of who may what, against a real API server, a real MLflow and a real scorer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
import requests

from model_lifecycle.core.models import ModelUri
from model_lifecycle.core.telling import MONITORED_TAG
from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.operators.reports import note_verdict
from model_lifecycle.plugins.lookups import KEEP
from tests import models
from tests.operators.life import Life
from tests.plugins.models_page import DAGS, PREFIX, ModelsPage, models_page
from tests.plugins.test_alerts import printed
from tests.servers.mlflow import MlflowServer
from tests.servers.process import free_ports
from tests.servers.scorer import ScorerServer

REASON = 'it <script>alert("x")</script> fails'
READ = {
    "api/endpoints": {},
    "api/releases": {"endpoint": "scorer_default/nothing"},
    "api/models": {},
    "api/versions": {"model": "nothing"},
    "api/run": {"dag": "nothing", "run": "nothing", "since": "2026-11-22T00:00:00Z"},
    "api/me": {},
    "models.js": {},
}
PRESS = {
    "rollback": {"endpoint": "scorer_default/nothing"},
    "promote": {"model": "nothing", "version": 1, "serving_conn_id": "scorer_default"},
}


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer, scorer_server: ScorerServer
) -> Iterator[tuple[ModelsPage, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("models_page")
    extra = {"repository": str(scorer_server.repository), "timeout": 20, "trust": "code"}
    connections = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": mlflow_server.port},
        "SCORER_DEFAULT": {"conn_type": "open_inference", "host": scorer_server.url, "extra": extra},
        "GONE": {"conn_type": "open_inference", "host": f"http://127.0.0.1:{free_ports()[0]}"},
    }
    env = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}
    env["AIRFLOW__MODEL_LIFECYCLE__STORE"] = (folder / "store").as_uri()
    with models_page(folder, env) as found:
        yield found, env


@pytest.fixture
def page(stage) -> ModelsPage:
    return stage[0]


@pytest.fixture
def life(stage, tmp_path, scorer_server: ScorerServer, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A model of the page's own store."""
    for name, value in stage[1].items():
        monkeypatch.setenv(name, value)
    store = stage[1]["AIRFLOW__MODEL_LIFECYCLE__STORE"]
    return Life(tmp_path, f"m{uuid4().hex[:12]}", store, scorer_server.repository)


def body(path: str = "rollback", **more: object) -> dict[str, object]:
    return {"key": uuid4().hex, "reason": REASON, **PRESS[path], **more}


@pytest.mark.parametrize(
    ("role", "status"), [("admin", 200), ("op", 200), ("user", 200), ("viewer", 200), ("nobody", 401)]
)
@pytest.mark.parametrize("path", sorted(READ))
def test_who_may_read(page: ModelsPage, path, role, status):
    answer = page.ask(path, role, **READ[path])
    assert answer.status_code == status
    assert status == 200 or json.loads(answer.text) == {"detail": "Not authenticated"}


@pytest.mark.parametrize(
    ("role", "status"), [("admin", 200), ("op", 200), ("user", 200), ("viewer", 403), ("nobody", 401)]
)
@pytest.mark.parametrize("path", sorted(PRESS))
def test_who_may_press(page: ModelsPage, path, role, status):
    wanted = body(path)
    dag = f"{path}_model"
    assert page.press(path, wanted, role).status_code == status
    assert (f"models_page__{wanted['key']}" in page.runs(dag)) == (status == 200)


ROUTES = """
from model_lifecycle.plugins.models_routes import api, page
print(sorted(one.path[1:] for one in (*api.routes, *page.routes)))
"""


def test_the_table_names_every_route():
    tried = {*READ, *(f"api/{path}" for path in PRESS), "api/release", "{name}"} - {"models.js"}
    assert printed(ROUTES)[-1] == str(sorted(tried))


def test_a_release_that_is_not_there_is_not_found_for_those_who_may_ask(page: ModelsPage):
    asked = {"endpoint": "scorer_default/nothing", "opened": 1}
    found = {role: page.ask("api/release", role, **asked).status_code for role in ("nobody", "viewer", "admin")}
    assert found == {"nobody": 401, "viewer": 404, "admin": 404}


@pytest.mark.parametrize("role", ["viewer", "user"])
def test_everybody_is_told_what_they_may_press(page: ModelsPage, role):
    told = page.ask("api/me", role).json()
    assert told == {"name": f"a-{role}", "may": dict.fromkeys(PRESS, role == "user")}


def test_the_cookie_of_the_ui_is_good_for_reading_and_not_enough_to_press(page: ModelsPage):
    cookies, url = {"_token": page.tokens["user"]}, f"{page.airflow.url}{PREFIX}"
    assert requests.get(f"{url}/api/endpoints", cookies=cookies, timeout=30).status_code == 200
    before = page.runs()
    forged = [
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"Content-Type": "application/json"}},
        {"headers": {"X-Model-Lifecycle": "1", "Content-Type": "text/plain"}},
        {"headers": {"X-Model-Lifecycle": "1", "Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}},
        {"headers": {"X-Model-Lifecycle": "1", "Content-Type": "application/json", "Origin": "http://127.0.0.1:1"}},
        {"headers": {"X-Model-Lifecycle": "1", "Content-Type": "application/json", "Origin": "null"}},
    ]
    data = json.dumps(body())
    found = [requests.post(f"{url}/api/rollback", data=data, cookies=cookies, timeout=30, **one) for one in forged]
    assert [one.status_code for one in found] == [403, 403, 415, 403, 403, 403]
    assert page.runs() == before


def test_our_own_page_may_press_with_the_cookie(page: ModelsPage):
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": page.airflow.url, "Cookie": f"_token={page.tokens['user']}"}
    assert page.press("rollback", body(), "nobody", **headers).json()["outcome"] == "started"


def test_a_run_holds_what_was_asked_and_who_asked(page: ModelsPage):
    wanted = body(to=7)
    page.press("rollback", wanted, "op")
    run = page.runs()[f"models_page__{wanted['key']}"]
    assert run["conf"] == {"endpoint": "scorer_default/nothing", "to": "7", "reason": REASON}
    assert run["triggering_user_name"] == "a-op"


def test_pressing_twice_starts_one_run(page: ModelsPage):
    wanted = body("promote")
    told = [page.press("promote", wanted).json()["outcome"] for _ in range(2)]
    assert told == ["started", "already"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "  \n"},
        {"reason": "x" * 2001},
        {"reason": 7},
        {"endpoint": "../x"},
        {"endpoint": "a/b/c"},
        {"endpoint": None},
        {"to": "7; drop"},
        {"to": -1},
        {"key": "x"},
        {"key": "../../../../x"},
    ],
)
def test_what_cannot_be_meant_is_refused(page: ModelsPage, wrong):
    before = page.runs()
    assert page.press("rollback", body(**wrong)).status_code == 422
    assert page.runs() == before


@pytest.mark.parametrize(
    ("data", "status"), [(b"{", 422), (b"[]", 422), (b"[" * 10**5, 422), (b" " * (2**20 + 1), 413)]
)
def test_what_is_no_body_of_ours_is_refused(page: ModelsPage, data, status):
    assert page.press("rollback", data).status_code == status


def test_a_paused_dag_is_named(page: ModelsPage):
    page.airflow.api.pause(DAGS[0])
    try:
        answer = page.press("rollback", body())
    finally:
        page.airflow.api.unpause(DAGS[0])
    assert (answer.status_code, "rollback_model is paused" in answer.json()["detail"]) == (503, True)


@pytest.mark.parametrize("limit", [0, 101, -1, "x"])
def test_pages_are_bounded(page: ModelsPage, limit):
    assert page.ask("api/endpoints", limit=limit).status_code == 422


@pytest.mark.parametrize("name", ["__init__.py", "..%2falerts.py", "%2e%2e", "nothing.js", "models.js/x"])
def test_only_the_files_of_the_page_are_given(page: ModelsPage, name):
    assert page.ask(name).status_code == 404


def test_the_first_page_says_what_serves_since_when_how_it_is_and_the_way_back(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    life.release(200.0, "run-2")
    (told,) = page.told("api/endpoints", q=life.model)["endpoints"]
    assert told["endpoint"] == life.endpoint
    assert (told["serving"]["version"], told["traffic"], told["back"]["version"]) == (2, {"2": 100}, 1)
    assert told["back"]["loaded"] is True
    assert told["health"] == {"word": "well", "reasons": []}
    deploys = [one for one in life.ledger.releases() if one.plan.change == "deploy"]
    assert told["since"] == deploys[0].last.at.isoformat()
    assert told["release"]["who"]["user"] == "alice"
    assert told["problems"] == []


def test_a_rollback_changes_what_the_page_says(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    life.release(200.0, "run-2")
    life.roll_back("run-3", reason=REASON)
    (told,) = page.told("api/endpoints", q=life.model)["endpoints"]
    assert (told["serving"]["version"], told["traffic"], told["quarantined"]) == (1, {"1": 100}, [2])
    listed = page.told("api/releases", endpoint=life.endpoint, limit=2)
    assert [one["change"] for one in listed["releases"]] == ["rollback", "promote"]
    assert listed["releases"][0]["reason"] == REASON
    older = page.told("api/releases", endpoint=life.endpoint, limit=50, before=listed["next"])
    assert ([one["change"] for one in older["releases"]], older["next"]) == (["deploy", "promote", "deploy"], None)
    one = page.told("api/release", endpoint=life.endpoint, opened=listed["releases"][0]["opened"])["release"]
    assert (one["from"], one["to"], one["entries"][0]["state"]) == (2, 1, "PENDING")
    assert one["entries"][-1]["state"] == "ROLLED_BACK"


def test_a_run_s_tab_shows_what_the_run_did_and_no_more(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    life.release(200.0, "run-2")
    since, run = life.newest().entries[0].at.isoformat(), f"run-{life.model}"
    registered = life.register(life.upload(models.linear(life.folder / "third", 300.0), run), run)
    told = page.told("api/run", dag="life", run=run, since=since)
    assert [f"models:/{one['model']}/{one['version']}" for one in told["versions"]] == [registered]
    told = page.told("api/run", dag="life", run="run-2", since=since)
    found = [(one["change"], one["to"]) for one in told["releases"] if one["endpoint"] == life.endpoint]
    assert found == [("deploy", 2), ("promote", 2)]
    assert page.told("api/run", dag="other", run="run-2", since=since)["releases"] == []


def test_what_a_monitor_found_is_the_last_check_until_a_newer_one(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    registry = registry_hook("mlflow_default")
    version = registry.get(ModelUri(life.model, version=1))
    for endpoint, word in (("elsewhere/x", "well"), (life.endpoint, "look")):
        note_verdict(registry, version, MONITORED_TAG, {"endpoint": endpoint, "verdict": "FAIL", "reason": REASON})
        time.sleep(KEEP)  # an answer is given again for a while
        (told,) = page.told("api/endpoints", q=life.model)["endpoints"]
        assert told["health"]["word"] == word
    assert told["health"]["reasons"] == [f"the last check of version 1 said FAIL: {REASON}"]


def test_traffic_that_somebody_else_has_moved_is_seen(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    life.release(200.0, "run-2")
    life.serving.route(life.model, {1: 60, 2: 40})
    (told,) = page.told("api/endpoints", q=life.model)["endpoints"]
    said = "the ledger says that version 2 serves; callers are sent to version 1: 60 %, version 2: 40 %"
    assert told["health"] == {"word": "sick", "reasons": [said]}


def test_the_versions_of_a_model_show_aliases_digest_size_and_provenance(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    life.version(200.0)
    told = page.told("api/versions", model=life.model)
    assert [(one["version"], one["aliases"]) for one in told["versions"]] == [(2, []), (1, ["champion"])]
    assert told["champion"] == 1
    first = told["versions"][1]
    assert first["size"] > 0
    assert len(first["digest"]) == 64
    assert first["provenance"]["dag_id"] == "life"
    assert page.told("api/models", q=life.model)["models"][0]["aliases"] == {"champion": 1}


def test_a_system_that_is_away_is_named_and_the_others_are_told(page: ModelsPage, life: Life):
    life.release(100.0, "run-1")
    entry = life.newest().entries[0]
    away = life.store
    for one in [*life.newest().entries]:
        plan = one.plan and {**one.plan.to_dict(), "endpoint": f"gone/{life.model}"}
        moved = {**one.to_dict(), "generation": one.generation - entry.generation + 1, "opened": 1, "plan": plan}
        away.append_exclusive(f"gone/{life.model}", moved["generation"], json.dumps(moved).encode())
    told = page.told("api/endpoints", q=life.model)
    gone, here = told["endpoints"]
    assert (gone["endpoint"], gone["traffic"], gone["health"]["word"]) == (f"gone/{life.model}", None, "unknown")
    assert (here["health"]["word"], here["traffic"]) == ("well", {"1": 100})
    assert [problem.split()[0].rstrip(":") for problem in told["problems"]] == ["gone"]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes every request and answers none until the test is over."""
    over = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait(60)

    server = HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_store_and_a_registry_that_hang_are_named_in_time(tmp_path, silent: int):
    connections = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": silent},
        "WEBHDFS_DEFAULT": {"conn_type": "webhdfs", "host": "127.0.0.1", "port": silent},
    }
    env = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}
    env["AIRFLOW__MODEL_LIFECYCLE__STORE"] = "hdfs://webhdfs_default@/models"
    with models_page(tmp_path, env) as page:
        endpoints, models = page.told("api/endpoints"), page.told("api/models")
    assert endpoints == {
        "endpoints": [],
        "total": 0,
        "offset": 0,
        "problems": ["the model store did not answer within 3 s"],
    }
    (problem,) = models["problems"]
    assert problem.startswith("the model registry")
