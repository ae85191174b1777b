"""Archives made of artifacts: always the same bytes, proven when they are there, refused where we cannot serve."""

from __future__ import annotations

import json
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound, Untrusted
from model_lifecycle.hooks import model_archive
from model_lifecycle.hooks.model_archive import archive_name, stage_archive, write_archive
from model_lifecycle.stores.folder import describe, signature_of
from model_lifecycle.stores.local import local_store
from tests.fixtures_archives import SIGNATURE

MLMODEL = """\
flavors:
  {flavor}
signature:
  inputs: '[{{"type": "double", "name": "x", "required": true}}]'
  outputs: null
"""


def script(path: Path, *, code: bool = True) -> None:
    """A file of the form of TorchScript, or without its code that of a pickle which ``torch.save`` wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"data")
        if code:
            archive.writestr("model/constants.pkl", b"")
            archive.writestr("model/code/__torch__.py", b"")


class Shelf:
    """A store, and the folder from which a server loads archives."""

    def __init__(self, folder: Path) -> None:
        self.store, self.archives, self.folder = local_store(folder / "store"), folder / "archives", folder / "model"
        self.archives.mkdir()
        self.folder.mkdir()

    def publish(self, signature=SIGNATURE, model: str = "churn") -> str:
        return self.store.publish(self.folder, describe(self.folder, model, signature=signature))

    def stage(self, uri: str | None = None, version: int = 1) -> Path:
        return stage_archive(self.archives, "churn", version, uri or self.publish(), self.store)


@pytest.fixture
def shelf(tmp_path):
    shelf = Shelf(tmp_path)
    script(shelf.folder / "model.pt")
    return shelf


def papers(archive: Path) -> dict:
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read("lifecycle.json"))


def test_an_archive_holds_the_artifact_the_handler_and_where_they_came_from(shelf):
    uri = shelf.publish()
    target = shelf.stage(uri, version=3)
    assert target == shelf.archives / "churn-3.mar"
    with zipfile.ZipFile(target) as archive:
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        names = set(archive.namelist())
        assert archive.read("artifact/model.pt") == (shelf.folder / "model.pt").read_bytes()
        assert not any(info.compress_type for info in archive.infolist())
    assert manifest["model"] == {"modelName": "churn", "modelVersion": "3", "handler": "lifecycle_torchscript.py"}
    assert {"lifecycle_torchscript.py", "model_lifecycle/handlers/worker.py", "artifact/_manifest.json"} <= names
    found = papers(target)
    assert (found["artifact"], found["version"], found["file"]) == (uri.rpartition("/")[2], "3", "artifact/model.pt")
    assert found["signature"]["inputs"] == SIGNATURE["inputs"]
    assert [path.name for path in shelf.archives.iterdir()] == ["churn-3.mar"]


def test_the_same_artifact_makes_the_same_bytes(shelf):
    uri = shelf.publish()
    first = shelf.stage(uri).read_bytes()
    (shelf.archives / "churn-1.mar").unlink()
    assert shelf.stage(uri).read_bytes() == first


def test_several_workers_at_once_make_one_archive(shelf):
    uri = shelf.publish()
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: shelf.stage(uri), range(8)))) == 1
    assert [path.name for path in shelf.archives.iterdir()] == ["churn-1.mar"]


def test_an_archive_that_is_there_is_proven_and_left_alone(shelf):
    uri = shelf.publish()
    target = shelf.stage(uri)
    before = target.stat().st_ino
    assert shelf.stage(uri) == target
    assert target.stat().st_ino == before


def test_another_artifact_under_the_version_is_a_conflict(shelf):
    target = shelf.stage()
    before = target.read_bytes()
    (shelf.folder / "more.txt").write_text("more")
    with pytest.raises(Conflict, match="made from the artifact"):
        shelf.stage(shelf.publish())
    assert target.read_bytes() == before


@pytest.mark.parametrize("spoil", ["cut", "changed", "missing", "foreign"])
def test_an_archive_that_was_changed_is_a_conflict_and_stays(shelf, spoil):
    uri = shelf.publish()
    target = shelf.stage(uri)
    with zipfile.ZipFile(target) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if spoil == "cut":
        target.write_bytes(target.read_bytes()[:-30])
    elif spoil == "foreign":
        write_archive(target, "churn", "1", "")
    else:
        files["artifact/model.pt"] = b"evil"
        if spoil == "missing":
            del files["artifact/model.pt"]
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    before = target.read_bytes()
    with pytest.raises(Conflict, match="if nothing serves from that file, remove it"):
        shelf.stage(uri)
    assert target.read_bytes() == before


@pytest.mark.parametrize(("place", "value"), [(6, 99), (8, 1), (10, 8), (10, 12), (10, 14)])
def test_an_archive_whose_list_of_contents_is_damaged_is_a_conflict(shelf, place, value):
    """A version that nobody reads, encryption, and packings: zipfile has an error of its own for each."""
    uri = shelf.publish()
    target = shelf.stage(uri)
    data = bytearray(target.read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + place] = value
        at = data.find(b"PK\x01\x02", at + 4)
    target.write_bytes(bytes(data))
    with pytest.raises(Conflict, match="if nothing serves from that file, remove it"):
        shelf.stage(uri)


def test_a_newer_handler_of_ours_takes_the_place_of_an_older_one(shelf, monkeypatch):
    uri = shelf.publish()
    ours = model_archive._code
    with monkeypatch.context() as older:
        older.setattr(model_archive, "_code", lambda handler: dict.fromkeys(ours(handler), "# older"))
        target = shelf.stage(uri)
    assert shelf.stage(uri) == target
    with zipfile.ZipFile(target) as archive:
        assert archive.read("lifecycle_torchscript.py").decode() == ours("torchscript")["lifecycle_torchscript.py"]


@pytest.mark.parametrize(
    ("flavor", "file", "handler"),
    [
        ("pytorch: {model_data: data}", "data/model.pth", "torchscript"),
        ("onnx: {data: net.onnx}", "net.onnx", "onnx"),
        ("python_function: {env: conda.yaml}", "model.onnx", "onnx"),
    ],
)
def test_mlflows_own_file_tells_where_the_model_lies(shelf, flavor, file, handler):
    (shelf.folder / "model.pt").unlink()
    (shelf.folder / "MLmodel").write_text(MLMODEL.format(flavor=flavor))
    script(shelf.folder / file)
    found = papers(shelf.stage(shelf.publish(signature_of(shelf.folder))))
    assert (found["handler"], found["file"]) == (handler, f"artifact/{file}")
    assert [spec["name"] for spec in found["signature"]["inputs"]] == ["x"]


@pytest.mark.parametrize("pickled", ["torch.save", "pickle"])
def test_a_pickle_is_untrusted_and_never_opened(shelf, pickled, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    if pickled == "pickle":
        (shelf.folder / "model.pt").write_bytes(pickle.dumps(Trap()))
    else:
        script(shelf.folder / "model.pt", code=False)
    with pytest.raises(Untrusted, match=r"pickle of Python objects.*torch\.jit\.script"):
        shelf.stage()
    assert not (tmp_path / "sprung").exists()
    assert list(shelf.archives.iterdir()) == []


def test_an_artifact_that_we_cannot_serve_is_refused_with_what_we_can(shelf):
    (shelf.folder / "model.pt").rename(shelf.folder / "model.skops")
    with pytest.raises(Invalid, match=r"neither a TorchScript nor an ONNX model.*torch\.jit\.script"):
        shelf.stage()


@pytest.mark.parametrize(
    ("signature", "fault"),
    [
        (None, "has no signature"),
        ({"inputs": []}, "has no signature"),
        ({"inputs": [{"type": "string", "name": "x"}]}, "column x of type string"),
        ({"inputs": [{"type": "double"}]}, "column None of type double"),
        ({"inputs": [{"type": "datetime", "name": "x"}]}, "column x of type datetime"),
    ],
)
def test_a_signature_that_nobody_can_ask_after_is_refused(shelf, signature, fault):
    with pytest.raises(Invalid, match=fault):
        shelf.stage(shelf.publish(signature))


def test_text_goes_into_graphs_only(shelf):
    (shelf.folder / "model.pt").rename(shelf.folder / "model.onnx")
    signature = {"inputs": [{"type": "string", "name": "x", "required": True}]}
    assert papers(shelf.stage(shelf.publish(signature)))["handler"] == "onnx"


def test_a_folder_that_is_not_there_is_not_found_and_names_the_extra(shelf, tmp_path):
    uri = shelf.publish()
    with pytest.raises(NotFound, match="extra archives"):
        stage_archive(tmp_path / "nowhere", "churn", 1, uri, shelf.store)
    with pytest.raises(NotFound):
        shelf.stage(uri.replace(uri.rpartition("/")[2], "0" * 64))
    assert list(shelf.archives.iterdir()) == []


@pytest.mark.parametrize("name", ["../churn", "a/b", "", ".hidden", "a b"])
def test_a_name_outside_the_allow_list_makes_no_file_name(name):
    with pytest.raises(Invalid):
        archive_name(name, 1)


def test_versions_of_models_with_dashes_and_digits_never_share_a_file():
    pairs = [("a", 1), ("a", 11), ("a-1", 1), ("a-1", 11), ("a-11", 1), ("a-1-1", 1)]
    assert len({archive_name(*pair) for pair in pairs}) == len(pairs)


def test_errors_of_the_file_system_are_ours(shelf, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(Denied):
        shelf.stage()
    assert list(shelf.archives.iterdir()) == []
