from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.core.samples import Sample
from model_lifecycle.hooks import publishing
from model_lifecycle.hooks.session import ConnectionSession
from tests.servers.process import free_ports
from tests.servers.prometheus import Pushgateway

GROUP = {"endpoint": "scorer_default/churn"}


def session(port: int) -> ConnectionSession:
    extra = json.dumps({"timeout": 0.5})
    return ConnectionSession(Connection(conn_id="gateway", conn_type="http", host="127.0.0.1", port=port, extra=extra))


def shown(server: Pushgateway, job: str) -> list[str]:
    lines = server.get("/metrics")[1].decode().splitlines()
    return sorted(line for line in lines if f'job="{job}"' in line and not line.startswith("push_"))


@pytest.fixture
def job() -> str:
    return f"job-{uuid4().hex}"


class TestPushgateway:
    def test_samples_replace_what_their_group_had_and_leave_other_groups_alone(self, pushgateway_server, job):
        gateway = session(pushgateway_server.port)
        publishing.push(gateway, job, {"endpoint": "s/other"}, [Sample("value", 3.0)])
        publishing.push(gateway, job, GROUP, [Sample("value", 1.0, {"version": "7"}, "What."), Sample("gone", 1.0)])
        publishing.push(gateway, job, GROUP, [Sample("value", 2.0, {"version": "8"}, "What.")])
        assert shown(pushgateway_server, job) == [
            f'value{{endpoint="s/other",instance="",job="{job}"}} 3',
            f'value{{endpoint="scorer_default/churn",instance="",job="{job}",version="8"}} 2',
        ]

    @pytest.mark.parametrize("value", ["", "a b", "a/b", 'quote"', "line\nend", "é", "%2e%2e", "..", "?x=1#y"])
    def test_a_group_may_have_any_text(self, pushgateway_server, job, value):
        publishing.push(session(pushgateway_server.port), job, {"text": value}, [Sample("value", 1.0)])
        groups = json.loads(pushgateway_server.get("/api/v1/metrics")[1])["data"]
        assert {"job": job, "text": value, "instance": ""}.items() >= {
            key: text for group in groups if group["labels"]["job"] == job for key, text in group["labels"].items()
        }.items()

    def test_what_the_pushgateway_refuses_is_told_in_its_words(self, pushgateway_server, job, monkeypatch):
        monkeypatch.setattr(publishing, "check_labels", lambda labels: labels)
        with pytest.raises(Invalid, match="PUT /metrics/job/.*: 400 .*invalid|PUT .*: 400 "):
            publishing.push(session(pushgateway_server.port), job, {"not-a-name": "x"}, [Sample("value", 1.0)])

    def test_one_that_is_away_is_unavailable(self):
        with pytest.raises(Unavailable, match="PUT /metrics/job/monitor: the connection failed"):
            publishing.push(session(free_ports()[0]), "monitor", {}, [Sample("value", 1.0)])


class TestTextfile:
    def test_the_file_is_replaced_whole_and_carries_the_group(self, tmp_path: Path, job):
        first = publishing.write(
            tmp_path, job, GROUP, [Sample("value", 1.0, {"version": "7"}, "What."), Sample("b", 1)]
        )
        again = publishing.write(tmp_path, job, GROUP, [Sample("value", 2.5, {"version": "8"}, "What.")])
        assert first == again
        assert first.read_text() == (
            '# HELP value What.\n# TYPE value gauge\nvalue{endpoint="scorer_default/churn",version="8"} 2.5\n'
        )
        other = publishing.write(tmp_path, job, {"endpoint": "s/other"}, [Sample("value", 1.0)])
        assert sorted(tmp_path.iterdir()) == sorted([first, other])
        assert first.suffix == ".prom"

    def test_a_folder_that_is_none_or_takes_nothing_is_told(self, tmp_path: Path):
        for folder in (tmp_path / "absent", Path("relative")):
            with pytest.raises(Invalid, match="the extra textfile names no folder that exists here"):
                publishing.write(folder, "monitor", {}, [])
        file = publishing.write(tmp_path, "monitor", {}, [])
        file.unlink()
        file.mkdir()
        with pytest.raises(Unavailable, match="the samples cannot be written: Is a directory"):
            publishing.write(tmp_path, "monitor", {}, [])
        assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("job", "group", "samples", "message"),
    [
        ("", {}, [], "job '' is not allowed"),
        ("../up", {}, [], "job '../up' is not allowed"),
        ("monitor", {"job": "x"}, [], "the grouping has a label job"),
        ("monitor", {"a-b": "x"}, [], "not the name of a label"),
        ("monitor", {"version": 7}, [], "label version is int"),
        ("monitor", {}, [Sample("a", 1.0), Sample("a", 2.0)], "two samples are of the same series a"),
        ("monitor", GROUP, [Sample("a", 1.0, {"endpoint": "s/other"})], "a sample of a has another endpoint than its"),
        ("monitor", {}, [Sample("a", 1.0, {"job": "other"})], "a sample of a has another job than its group"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anything_is_sent(tmp_path, job, group, samples, message):
    with pytest.raises(Invalid, match=message):
        publishing.push(session(1), job, group, samples)
