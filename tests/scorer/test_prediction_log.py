"""The prediction log on the real scorer: under load, across a swap, killed, on HDFS, and where nothing can be written.

A log tells the truth if every answer that was given is in it, and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from hdfs import InsecureClient
from prometheus_client.parser import text_string_to_metric_families

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.monitoring import Coverage
from model_lifecycle.core.prediction_log import is_sampled
from model_lifecycle.operators.logged import Labels, LoggedPredictions
from model_lifecycle.scorer.log_tables import Record
from model_lifecycle.scorer.metrics import Metrics
from model_lifecycle.scorer.prediction_log import MAX_HELD, LogSettings, PredictionLog
from model_lifecycle.scorer.protocol import Tensor
from model_lifecycle.scorer.server import Settings, create_app
from model_lifecycle.stores.filesystem import Filesystem
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.stores.webhdfs import WebHdfs
from tests import models
from tests.servers.hdfs import HdfsCluster
from tests.servers.process import free_ports
from tests.servers.scorer import ScorerServer

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def record(request_id: str = "a", *, body: int = 0, version: int = 1, text: str = "t", **changes: Any) -> Record:
    inputs = (Tensor("x", "FP64", (1,), [1.0]),)
    outputs = (Tensor("output", "BYTES", (1,), [text]),)
    return Record("churn", version, request_id, AT, (("x", "FP64"),), inputs, outputs, body, **changes)


def written(root: Path) -> list[dict[str, Any]]:
    """Every row of every file under a final name."""
    return [row for path in sorted(root.rglob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def counted(metrics: Metrics, name: str) -> dict[str, float]:
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if sample.name == name:
                found[sample.labels.get("reason", "")] += sample.value
    return dict(found)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Alone:
    """A log without a server."""

    def __init__(self, files: Filesystem, **settings: Any) -> None:
        self.metrics = Metrics(lambda: [])
        self.log = PredictionLog(LogSettings("here", **{"share": 1.0, **settings}), files, self.metrics)

    def __enter__(self) -> Alone:
        self.log.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close(30)

    def dropped(self) -> dict[str, float]:
        return counted(self.metrics, "scorer_log_dropped_total")

    def rows(self) -> float:
        return counted(self.metrics, "scorer_log_rows_total").get("", 0.0)


def test_a_file_is_written_when_it_is_full_when_its_time_has_come_and_at_the_end(tmp_path: Path):
    with Alone(LocalFilesystem(tmp_path), rows=10, seconds=600) as alone:
        for number in range(25):
            alone.log.offer(record(str(number)))
        until(lambda: alone.rows() == 20)
    assert [row["request_id"] for row in written(tmp_path)] == [str(number) for number in range(25)]
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    with Alone(LocalFilesystem(tmp_path / "slow"), seconds=0.05) as alone:
        alone.log.offer(record())
        until(lambda: written(tmp_path / "slow"))


def test_files_lie_in_the_folder_of_their_hour_and_name_their_writer(tmp_path: Path):
    with Alone(LocalFilesystem(tmp_path)) as one, Alone(LocalFilesystem(tmp_path)) as other:
        one.log.offer(record("1"))
        other.log.offer(record("2"))
    names = [path.name for path in (tmp_path / "_predictions" / "churn" / "2026-03-01" / "12").iterdir()]
    assert len(names) == 2
    assert {writer in name for writer in (one.log.writer, other.log.writer) for name in names} == {True, False}


def test_only_the_share_is_logged_whichever_server_is_asked(tmp_path: Path):
    ids = [f"request-{number}" for number in range(300)]
    with Alone(LocalFilesystem(tmp_path), share=0.25) as alone:
        for name in ids:
            alone.log.offer(record(name))
    assert {row["request_id"] for row in written(tmp_path)} == {name for name in ids if is_sampled(name, 0.25)}


def test_what_parquet_cannot_carry_is_dropped_alone(tmp_path: Path):
    with Alone(LocalFilesystem(tmp_path)) as alone:
        for one in (record("1"), record("2", text="\ud800"), record("\ud800"), record("3")):
            alone.log.offer(one)
    assert [row["request_id"] for row in written(tmp_path)] == ["1", "3"]
    assert alone.dropped() == {"unusable": 2}


def test_what_finds_no_room_is_dropped_and_counted_at_once(tmp_path: Path):
    alone = Alone(LocalFilesystem(tmp_path))
    alone.log.offer(record("before the start"))
    with alone:
        alone.log.offer(record("too large", body=MAX_HELD))
        alone.log.offer(record("small"))
    assert alone.dropped() == {"queue_full": 2}
    assert [row["request_id"] for row in written(tmp_path)] == ["small"]


def test_where_nothing_can_be_written_rows_are_dropped_and_the_next_are_tried(tmp_path: Path):
    place = tmp_path / "place"
    place.write_text("a file where a folder should be, as good as a full disk")
    with Alone(LocalFilesystem(place), rows=1) as alone:
        alone.log.offer(record("1"))
        until(lambda: alone.dropped() == {"unwritable": 1})
        place.unlink()
        alone.log.offer(record("2"))
        until(lambda: alone.rows() == 1)
    assert [row["request_id"] for row in written(place)] == ["2"]


def test_hdfs_that_does_not_answer_costs_rows_and_nothing_else():
    nobody = WebHdfs([f"http://127.0.0.1:{free_ports()[0]}"], "/models", timeout=(0.2, 0.2), deadline=0.5)
    with Alone(nobody, rows=1) as alone:
        alone.log.offer(record("1"))
        until(lambda: alone.dropped() == {"unwritable": 1})


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1.5}, {"rows": 0}, {"seconds": 0}, {"share": float("nan")}])
def test_settings_that_make_no_log_are_refused(wrong: dict[str, float]):
    with pytest.raises(Invalid, match="share above 0"):
        LogSettings("here", **wrong)


# The scorer as its users start it.


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository's model folder with versions 1 (adds 100) and 2 (adds 200)."""
    root = tmp_path_factory.mktemp("made")
    for version in (1, 2):
        models.stage(root, "churn", version, models.linear(root / f"v{version}", 100.0 * version))
    return root / "churn"


