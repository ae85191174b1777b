from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.monitoring import Drift
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.core.samples import Sample
from model_lifecycle.hooks import metrics
from model_lifecycle.hooks.metrics import MetricSystemHook
from tests import models
from tests.operators.life import Life
from tests.operators.windows import Bench, at, columns


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def reasons(result: dict[str, Any]) -> str:
    return " ".join(one["reason"] for one in result["measurements"])


def test_a_calm_window_passes_and_a_shifted_one_fails_and_names_the_columns(bench: Bench) -> None:
    reference = bench.reference()
    calm, shifted = bench.day(1, reference), bench.day(2, reference, shift=0.5)
    assert (calm["verdict"], calm["drifted"], calm["persisted"]) == ("PASS", [], False)
    assert (shifted["verdict"], shifted["drifted"], shifted["persisted"]) == ("FAIL", ["x", "y"], False)
    assert shifted["window"] == "20130202T000000Z"
    assert shifted["compared_with"] == "training"
    assert shifted["rows"] == 3000
    assert "2 of 3 features drifted: " in shifted["reason"]
    assert "x (DRIFTED, JS 0." in shifted["reason"]
    json.dumps(shifted, allow_nan=False)
    kept = Profile.from_json(bench.store.read_document(shifted["profile"]))
    base = Profile.from_json(bench.store.read_document(reference))
    assert kept == profile(columns(at(2).toordinal(), shift=0.5), base)


def test_drift_persists_only_after_so_many_windows_on_end(bench: Bench) -> None:
    reference = bench.reference()
    found = [bench.day(day, reference, shift) for day, shift in enumerate([0.5, 0.5, 0.0, 0.5, 0.5, 0.5], 1)]
    assert [one["persisted"] for one in found] == [False, True, False, False, True, True]
    assert bench.day(6, reference, 0.5, consecutive=3)["persisted"]
    assert not bench.day(6, reference, 0.5, consecutive=4)["persisted"]
    assert bench.day(3, reference, 0.5, consecutive=1)["persisted"]


def test_a_window_judged_again_counts_once(bench: Bench) -> None:
    reference = bench.reference()
    assert [bench.day(1, reference, 0.5)["persisted"] for _ in range(3)] == [False] * 3
    assert bench.day(1, reference)["verdict"] == "PASS"
    assert not bench.day(2, reference, 0.5)["persisted"], "the newest verdict of a window counts"


def test_another_version_begins_anew(bench: Bench) -> None:
    reference = bench.reference()
    bench.day(1, reference, 0.5)
    other = bench.profile(bench.table("training", columns(99, 5000)), task_id="other")
    result = bench.day(2, other, 0.5)
    assert (result["verdict"], result["persisted"]) == ("FAIL", False)


def test_the_window_before_is_compared_with(bench: Bench) -> None:
    reference = bench.reference()
    first = bench.day(1, reference, 0.5, window="previous")
    assert (first["verdict"], first["compared_with"], first["persisted"]) == ("NO_DATA", None, False)
    assert "flights has no profile of a window before 20130201T000000Z" in first["reason"]
    same, back = bench.day(3, reference, 0.5, window="previous"), bench.day(4, reference, window="previous")
    assert (same["verdict"], same["compared_with"]) == ("PASS", "20130201T000000Z")
    assert (back["verdict"], back["compared_with"], back["drifted"]) == ("FAIL", "20130203T000000Z", ["x", "y"])
    assert "against 20130203T000000Z" in back["reason"]


@pytest.mark.parametrize(
    ("kind", "then", "now"),
    [
        ("last_week", at(1), at(8)),
        ("last_year", at(1, 3, 2012), at(1, 3)),
        ("last_year", at(28, 2, 2015), at(29, 2, 2016)),
    ],
)
def test_the_same_window_of_last_week_or_last_year_is_compared_with(
    bench: Bench, kind: str, then: datetime, now: datetime
) -> None:
    reference = bench.reference()
    bench.day(0, reference, 0.5, window_start=then)
    assert bench.day(0, reference, 0.5, window_start=now, window=kind)["verdict"] == "PASS"
    lonely = bench.day(0, reference, window_start=then + timedelta(hours=1), window=kind)
    assert lonely["verdict"] == "NO_DATA"
    assert f"which is {kind} of {then:%Y%m%dT010000Z}" in lonely["reason"]


def test_a_window_counted_into_other_cells_is_no_data_and_says_so(bench: Bench) -> None:
    bench.day(1, bench.reference())
    other = bench.profile(bench.table("training", columns(99, 5000)), task_id="other")
    result = bench.day(2, other, window="previous")
    assert result["verdict"] == "NO_DATA"
    assert "20130201T000000Z was counted into the cells of another reference" in result["reason"]


def test_the_order_of_partitions_does_not_matter_and_none_counts_twice(bench: Bench) -> None:
    reference = bench.reference()
    uris = [
        bench.profile(
            bench.table(f"{seed}", columns(seed, 700)), map_index=seed, reference=reference, window_start=at(1)
        )
        for seed in range(3)
    ]
    common = {"reference": reference, "window_start": at(1)}
    first = bench.judge(uris, **common)
    again = bench.judge([*uris[::-1], uris[0], None], **common)
    assert (first["rows"], again) == (2100, first)
    assert bench.judge(uris[0], **common)["rows"] == 700


