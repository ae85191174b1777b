from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.models import ModelUri
from model_lifecycle.core.profile import profile
from tests import models
from tests.cli.asking import Ask, run
from tests.operators.life import Life


def with_profile(folder: Path, offset: float, columns: dict[str, list[float]], edges_from=None) -> Path:
    models.linear(folder, offset)
    (folder / "profile.json").write_bytes(profile(columns, edges_from).to_json())
    return folder


def test_a_whole_artifact_is_proven_by_its_uri_and_by_its_version(life: Life, ask: Ask):
    uri = life.version(1.0)
    artifact = life.registry.get(ModelUri.parse(uri)).artifact_uri
    manifest = life.store.read_manifest(artifact)
    (by_version,), (by_place,) = ask("verify", uri), ask("verify", artifact)
    assert (by_version["version"], by_place["version"]) == (1, None)
    assert by_version["digest"] == by_place["digest"] == manifest.digest
    assert (by_place["files"], by_place["bytes"]) == (len(manifest.files), manifest.size)


def test_one_changed_byte_is_found(life: Life, ask: Ask):
    uri = life.version(1.0)
    place = Path(life.registry.get(ModelUri.parse(uri)).artifact_uri.removeprefix("file://"))
    file = max((one for one in place.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
    file.chmod(0o600)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(SystemExit, match=r"airflow model-lifecycle verify: .*\["):
        ask("verify", uri)


def test_what_is_not_there_is_one_clear_line(life: Life, ask: Ask):
    for uri in ("models:/nobody/1", "models:/no body/1", f"{life.store_uri}/{life.model}/{'0' * 64}", "nonsense"):
        with pytest.raises(SystemExit, match="airflow model-lifecycle verify: "):
            ask("verify", uri)


def test_two_versions_differ_in_files_provenance_and_data(life: Life, ask: Ask):
    one = {"x": [float(i % 50) for i in range(1000)], "y": [float(i % 7) for i in range(1000)]}
    other = {**one, "x": [40.0 + i % 10 for i in range(1000)]}
    first = with_profile(life.folder / "one", 1.0, one)
    second = with_profile(life.folder / "two", 2.0, other, profile(one))
    uris = [life.register(life.upload(folder, run), run) for folder, run in ((first, "run-1"), (second, "run-2"))]
    rows = ask("diff", *uris)
    found = {(row["part"], row["name"]): row for row in rows}
    assert found["files", "profile.json"]["note"] == "changed"
    assert (found["provenance", "run_id"]["before"], found["provenance", "run_id"]["after"]) == ("run-1", "run-2")
    assert found["profile", "x"]["note"] == "DRIFTED"
    assert ("profile", "y") not in found
    assert ask("diff", uris[0], uris[0]) == []


def test_a_table_of_no_differences_says_so(life: Life, capsys):
    uri = life.version(1.0)
    run("diff", uri, uri, "--store", life.store_uri)
    assert "No data found" in capsys.readouterr().out