class Logging:
    """A scorer that logs, with both versions loaded and the first routed."""

    def __init__(self, folder: Path, made: Path, place: str, *options: str) -> None:
        repository = folder / "repository"
        repository.mkdir(parents=True)
        (repository / "churn").symlink_to(shutil.copytree(made, folder / "churn"))
        self.server = ScorerServer(repository, folder / "log.txt", "--log-predictions", place, *options)
        self.session = requests.Session()

    def __enter__(self) -> Logging:
        self.server.start()
        for version in (1, 2):
            body = {"parameters": {"version": str(version)}}
            self.post("/v2/repository/models/churn/load", body)
            until(lambda v=version: self.call("GET", f"/v2/models/churn/versions/{v}/ready").status_code == 200)
        self.route(1)
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
        self.server.stop(40)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.server.url + path, timeout=30, **more)

    def post(self, path: str, body: Any, **more: Any) -> requests.Response:
        return self.call("POST", path, json=body, **more)

    def route(self, version: int) -> None:
        assert self.call("PUT", "/v2/models/churn/route", json={"traffic": {str(version): 100}}).status_code == 200

    def ask(self, x: float, path: str = "", headers: dict[str, str] | None = None, **more: Any) -> requests.Response:
        columns = {"x": x, "y": 1.0}
        inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": [v]} for n, v in columns.items()]
        return self.post(f"/v2/models/churn{path}/infer", {"inputs": inputs, **more}, headers=headers or {})

    def counted(self, name: str) -> float:
        text = self.call("GET", "/metrics").text
        families = text_string_to_metric_families(text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@pytest.fixture(scope="module")
def logging(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Iterator[tuple[Logging, Path]]:
    folder = tmp_path_factory.mktemp("logging")
    options = ("--log-share", "1", "--log-rows", "40", "--log-seconds", "0.2")
    with Logging(folder, made, str(folder / "store"), *options) as scorer:
        yield scorer, folder / "store"


def rows_of(store: Path, *ids: str) -> list[dict[str, Any]]:
    until(lambda: {row["request_id"] for row in written(store)} >= set(ids))
    return [row for row in written(store) if row["request_id"] in ids]


def test_under_load_and_across_a_swap_the_log_is_what_was_answered(logging: tuple[Logging, Path]):
    scorer, store = logging

    def ask(number: int) -> tuple[str, int, float]:
        if number == 200:
            scorer.route(2)
        answer = requests.post(
            f"{scorer.server.url}/v2/models/churn/infer",
            json={"inputs": [{"name": n, "shape": [1], "datatype": "FP64", "data": [number]} for n in ("x", "y")]},
            timeout=30,
        )
        said = answer.json()
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] == said["id"]
        return said["id"], int(said["model_version"]), said["outputs"][0]["data"][0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(400)))
    assert {version for _, version, _ in answers} == {1, 2}
    assert [version for _, version, _ in answers[-50:]] == [2] * 50
    found = rows_of(store, *(name for name, _, _ in answers))
    assert sorted((row["request_id"], row["version"], row["output.output"]) for row in found) == sorted(answers)
    assert {row["output.output"] - 2 * row["input.x"] - 100 * row["version"] for row in found} == {0.0}
    assert {(row["model"], row["row"]) for row in found} == {("churn", 0)}
    assert scorer.counted("scorer_log_rows_total") >= 400
    assert scorer.counted("scorer_log_dropped_total") == 0
    scorer.route(1)


