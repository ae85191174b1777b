"""The gate before the two corpora, before folders that hold more or less than they list, and before random bytes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid, Untrusted
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.core.trust import FORMATS, TrustPolicy
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.trust import inspect
from tests import models
from tests.trust import benign, malicious
from tests.trust.fixtures import ROOT, Watched, command, watch

BAD = [(name, words) for name, bad in malicious.CORPUS.items() for words in ("", *bad.also)]
MEMORY = 160 << 10
"""KiB that a process may have had when it has looked through everything, its own 25 MiB included."""


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(tmp_path_factory.mktemp("trust"))


@pytest.mark.parametrize(("name", "words"), BAD, ids=[f"{name} | {words}" for name, words in BAD])
def test_a_malicious_artifact_is_refused_and_nothing_of_it_runs(watched: Watched, name: str, words: str) -> None:
    result = watched.of(name, words)
    assert result["outcome"] is not None, "it passed"
    assert result["outcome"][0] == "Untrusted"
    assert " -> " in result["outcome"][1], "it says what to do next"
    assert result["seen"] == []


@pytest.mark.parametrize("name", benign.CORPUS)
def test_a_benign_artifact_passes_under_the_default_policy(watched: Watched, name: str) -> None:
    result = watched.of(name)
    assert result["outcome"] is None
    assert result["seen"] == []


def test_no_marker_was_made(watched: Watched) -> None:
    assert list(watched.markers.iterdir()) == []


def test_memory_stays_small(watched: Watched) -> None:
    assert max(result["memory"] for result in watched.results.values()) < MEMORY


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(malicious.CORPUS) >= 100
    assert len(benign.CORPUS) >= 12


def test_the_payloads_are_real(tmp_path: Path) -> None:
    """Many of them do run their command when somebody unpickles the file, or lets joblib load it."""
    files = []
    for number, bad in enumerate(malicious.CORPUS.values()):
        if "bomb" not in bad.files.__name__:
            for name, data in bad.files(command(tmp_path, number)).items():
                files.append(str(tmp_path / f"{number}-{name.replace('/', '-')}.file"))
                Path(files[-1]).write_bytes(data)
    code = (
        "import json, pickle, sys, joblib, contextlib\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    for load in (lambda: pickle.load(open(name, 'rb')), lambda: joblib.load(name)):\n"
        "        with contextlib.suppress(BaseException): load()\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, json.dumps(files)], check=True, capture_output=True)
    ran = {int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()}
    names = [name for number, name in enumerate(malicious.CORPUS) if number in ran]
    assert len(names) >= 40, names
    assert {"safetensors_that_is_a_pickle", "zip_behind_a_pickle", "number_in_another_base_first"} <= set(names)


def write(folder: Path, **files: bytes) -> Path:
    return malicious.write(folder, {name.replace("__", "."): data for name, data in files.items()})


def test_the_first_refused_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", a__txt=b"fine", b__pkl=pickle.dumps(malicious.Call(print, 1)))
    with pytest.raises(Untrusted) as caught:
        inspect(folder, describe(folder, "m"), TrustPolicy())
    text = str(caught.value)
    assert text.startswith("b.pkl is a pickle that names builtins.print: ")
    assert "allow it in the trust policy: formats pickle" in text


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", a__txt=b"fine")
    manifest = describe(folder, "m")
    (folder / MANIFEST_NAME).write_bytes(manifest.to_json())
    inspect(folder, manifest, TrustPolicy())
    (folder / "more.txt").write_text("fine too")
    with pytest.raises(Untrusted, match=r"more.txt is not listed"):
        inspect(folder, manifest, TrustPolicy())


def test_a_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", a__txt=b"fine")
    manifest = describe(folder, "m")
    (folder / "data").symlink_to("/etc")
    with pytest.raises(Untrusted, match="no plain file"):
        inspect(folder, manifest, TrustPolicy())
    (folder / "data").unlink()
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to("/etc/passwd")
    with pytest.raises(Untrusted, match="no plain file"):
        inspect(folder, manifest, TrustPolicy())


@pytest.mark.parametrize("change", ["missing", "longer"])
def test_a_folder_that_is_not_the_artifact_is_corrupt(tmp_path: Path, change: str) -> None:
    folder = write(tmp_path / "m", a__txt=b"fine", b__txt=b"fine")
    manifest = describe(folder, "m")
    if change == "missing":
        (folder / "b.txt").unlink()
    else:
        (folder / "b.txt").write_text("fine, and more")
    with pytest.raises(Corrupt, match=r"b\.txt"):
        inspect(folder, manifest, TrustPolicy())


def test_a_model_of_plain_python_needs_code_and_no_pickles(tmp_path: Path) -> None:
    folder = models.scripted(tmp_path / "m", "return rows.x")
    with pytest.raises(Untrusted, match="trust policy: code"):
        inspect(folder, describe(folder, "m"), TrustPolicy.parse("pickle"))
    inspect(folder, describe(folder, "m"), TrustPolicy.parse("code"))


def test_a_forest_needs_the_type_of_its_nodes(tmp_path: Path) -> None:
    with models.quiet():
        import skops.io
        from sklearn.ensemble import RandomForestClassifier

    folder = tmp_path / "m"
    folder.mkdir()
    skops.io.dump(RandomForestClassifier(2).fit([[0.0], [1.0]], [0, 1]), folder / "model.skops")
    with pytest.raises(Untrusted, match="globals sklearn.tree._tree.Tree"):
        inspect(folder, describe(folder, "m"), TrustPolicy())
    inspect(folder, describe(folder, "m"), TrustPolicy.parse({"globals": ["sklearn.tree._tree.Tree"]}))


def test_data_of_a_model_may_be_bytes_of_no_format_and_nothing_else_may(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    benign.CORPUS["onnx_with_its_data_beside_it"](folder)
    inspect(folder, describe(folder, "m"), TrustPolicy())
    (folder / "onnx" / "other.data").write_bytes((folder / "onnx" / "weights.data").read_bytes())
    with pytest.raises(Untrusted, match=r"other\.data is a binary file"):
        inspect(folder, describe(folder, "m"), TrustPolicy())
    inspect(folder, describe(folder, "m"), TrustPolicy.parse("unknown"))


def seeds() -> list[tuple[str, bytes]]:
    found = [
        (name, data)
        for number, bad in enumerate(malicious.CORPUS.values())
        if "bomb" not in bad.files.__name__ and "megabyte" not in bad.files.__name__
        for name, data in bad.files(command(ROOT / "never", number)).items()
    ]
    return [(name, data) for name, data in found if len(data) < 100_000]


SEEDS = seeds()
EVERYTHING = TrustPolicy(formats=frozenset(FORMATS), code=True, globals=frozenset({"posix.system"}))
CHANGES = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6)


def changed(data: bytes, changes: list[tuple[int, float, bytes]]) -> bytes:
    for kind, place, piece in changes:
        at = int(place * len(data))
        if kind == 0:
            data = data[:at] + piece + data[at:]
        elif kind == 1:
            data = data[:at] + piece + data[at + len(piece) :]
        elif kind == 2:
            data = data[:at] + data[at + len(piece) :]
        elif kind == 3:
            data = data[:at]
        else:
            data = data[:at] + data[at // 2 :]
    return data


@hypothesis.settings(max_examples=400, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(seed=st.sampled_from(SEEDS), changes=CHANGES, policy=st.sampled_from([TrustPolicy(), EVERYTHING]))
def test_changed_files_are_refused_or_pass_and_nothing_else(tmp_path_factory, seed, changes, policy):
    name, data = seed
    folder = malicious.write(tmp_path_factory.mktemp("fuzz"), {name: changed(data, changes)})
    try:
        inspect(folder, describe(folder, "m"), policy)
    except (Untrusted, Invalid):
        pass


@hypothesis.settings(max_examples=200, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    data=st.binary(max_size=2000), name=st.sampled_from(["MLmodel", "a.skops", "a.onnx", "a.yaml", "x.h5"])
)
def test_random_bytes_are_refused_or_pass_and_nothing_else(tmp_path_factory, data, name):
    folder = malicious.write(tmp_path_factory.mktemp("fuzz"), {name: data})
    try:
        inspect(folder, describe(folder, "m"), EVERYTHING)
    except (Untrusted, Invalid):
        pass
