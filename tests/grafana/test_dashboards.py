"""Every query of every dashboard asks something that is there: asked of a Prometheus that scrapes a real scorer.

No Grafana can be had here: what the panels look like was seen by nobody.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway

from model_lifecycle.core.drift import ColumnDrift, Finding
from model_lifecycle.core.release import State
from model_lifecycle.core.samples import Sample, drift_samples, report_samples
from model_lifecycle.releases.publishing import PERCENT, STATE
from tests import models
from tests.callers import infer
from tests.grafana.__main__ import files
from tests.grafana.boards import FOLDER, TAG
from tests.grafana.panels import STATES
from tests.grafana.queries import Asked, asked, label_values, put_in, variables
from tests.grafana.release import STAGE
from tests.house.pages import ROOT
from tests.servers.prometheus import Prometheus, Pushgateway
from tests.servers.scorer import ScorerServer

RULES = ROOT / "provider" / "model_lifecycle" / "prometheus"
PROVISIONING = FOLDER.parent / "provisioning"
BOARDS = {file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
ASKED = [one for board in BOARDS.values() for one in asked(board)]
OLD, NEW, FAULTY = 1, 2, 3
SCRAPED = 4
"""Seconds, several times the interval of a scrape: long enough for a rate."""


def post(url: str, body: str = "{}") -> int:
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def publish(gateway: Pushgateway, job: str, grouping: dict[str, str], samples: Iterable[Sample]) -> None:
    registry, gauges = CollectorRegistry(), {}
    for one in samples:
        if one.name not in gauges:
            gauges[one.name] = Gauge(one.name, one.help, list(one.labels), registry=registry)
        gauges[one.name].labels(**one.labels).set(one.value)
    push_to_gateway(gateway.url.removeprefix("http://"), job, registry, grouping)


class World:
    """A model with two versions that are asked, one that fails, a release under way, and what monitors published."""

    def __init__(self, folder: Path, scorer: ScorerServer, gateway: Pushgateway, prometheus: Prometheus) -> None:
        self.folder, self.scorer, self.gateway, self.prometheus = folder, scorer, gateway, prometheus
        self.model = f"m{uuid4().hex[:12]}"
        self.endpoint = f"scorer_default/{self.model}"

    def stand(self) -> None:
        base = f"{self.scorer.url}/v2/repository/models/{self.model}"
        made = {version: models.linear(self.folder / str(version), 100.0 * version) for version in (OLD, NEW)}
        made[FAULTY] = models.failing(self.folder / "faulty")
        for version, folder in made.items():
            models.stage(self.scorer.repository, self.model, version, folder)
            assert post(f"{base}/load", json.dumps({"parameters": {"version": str(version)}})) in {200, 202}
            wait_until(lambda version=version: self.ready(version))
        self.route({OLD: 75, NEW: 25})
        self.tell()

    def ready(self, version: int) -> bool:
        url = f"{self.scorer.url}/v2/models/{self.model}/versions/{version}/ready"
        try:
            urllib.request.urlopen(url, timeout=30).close()
        except urllib.error.HTTPError as error:
            error.close()
            return False
        return True

    def route(self, traffic: dict[int, int]) -> None:
        url = f"{self.scorer.url}/v2/models/{self.model}/route"
        request = urllib.request.Request(url, json.dumps({"traffic": traffic}).encode(), method="PUT")
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=30).close()

    def ask(self, times: int = 20) -> None:
        url, body = f"{self.scorer.url}/v2/models/{self.model}", infer(self.model).body
        for _ in range(times):
            assert post(f"{url}/infer", body) == 200
            assert post(f"{url}/versions/{FAULTY}/infer", body) >= 400

    def tell(self, state: State = State.BAKING) -> None:
        """What the tasks of a release and of a monitor publish."""
        labels = {"endpoint": self.endpoint, "model": self.model}
        shares = [
            Sample(PERCENT, percent, {**labels, "version": str(version)})
            for version, percent in {OLD: 75.0, NEW: 25.0}.items()
        ]
        told = Sample(STATE, 1.0, {**labels, "version": str(NEW), "state": state})
        publish(self.gateway, "release", {"instance": self.endpoint}, [*shares, told])
        measured = [
            {"check": "accuracy", "value": 0.91, "verdict": "PASS", "samples": 4000},
            {"check": "error_rate", "value": 0.2, "verdict": "FAIL", "samples": 900},
        ]
        report = {"endpoint": self.endpoint, "version": NEW, "measurements": measured}
        drifts = [
            ColumnDrift("dep_time", Finding.DRIFTED, 4000, js=0.31, ks=0.4),
            ColumnDrift("carrier", Finding.STABLE, 4000, js=0.02),
        ]
        monitored = [*report_samples(report, datetime.now(UTC)), *drift_samples(self.endpoint, NEW, drifts)]
        publish(self.gateway, "monitor", {"instance": self.endpoint}, monitored)

    def values(self, board: dict[str, Any]) -> dict[str, str]:
        """What the variables of a dashboard are when this world's model, endpoint and all its versions are chosen."""
        chosen = {"model": self.model, "endpoint": self.endpoint, "version": ".+"}
        for name, query in variables(board).items():
            selector, label = label_values(put_in(query, chosen))
            path = f"/api/v1/label/{label}/values?" + urllib.parse.urlencode({"match[]": selector})
            offered = self.prometheus.api(path)
            assert name == "version" or chosen[name] in offered, f"{query} offers {offered}"
            assert offered, query
        return chosen


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, pushgateway_server: Pushgateway
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dashboards")
    targets = {"scorer": [f"127.0.0.1:{scorer_server.port}"], "pushgateway": [pushgateway_server.address]}
    rules = [file for file in sorted(RULES.glob("*.yml")) if "groups" in yaml.safe_load(file.read_text())]
    with Prometheus(folder / "prometheus", scrape=targets, rules=rules) as prometheus:
        found = World(folder, scorer_server, pushgateway_server, prometheus)
        found.stand()
        end = time.monotonic() + SCRAPED
        while time.monotonic() < end:
            found.ask(2)
            time.sleep(0.2)
        rate = f'model_version:requests:rate1m{{model="{found.model}"}} > 0'
        # Callers go on meanwhile: where scrapes are late there is no rate of requests that are over.
        wait_until(lambda: found.ask(2) or prometheus.ask(rate))
        yield found