def test_the_id_is_the_protocols_else_the_callers_header_else_one_of_ours(logging: tuple[Logging, Path]):
    scorer, store = logging
    both = scorer.ask(1, headers={"x-request-id": "head-1"}, id="body-1")
    header = scorer.ask(2, headers={"x-request-id": "head-2"})
    hostile = scorer.ask(3, headers={"x-request-id": "a b"})
    unicode = scorer.ask(4, id="\u03b1-7")
    assert (both.json()["id"], both.headers["x-request-id"]) == ("body-1", "body-1")
    assert header.json()["id"] == "head-2"
    assert hostile.json()["id"] not in ("a b", "")
    assert unicode.json()["id"] == "\u03b1-7"
    assert "x-request-id" not in unicode.headers
    found = rows_of(store, "body-1", "head-2", hostile.json()["id"], "\u03b1-7")
    assert [row["input.x"] for row in sorted(found, key=lambda row: row["input.x"])] == [1, 2, 3, 4]


def test_labels_that_come_later_find_what_the_scorer_logged(logging: tuple[Logging, Path], tmp_path: Path):
    scorer, store = logging
    start = datetime.now(UTC)
    ids = [scorer.ask(number).json()["id"] for number in range(30)]
    rows_of(store, *ids)
    lines = [f"{name},{number + 101}" for number, name in enumerate(ids[:20])]
    (tmp_path / "labels.csv").write_text("\n".join(["request_id,label", *lines]))
    logged = LoggedPredictions(store.as_uri(), "churn", start, datetime.now(UTC) + timedelta(hours=1), ["x"])
    labels = Labels(str(tmp_path / "labels.csv"), "label", numeric=True)
    window = logged.window(1, None, labels, datetime.now(UTC))
    assert sorted(zip(window.labels, window.predictions, strict=True)) == [(n + 101, n + 101) for n in range(20)]
    assert len(window.unlabelled) == 10
    assert verdicts_of(Coverage(0.9).judge(window)) == ["INCONCLUSIVE", "PASS"]


def verdicts_of(found: list[Any]) -> list[str]:
    return [str(one.verdict) for one in found]


