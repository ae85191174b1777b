from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.hooks import envoy_admin
from model_lifecycle.hooks.envoy_admin import ROUTES_FILE, EnvoyAdmin, WatchedFiles
from model_lifecycle.hooks.envoy_config import route_configuration
from model_lifecycle.hooks.router_files import RouterFolder
from model_lifecycle.hooks.session import ConnectionSession


def admin_at(port: int) -> EnvoyAdmin:
    return EnvoyAdmin(
        ConnectionSession(Connection(conn_id="admin", conn_type="http", host="http://127.0.0.1", port=port))
    )


@pytest.fixture
def double():
    """A double of the admin that answers every call with the same JSON; nothing real can be made to say these."""
    servers = []

    def start(answer: object) -> EnvoyAdmin:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args): ...

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever).start()
        return admin_at(servers[-1].server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("answer", [{}, {"configs": []}, {"configs": [{"version_info": "1"}]}])
def test_an_envoy_that_has_not_loaded_its_routes_is_unavailable_and_not_empty(double, answer):
    with pytest.raises(Unavailable, match="not loaded"):
        double(answer).routes()


@pytest.mark.parametrize(
    "answer", [[], {"configs": 1}, {"configs": [{"route_config": 1}]}, {"configs": [{"route_config": {}}]}]
)
def test_an_answer_that_is_not_envoys_is_invalid(double, answer):
    with pytest.raises(Invalid, match="none of Envoy's admin's"):
        double(answer).routes()


@pytest.mark.parametrize("answer", [[], {}, {"stats": [{"name": "x"}]}, {"stats": 1}])
def test_statistics_that_are_not_envoys_are_invalid(double, answer):
    with pytest.raises(Invalid, match="none of Envoy's admin's"):
        double(answer).statistics("x")


def test_routes_that_run_are_read(envoy_server):
    assert admin_at(envoy_server.admin).routes()["name"] == "models"


def test_a_refused_file_is_invalid_and_the_old_one_is_put_back(envoy_server):
    admin = admin_at(envoy_server.admin)
    files = WatchedFiles(RouterFolder(envoy_server.config, (), "here"), admin)
    old, runs = files.folder.read(ROUTES_FILE), admin.routes()
    for wrong in ({"@type": "nonsense"}, {**route_configuration({}), "virtual_hosts": [{"name": "x"}]}):
        with pytest.raises(Invalid, match=r"refused the new routes\.json"):
            files.apply(ROUTES_FILE, [wrong])
        assert (files.folder.read(ROUTES_FILE), admin.routes()) == (old, runs)


def test_a_folder_that_envoy_does_not_watch_is_unavailable_and_stays_as_it_was(envoy_server, tmp_path, monkeypatch):
    monkeypatch.setattr(envoy_admin, "APPLY_TIMEOUT", 0.5)
    (tmp_path / ROUTES_FILE).write_text("old")
    files = WatchedFiles(RouterFolder(tmp_path, (), "here"), admin_at(envoy_server.admin))
    with pytest.raises(Unavailable, match="in time"):
        files.apply(ROUTES_FILE, [route_configuration({})])
    assert files.folder.read(ROUTES_FILE) == "old"
