"""The code of docs/haproxy.md and docs/envoy.md, run against the real routers; tests/house/test_docs.py compares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.testing.small_backends import SmallBackend, ask
from tests.servers.environments import environment

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def urls():
    servers = [SmallBackend(1), SmallBackend(2)]
    yield [server.url for server in servers]
    for server in servers:
        server.stop()


@pytest.fixture
def model():
    return f"docs-{uuid4().hex[:12]}"


@pytest.mark.parametrize("router", ["haproxy", "envoy"])
def test_the_files_are_installed_as_the_page_says(router, tmp_path):
    page = (DOCS / f"{router}.md").read_text()
    block = re.search(rf"<!-- run by \S+ \[{router} install\] -->\n```bash\n(.*?)```", page, re.DOTALL)
    script = block[1].replace("/etc/", f"{tmp_path}/")
    if router == "envoy":
        script = script.replace(
            "envoy --mode", f"sed -i s,/etc/,{tmp_path}/, {tmp_path}/envoy/envoy.yaml\nenvoy --mode"
        )
    path = f"{Path(sys.executable).parent}:{environment('envoy')}:/usr/sbin:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "MODELS_MAPS": f"{tmp_path}/haproxy/maps", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_traffic_is_set_by_hand_through_haproxy(haproxy_server, haproxy_connection, model, urls, capsys):
    old_url, new_url = urls
    # [START haproxy]
    from model_lifecycle.hooks.router import router_hook

    router = router_hook("haproxy_default")
    router.attach(model, 1, old_url)  # http://host:port/path of the version's own prediction call
    router.attach(model, 2, new_url)
    router.route(model, {1: 95, 2: 5})
    print(router.traffic(model), router.backends(model))
    for version, counts in router.counts(model).items():
        print(version, counts.requests, counts.errors, counts.refused)
    # [END haproxy]
    assert router.traffic(model) == {1: 95, 2: 5}
    assert "1 0 0 0\n2 0 0 0\n" in capsys.readouterr().out
    assert ask(haproxy_server.port, f"/{model}", version=2).version == 2


def test_copies_are_sent_by_hand_through_envoy(envoy_server, envoy_connection, model, urls, capsys):
    old_url, new_url = urls
    # [START envoy]
    from model_lifecycle.hooks.router import router_hook

    router = router_hook("envoy_default")
    router.attach(model, 1, old_url)  # http://host:port/path of the version's own prediction call
    router.attach(model, 2, new_url)
    router.route(model, {1: 100})
    router.mirror(model, {2: 50})  # half of the requests are copied to version 2; callers get version 1's answers
    print(router.traffic(model), router.mirrored(model))
    # [END envoy]
    assert capsys.readouterr().out == "{1: 100} {2: 50}\n"
    assert ask(envoy_server.port, f"/{model}").version == 1