def test_smoke_requests_and_requests_that_fail_are_no_callers_predictions(logging: tuple[Logging, Path]):
    scorer, store = logging
    pinned = scorer.ask(1, "/versions/2", id="pinned-path")
    header = scorer.ask(1, headers={"x-model-version": "1"}, id="pinned-header")
    failed = scorer.post("/v2/models/churn/infer", {"id": "failed", "inputs": []})
    assert (pinned.status_code, header.status_code, failed.status_code) == (200, 200, 400)
    assert "id" not in scorer.ask(1, "/versions/2").json()
    scorer.ask(1, id="after")
    assert {row["request_id"] for row in rows_of(store, "after", "after")} == {"after"}
    assert {row["request_id"] for row in written(store)} & {"pinned-path", "pinned-header", "failed"} == set()


def test_a_killed_scorer_leaves_whole_files_and_loses_what_was_open_only(tmp_path: Path, made: Path):
    options = ("--log-share", "1", "--log-rows", "5", "--log-seconds", "600")
    with Logging(tmp_path, made, str(tmp_path / "store"), *options) as scorer:
        for number in range(52):
            assert scorer.ask(number, id=str(number)).status_code == 200
        until(lambda: scorer.counted("scorer_log_rows_total") == 50)
        with ThreadPoolExecutor(2) as pool:  # killed while it writes
            asking = [pool.submit(_ask_until_dead, scorer, f"late-{one}") for one in range(2)]
            time.sleep(0.3)
            scorer.server.kill()
            answered = [name for future in asking for name in future.result()]
    found = [row["request_id"] for row in written(tmp_path / "store")]
    assert len(found) == len(set(found))
    assert set(found) <= {str(number) for number in range(52)} | set(answered) | {f"late-{one}-last" for one in (0, 1)}
    assert {str(number) for number in range(50)} <= set(found)


def _ask_until_dead(scorer: Logging, name: str) -> list[str]:
    answered: list[str] = []
    url = f"{scorer.server.url}/v2/models/churn/infer"
    inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": [1.0]} for n in ("x", "y")]
    while True:
        answered.append(f"{name}-{len(answered)}")  # the last one may be logged though its answer never came
        try:
            requests.post(url, json={"id": answered[-1], "inputs": inputs}, timeout=30).raise_for_status()
        except requests.RequestException:
            return answered


def test_answers_go_on_where_hdfs_takes_nothing_and_an_ending_scorer_writes_what_it_holds(
    tmp_path: Path, made: Path, hdfs_cluster: HdfsCluster, hdfs_root: str
):
    client = InsecureClient(hdfs_cluster.url, user="root")
    client.makedirs(hdfs_root)
    hdfs_cluster.set_name_quota(hdfs_root, 1)
    place = hdfs_cluster.url.replace("http", "webhdfs") + hdfs_root
    with Logging(tmp_path, made, place, "--log-share", "1", "--log-rows", "20", "--log-pinned") as scorer:
        assert [scorer.ask(number, id=f"lost-{number}").status_code for number in range(20)] == [200] * 20
        until(lambda: scorer.counted("scorer_log_dropped_total") == 20)
        hdfs_cluster.clear_quotas(hdfs_root)
        for number in range(30):
            scorer.ask(number, id=str(number))
        scorer.ask(30, "/versions/2", id="30")
    files = [f"{folder}/{name}" for folder, _, names in client.walk(f"{hdfs_root}/_predictions") for name in names]
    assert all(name.endswith(".parquet") for name in files)
    found = []
    for number, name in enumerate(files):
        local = tmp_path / f"{number}.parquet"
        client.download(name, str(local))
        found += pq.ParquetFile(local).read().to_pylist()
    assert sorted((int(row["request_id"]), row["version"]) for row in found) == [
        *((number, 1) for number in range(30)), (30, 2),
    ]  # fmt: skip


def test_a_log_without_a_place_keeps_the_scorer_from_starting(tmp_path: Path):
    with pytest.raises(Invalid, match="no place for a prediction log"):
        create_app(Settings(tmp_path, log=LogSettings("s3://bucket/models")))