def test_too_few_rows_are_inconclusive_and_no_rows_no_data(bench: Bench) -> None:
    reference = bench.reference()
    few = bench.profile(bench.table("few", columns(1, 100)), reference=reference, window_start=at(1))
    none = bench.profile([], reference=reference, window_start=at(2))
    common = {"reference": reference, "consecutive": 1}
    assert bench.judge(few, window_start=at(1), **common)["verdict"] == "INCONCLUSIVE"
    empty = bench.judge(none, window_start=at(2), **common)
    assert (empty["verdict"], empty["persisted"]) == ("NO_DATA", False)


def test_predictions_decide_where_there_are_any(bench: Bench) -> None:
    rows = columns(0, 20_000)
    reference = bench.profile(bench.table("training", {**rows, "prediction": rows["x"]}), task_id="reference")

    def judged(data: dict[str, Any], day: int) -> dict[str, Any]:
        uri = bench.profile(bench.table("day", data), reference=reference, window_start=at(day))
        return bench.judge(uri, reference=reference, window_start=at(day))

    without = judged(columns(1), 1)
    assert (without["verdict"], without["drifted"]) == ("PASS", [])
    moved = judged({**columns(2), "prediction": columns(3)["x"] + 1}, 2)
    assert (moved["verdict"], moved["drifted"]) == ("FAIL", ["prediction"])


def test_how_to_compare_can_be_said(bench: Bench) -> None:
    reference = bench.reference()
    assert bench.day(1, reference, 0.5, check=Drift(effect=0.5, critical=True))["verdict"] == "PASS"
    reported = bench.day(1, reference, 0.5, check=Drift())
    assert (reported["verdict"], reported["drifted"]) == ("NO_DATA", ["x", "y"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"window": "yesterday"}, "known are training, previous"),
        ({"consecutive": 0}, "at least 1"),
        ({"profiles": []}, "no profiles to merge"),
        ({"profiles": "file:///etc/passwd"}, "not a document"),
        ({"reference": None}, "nothing to compare with is named"),
        ({"name": None}, "under which name"),
        ({"metrics_conn_id": "prometheus_default"}, "need an endpoint and a version"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(bench: Bench, arguments: dict[str, Any], said: str) -> None:
    reference = bench.reference()
    known = {"profiles": [reference], "reference": reference, **arguments}
    with pytest.raises(AirflowFailException, match=said):
        bench.judge(known.pop("profiles"), **known)


def test_profiles_of_different_cells_are_an_error_with_what_to_do(bench: Bench) -> None:
    reference = bench.reference()
    other = bench.profile(bench.table("training", columns(99)), task_id="other")
    with pytest.raises(AirflowFailException, match=r"different cells.*edges_from"):
        bench.judge([reference, other], reference=reference)
    with pytest.raises(AirflowFailException, match=r"different cells.*edges_from"):
        bench.judge(other, reference=reference)


class Board(MetricSystemHook):
    """A double of a metric system that remembers what was published; the real one is asked in test_prometheus.py."""

    published: list[tuple[str, dict[str, str], list[Sample]]]

    def __init__(self) -> None:
        self.published = []

    def publish(self, job: str, grouping: Any, samples: Any) -> None:
        self.published.append((job, dict(grouping), list(samples)))

    counts = query = query_range = is_online = None  # type: ignore[assignment]


def test_results_are_published_under_the_endpoint_and_the_version(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, board = Bench(tmp_path), Board()
    monkeypatch.setattr(metrics, "metrics_hook", lambda conn_id: board)
    source = models.linear(life.folder / "model", 2.0)
    (source / "profile.json").write_bytes(profile(columns(0, 20_000)).to_json())
    model_uri = life.register(life.upload(source))
    uri = bench.profile(bench.table("day", columns(1, shift=0.5)), name=None, model_uri=model_uri)
    result = bench.judge(
        uri, name=None, model_uri=model_uri, endpoint=life.endpoint, metrics_conn_id="prometheus_default"
    )
    assert (result["name"], result["version"], result["verdict"]) == (life.model, 1, "FAIL")
    ((job, grouping, samples),) = board.published
    assert (job, grouping) == ("model_lifecycle_drift", {"endpoint": life.endpoint})
    found = {(one.name, one.labels.get("column") or one.labels.get("check"), one.labels.get("statistic")): one.value
             for one in samples}  # fmt: skip
    assert found["model_lifecycle_check_failed", "feature_drift", None] == 1.0
    assert found["model_lifecycle_drift_distance", "x", "ks"] > 0.1
    assert found["model_lifecycle_drift_distance", "city", "js"] < 0.1


ALONE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("pandas", "scipy", "sklearn", "mlflow", "matplotlib"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from pathlib import Path
from tests.operators.windows import Bench
bench = Bench(Path(sys.argv[1]))
reference = bench.reference()
print(bench.day(1, reference)["verdict"], bench.day(2, reference, shift=0.5)["verdict"])
"""


def test_profiles_and_drift_need_numpy_and_pyarrow_and_nothing_else_that_is_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", ALONE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.stdout.split()[-2:], done.returncode) == (["PASS", "FAIL"], 0), done.stderr
