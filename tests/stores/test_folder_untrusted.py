"""Files that want to be run: they are described, stored and fetched as bytes (Law 11; bad inputs 46 to 50)."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid, ModelLifecycleError
from model_lifecycle.stores.folder import describe, mlmodel, signature_of
from model_lifecycle.testing.store_contract import MODEL, read_files, write_files

# MLmodel: data, never code.


def test_the_signature_that_mlflow_wrote_is_found(tmp_path: Path) -> None:
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(Schema([ColSpec("double", "delay")]), Schema([ColSpec("double")]))
    Model(signature=signature).save(tmp_path / "MLmodel")
    found = signature_of(tmp_path)
    assert found is not None
    assert found["inputs"] == [{"type": "double", "name": "delay", "required": True}]
    assert found["params"] is None
    assert describe(tmp_path, MODEL, signature=found).signature == found


@pytest.mark.parametrize("content", [None, b"flavors: {}\n", b"signature:\n"])
def test_a_model_may_have_no_signature(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        write_files(tmp_path, {"MLmodel": content})
    assert signature_of(tmp_path) is None
    assert (mlmodel(tmp_path) is None) == (content is None)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
TRAPS = {
    "a Python object": b"x: !!python/object/apply:os.system ['touch owned']\n",
    "a Python name": b"x: !!python/name:os.system\n",
    "an own tag": b"x: !evil y\n",
    "an alias bomb": BOMB.encode(),
    "a cycle": b"a: &a [*a]\n",
    "a merge of itself": b"a: &a {<<: *a}\n",
    "too deep": b"a: " + b"[" * 100_000,
    "a list": b"- a\n",
    "a text": b"hello\n",
    "nothing": b"",
    "keys that are no text": b"1: a\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "no UTF-8": b"a: \xff\xfe\n",
    "a NUL": b"a: \0\n",
    "too long": b"a: " + b"x" * 2**20,
    "a bad time": b"a: 2013-99-99 99:99:99\n",
}
BAD_SIGNATURES = [
    b"signature: text\n", b"signature: [1]\n", b"signature: {1: 2}\n", b"signature: {inputs: 1}\n",
    b"signature: {inputs: [a]}\n", b"signature: {inputs: 'no json'}\n", b"signature: {inputs: 'NaN'}\n",
    b"signature: {inputs: '1e999'}\n", b"signature: {inputs: '" + b"[" * 100_000 + b"'}\n",
    b"signature: {inputs: '\"\\ud800\"'}\n", b"signature: {inputs: '" + b"9" * 5000 + b"'}\n",
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_an_mlmodel_file_that_is_more_than_plain_yaml_is_refused(
    tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"MLmodel": TRAPS[trap]})
    with pytest.raises(Invalid):
        mlmodel(tmp_path)
    assert os.listdir(tmp_path) == ["MLmodel"]


@pytest.mark.parametrize("content", BAD_SIGNATURES)
def test_a_signature_that_is_not_text_of_json_is_refused(tmp_path: Path, content: bytes) -> None:
    write_files(tmp_path, {"MLmodel": content})
    with pytest.raises(Invalid):
        signature_of(tmp_path)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_an_mlmodel_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "MLmodel"
    if kind == "link":
        place.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(Invalid):
        mlmodel(tmp_path)


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_any_bytes_in_an_mlmodel_file_are_plain_values_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = write_files(tmp_path_factory.mktemp("any"), {"MLmodel": data})
    try:
        signature = signature_of(folder)
        assert signature is None or describe(folder, MODEL, signature=signature)
    except ModelLifecycleError:
        pass


# Nothing untrusted runs.


class Evil:
    def __reduce__(self):
        return os.system, ("touch owned",)


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    out, info = io.BytesIO(), tarfile.TarInfo(name)
    info.size = len(data)
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def evil_files() -> dict[str, bytes]:
    evil = pickle.dumps(Evil())
    bad_crc = bytearray(zipped("archive/data.pkl", evil))
    bad_crc[14] ^= 255
    encrypted = bytearray(zipped("archive/data.pkl", evil))
    encrypted[6] |= 1
    return {
        "model.pkl": evil,
        "model.pkl.gz": gzip.compress(evil),
        "model.joblib": zlib.compress(evil),
        "model.bin": evil,
        "weights.txt": evil,
        "truncated.pkl": evil[:-3],
        "model.pt": zipped("archive/data.pkl", evil),
        "bad_crc.pt": bytes(bad_crc),
        "encrypted.pt": bytes(encrypted),
        "slip.zip": zipped("../../owned", b"x"),
        "bomb.zip": zipped("zeros", zlib.compress(b"\0" * 2**22)),
        "absolute.tar": tarred("/tmp/owned-by-a-tar", b"x"),
        "model.onnx": b"\x08\x08location\x12\x10../../etc/passwd",
        "model.safetensors": struct.pack("<Q", 2**63) + b"{}",
        "overlap.safetensors": struct.pack("<Q", 60)
        + b'{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}'.ljust(60),
        "MLmodel": b"flavors:\n  python_function:\n    loader_module: evil\n    code: code\n    model_path: ../../x\n",
        "code/evil.py": b"import os; os.system('touch owned')\n",
        "sitecustomize.py": b"import os; os.system('touch owned')\n",
        "conftest.py": b"import os; os.system('touch owned')\n",
        "__init__.py": b"import os; os.system('touch owned')\n",
        "startup.pth": b"import os; os.system('touch owned')\n",
    }


WATCHED = """
import os, sys
from pathlib import Path
from model_lifecycle.stores.folder import describe, mlmodel, signature_of
from model_lifecycle.stores.local import local_store

def cycle(source, work):
    store = local_store(work / "store")
    manifest = describe(source, "flights", signature=signature_of(source))
    mlmodel(source)
    store.fetch(store.publish(source, manifest), work / "copy")

benign, evil, work = map(Path, sys.argv[1:])
cycle(benign, work / "first")  # imports what is imported late
seen, allowed = [], (str(evil), str(work))
RUNS = ("exec", "compile", "import", "pickle.", "marshal.", "os.system", "os.exec", "os.fork", "os.posix_spawn",
        "os.spawn", "subprocess.", "socket.", "code.", "ctypes.dlsym/", "shutil.unpack", "tempfile.")

def watch(event, arguments):
    if event.startswith(RUNS):
        seen.append((event, str(arguments)[:200]))
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(allowed):
            seen.append((event, path))

sys.addaudithook(watch)
cycle(evil, work / "second")
watched, seen = seen, []
print(watched)
"""


def test_describing_publishing_and_fetching_run_nothing_and_open_nothing_else(tmp_path: Path) -> None:
    files = evil_files()
    evil, benign = write_files(tmp_path / "evil", files), write_files(tmp_path / "benign", {"MLmodel": b"a: 1\n"})
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, benign, evil, work], capture_output=True, text=True, check=True, cwd=work
    )
    assert done.stdout.strip() == "[]"
    assert read_files(work / "second" / "copy") == files
    assert not list(tmp_path.rglob("owned"))
    assert not Path("/tmp/owned-by-a-tar").exists()
