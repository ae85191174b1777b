"""Which redirects are followed; what a server makes of them is in ``test_session``."""

from __future__ import annotations

import subprocess
import sys

import pytest
import requests

from model_lifecycle.hooks.redirects import SameHostSession

HERE = "http://models:80/old"


@pytest.mark.parametrize(
    ("method", "status", "location", "followed"),
    [
        ("GET", 302, "/new", True),
        ("GET", 301, "http://models:80/new", True),
        ("HEAD", 303, "new", True),
        ("POST", 307, "/new", True),
        ("PUT", 308, "/new", True),
        ("POST", 301, "/new", False),
        ("POST", 302, "/new", False),
        ("POST", 303, "/new", False),
        ("GET", 302, "http://elsewhere:80/new", False),
        ("GET", 302, "//elsewhere/new", False),
        ("GET", 302, "http://models:81/new", False),
        ("GET", 302, "https://models:80/new", False),
        ("GET", 302, "http://models@elsewhere/new", False),
        ("GET", 200, "/new", False),
        ("GET", 302, None, False),
    ],
)
def test_a_redirect_is_followed_to_the_same_host_with_the_same_method_only(
    method: str, status: int, location: str | None, followed: bool
) -> None:
    answer = requests.Response()
    answer.url, answer.status_code = HERE, status
    answer.request = requests.Request(method, HERE).prepare()
    if location is not None:
        answer.headers["Location"] = location
    assert SameHostSession().get_redirect_target(answer) == (location if followed else None)


def test_importing_the_hooks_does_not_import_requests() -> None:
    code = (
        "import sys; from airflow.sdk import BaseHook; before = set(sys.modules);"
        "import model_lifecycle.hooks.mlflow, model_lifecycle.hooks.open_inference, model_lifecycle.hooks.store;"
        "print(sorted({'requests', 'urllib3'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