def wait_until(done: Callable[[], Any], timeout: float = 120) -> None:
    end = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.2)


def board_of(one: Asked) -> dict[str, Any]:
    return next(board for board in BOARDS.values() if board["title"] == one.board)


def test_the_dashboards_of_the_package_are_those_that_the_generator_makes():
    """If this fails, run ``python -m tests.grafana``."""
    assert {file.name: file.read_text() for file in FOLDER.glob("*.json")} == dict(files())


@pytest.mark.parametrize("one", ASKED, ids=str)
def test_every_query_of_every_panel_finds_something(world: World, one: Asked):
    values = world.values(board_of(one))
    expression = put_in(one.expression, values)
    wait_until(lambda: world.prometheus.ask(expression))


def test_every_query_is_one_that_promtool_reads_too(tmp_path: Path):
    values = {"model": "m", "endpoint": "c/m", "version": ".+"}
    rules = [
        {"record": f"panel:{number}", "expr": put_in(one.expression, values)} for number, one in enumerate(ASKED, 1)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["/usr/bin/promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_query_for_a_metric_that_nobody_has_finds_nothing(world: World):
    """So the test above can fail."""
    assert world.prometheus.ask(f'scorer_requests{{model="{world.model}"}}') == []


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (State.BAKING, "under way"),
        (State.PAUSED, "waits"),
        (State.ROLLING_BACK, "goes back"),
        (State.ROLLBACK_FAILED, "goes back"),
        (State.SUCCEEDED, "over, and well"),
    ],
)
def test_the_state_of_a_release_is_told_in_words(world: World, state: State, shown: str):
    world.tell(state)
    expression = put_in(STAGE, {"model": world.model})

    def told() -> set[tuple[str, str]]:
        found = world.prometheus.ask(expression)
        return {(one["metric"]["state"], STATES[int(one["value"][1])][0]) for one in found}

    wait_until(lambda: told() == {(state.value, shown)})


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_dashboard_can_be_read_at_night(board: dict[str, Any]):
    assert TAG in board["tags"]
    assert board["uid"].startswith(TAG)
    assert [link["tags"] for link in board["links"]] == [[TAG]]
    for panel in board["panels"]:
        assert panel["title"].endswith("?")
        assert len(panel["description"]) > 20, panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert panel["type"] in {"table", "state-timeline", "heatmap"} or panel["fieldConfig"]["defaults"]["unit"]


def test_no_two_dashboards_are_taken_for_each_other():
    assert len({board["uid"] for board in BOARDS.values()}) == len({b["title"] for b in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_no_two_panels_cover_each_other_or_leave_the_page(board: dict[str, Any]):
    covered: set[tuple[int, int]] = set()
    for place in [panel["gridPos"] for panel in board["panels"]]:
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & covered
        assert place["x"] + place["w"] <= 24
        covered |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_what_grafana_reads_at_its_start_names_the_source_that_dashboards_look_for():
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert [(one["type"], one["isDefault"]) for one in sources] == [("prometheus", True)]
    providers = yaml.safe_load((PROVISIONING / "dashboards" / "model-lifecycle.yml").read_text())["providers"]
    assert [one["type"] for one in providers] == ["file"]
