from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hdfs import InsecureClient

from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.operators.profile import ProfileDataOperator
from tests import models
from tests.operators.life import Life, context
from tests.operators.windows import Bench, at, columns
from tests.servers.hdfs import HdfsCluster


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def read(bench: Bench, uri: str) -> Profile:
    return Profile.from_json(bench.store.read_document(uri))


def test_without_a_reference_it_makes_one(bench: Bench) -> None:
    uri = bench.reference()
    assert uri.endswith("/_profiles/flights/reference/reference/00000001.json")
    assert read(bench, uri) == profile(columns(0, 20_000))


def test_mapped_tasks_over_partitions_add_up_to_one_pass(bench: Bench) -> None:
    reference, data = bench.reference(), columns(1)
    parts = [
        bench.table(f"part-{low}", {name: values[low : low + 1100] for name, values in data.items()})
        for low in range(0, 3000, 1100)
    ]
    uris = [
        bench.profile(part, map_index=number, reference=reference, window_start=at(1))
        for number, part in enumerate([*parts, str(Path(parts[0]).parent / "nothing-*.parquet")])
    ]
    assert uris[2].endswith("/_profiles/flights/20130201T000000Z/profile-2/00000001.json")
    found = [read(bench, uri) for uri in uris]
    assert found[3].rows == 0
    merged = found[3].merge(found[1]).merge(found[0]).merge(found[2])
    assert merged.to_json() == profile(data, read(bench, reference)).to_json()
    whole = bench.profile(str(Path(parts[0]).parent / "part-*.parquet"), reference=reference, window_start=at(2))
    assert read(bench, whole) == merged
    assert read(bench, bench.profile(parts, reference=reference, window_start=at(3))) == merged


def test_run_again_it_returns_the_same_uri_and_on_mended_data_another(bench: Bench) -> None:
    reference, file = bench.reference(), bench.table("day", columns(1))
    first = bench.profile(file, reference=reference)
    assert bench.profile(file, reference=reference) == first
    bench.table("day", columns(2))
    second = bench.profile(file, reference=reference)
    assert second != first
    assert read(bench, first).rows == 3000


def test_the_versions_own_profile_gives_the_cells_and_its_model_the_name(life: Life, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    source = models.linear(life.folder / "model", 2.0)
    (source / "profile.json").write_bytes(profile(columns(0)).to_json())
    model_uri = life.register(life.upload(source))
    uri = bench.profile(bench.table("day", columns(1)), name=None, model_uri=model_uri)
    assert f"/_profiles/{life.model}/20130201T000000Z/profile/" in uri
    assert read(bench, uri) == profile(columns(1), profile(columns(0)))
    plain = life.version(1.0)
    with pytest.raises(AirflowFailException, match=r"without a profile.*put profile.json"):
        bench.profile(bench.table("day", columns(1)), model_uri=plain)


def test_columns_are_chosen_and_left_out(bench: Bench) -> None:
    reference, file = bench.reference(), bench.table("day", {**columns(1), "when": [at(1)] * 3000})
    assert list(read(bench, bench.profile(file, reference=reference, columns=["x", "city"])).columns) == ["city", "x"]
    assert list(read(bench, bench.profile(file, exclude=["x", "when"])).columns) == ["city", "y"]
    for wrong, said in (({"columns": ["z"]}, "no columns z"), ({"exclude": ["x", "y", "city"]}, "no a column")):
        with pytest.raises(AirflowFailException, match=said):
            bench.profile(file, reference=reference, **wrong)
    with pytest.raises(AirflowFailException, match="column when holds something else"):
        bench.profile(file)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": None, "reference": None}, "under which name"),
        ({"name": "../x"}, "not allowed"),
        ({"model_uri": "models:/flights/1"}, "both a version and a profile"),
        ({"window_start": "tomorrow"}, "is no time"),
        ({"reference": "file:///etc/passwd"}, "not a document"),
        ({"data": "/nowhere/data.parquet"}, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(bench: Bench, arguments: dict[str, Any], said: str) -> None:
    known = {"reference": bench.reference(), "data": bench.table("day", columns(1)), **arguments}
    with pytest.raises(AirflowFailException, match=said):
        bench.profile(known.pop("data"), **known)


def test_a_run_without_a_data_interval_needs_a_window(bench: Bench) -> None:
    task = ProfileDataOperator(
        task_id="profile", data=bench.table("day", columns(1)), reference=bench.reference(), name="flights",
        store=bench.store_uri,
    )  # fmt: skip
    where = {**context(), "data_interval_start": None}
    with pytest.raises(AirflowFailException, match="pass window_start="):
        task.execute(where)
    task.window_start = "2013-02-01T01:00:00+01:00"
    assert "/20130201T000000Z/" in task.execute(where)


def test_a_truncated_file_is_one_error_with_its_name(bench: Bench) -> None:
    reference, file = bench.reference(), Path(bench.table("day", columns(1)))
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(AirflowFailException, match=r"day.parquet cannot be read as Parquet"):
        bench.profile(str(file), reference=reference)


def test_tables_and_the_store_may_both_lie_in_hdfs(
    hdfs_cluster: HdfsCluster, hdfs_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = hdfs_cluster.url.removeprefix("http://").split(":")
    known = {"conn_type": "webhdfs", "host": host, "port": int(port), "login": "root"}
    monkeypatch.setenv("AIRFLOW_CONN_HDFS_TABLES", json.dumps(known))
    client = InsecureClient(hdfs_cluster.url, user="root", root=hdfs_root)
    for part in ("hour=00", "hour=01"):
        pq.write_table(pa.table(columns(1)), tmp_path / "part.parquet")
        client.upload(f"flights/{part}/data.parquet", str(tmp_path / "part.parquet"))
    common = {"store": f"hdfs://hdfs_tables@{hdfs_root}/models", "name": "flights"}
    base = f"hdfs://hdfs_tables@{hdfs_root}/flights"
    made = ProfileDataOperator(task_id="reference", data=f"{base}/hour=00", **common).execute(context())
    uri = ProfileDataOperator(task_id="profile", data=base, reference=made, **common).execute(context())
    assert uri.startswith(f"webhdfs://{host}:{port}{hdfs_root}/models/_profiles/flights/20130201T000000Z/")
    with client.read(uri.split(f"{hdfs_root}/")[1]) as document:
        assert json.loads(document.read())["rows"] == 6000


def test_of_a_prediction_log_the_versions_own_answers_count_and_those_of_the_time(life: Life, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    source = models.linear(life.folder / "model", 2.0)
    seen = {"x": [float(number % 7) for number in range(60)]}
    (source / "profile.json").write_bytes(profile({**seen, "prediction": seen["x"]}).to_json())
    model_uri = life.register(life.upload(source))
    version = int(model_uri.rpartition("/")[2])
    moments = pa.array([at(1).replace(minute=number) for number in range(60)], pa.timestamp("us", "UTC"))
    log = {
        "request_id": [str(number) for number in range(60)],
        "row": [0] * 60,
        "at": moments,
        "version": [version, version + 1] * 30,
        "model": ["flights"] * 60,
        "input.x": seen["x"],
        "output.y": seen["x"],
    }
    file = bench.table("hour", log)
    assert read(bench, bench.profile(file, model_uri=model_uri)).rows == 30
    window = [at(1).isoformat(), at(1).replace(minute=10)]
    found = read(bench, bench.profile(file, model_uri=model_uri, between=window, window_start=at(2)))
    assert (found.rows, found.columns["prediction"].rows) == (5, 5)
    with pytest.raises(AirflowFailException, match="a start and an end"):
        bench.profile(file, model_uri=model_uri, between=window[:1])
