from __future__ import annotations

import json

import pytest

from model_lifecycle.cli.retention import REMOVED_TAG
from model_lifecycle.core.models import ModelUri
from tests.cli.asking import Ask
from tests.operators.life import Life
from tests.servers.process import free_ports


@pytest.fixture
def short(life: Life) -> Life:
    """Versions 1 to 3 were released, 4 was only registered."""
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    life.version(4.0)
    return life


def there(life: Life) -> list[int]:
    found = [one for one in life.registry.search(life.model) if life.store.exists(one.artifact_uri)]
    return sorted(one.version for one in found)


def test_what_serves_what_a_name_points_at_and_the_ways_back_stay(old: Life, ask_old: Ask):
    rows = {row["version"]: row for row in ask_old("gc", "--keep", 1, "--ways-back", 1, "--dry-run", "--yes")}
    assert there(old) == [1, 2, 3, 4, 5, 6, 7], "a dry run deletes nothing, whatever else is said"
    whys = {version: row["why"] for version, row in rows.items()}
    assert whys == {
        1: "nothing needs it",
        2: "nothing needs it",
        3: f"a way back of {old.endpoint}",
        4: f"serves on {old.endpoint}",
        5: "nothing needs it",
        6: "an alias names it: blessed",
        7: "among the newest 1",
    }
    assert rows[5]["bytes"] == old.store.read_manifest(artifact(old, 5)).size


def artifact(life: Life, version: int) -> str:
    return life.registry.get(ModelUri(life.model, version=version)).artifact_uri


def test_it_deletes_only_when_told_and_the_way_back_still_works(short: Life, ask: Ask):
    ask("gc", "--keep", 0, "--ways-back", 1)
    assert there(short) == [1, 2, 3, 4]
    rows = ask("gc", "--keep", 0, "--ways-back", 1, "--yes")
    assert [row["version"] for row in rows if row["what"] == "deleted"] == [4, 1]
    assert there(short) == [2, 3]
    assert REMOVED_TAG in short.registry.get(ModelUri(short.model, version=1)).tags
    assert short.roll_back("incident")["serving_version"] == 2
    assert short.answer() == 13.0
    again = ask("gc", "--keep", 0, "--ways-back", 1, "--yes")
    assert {row["why"] for row in again if row["version"] in (1, 4)} == {"its artifact is gone already"}


def test_the_defaults_delete_nothing_of_a_short_life(old: Life, ask_old: Ask):
    ask_old("gc", "--yes")
    assert there(old) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("who", ["SCORER", "MLFLOW"])
def test_it_refuses_when_somebody_cannot_be_asked(old: Life, ask_old: Ask, monkeypatch, who: str):
    known = {"SCORER": "open_inference", "MLFLOW": "mlflow"}[who]
    away = {"conn_type": known, "host": "http://127.0.0.1", "port": free_ports()[0]}
    away["extra"] = {"repository": str(old.repository), "timeout": 0.1}
    with monkeypatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_{who}_DEFAULT", json.dumps(away))
        with pytest.raises(SystemExit, match="airflow model-lifecycle gc: "):
            ask_old("gc", "--keep", 0, "--yes")
    assert there(old) == [1, 2, 3, 4, 5, 6, 7]


def test_an_artifact_that_another_model_has_too_stays(short: Life, ask: Ask):
    manifest = short.store.read_manifest(artifact(short, 1))
    short.registry.register(f"{short.model}-copy", artifact(short, 1), manifest.digest)
    rows = {row["version"]: row for row in ask("gc", "--keep", 0, "--ways-back", 1, "--yes")}
    assert rows[1]["why"] == "another version has the same artifact"
    assert there(short) == [1, 2, 3]


def test_it_stops_when_somebody_releases_meanwhile(short: Life, ask: Ask, monkeypatch):
    monkeypatch.setattr(
        "model_lifecycle.cli.retention.shell_user", lambda: short.roll_back("meanwhile") and {"user": "x"}
    )
    with pytest.raises(SystemExit, match="at the same time"):
        ask("gc", "--keep", 0, "--ways-back", 1, "--yes")
    assert {2, 3} <= set(there(short))
