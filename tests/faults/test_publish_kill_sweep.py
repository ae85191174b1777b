"""SIGKILL at every system call with which a publish, an append or a fetch changes the world.

strace kills the process at the N-th call of one kind, for every kind and every N until it gets through. After each kill
no half of anything is visible, and the same call made again leaves exactly one artifact and one entry, both proven.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_lifecycle.core.manifest import Manifest
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.store_contract import MODEL, read_files, write_files
from tests.servers.hdfs import HdfsCluster

LOG = f"scorer_default/{MODEL}"
ENTRY = b'{"state": "PENDING"}'
FILES = {"MLmodel": b"flavors: {}\n", "data/model.bin": b"weights" * 20_000, "data/empty": b""}
PUBLISH = {"folder": ["mkdir", "write", "fsync", "renameat2"], "hdfs": ["sendto"]}
FETCH = {"folder": ["mkdir", "write", "fsync", "rename"], "hdfs": ["sendto", "fsync"]}
OPEN = {
    "folder": "from model_lifecycle.stores.local import local_store; store = local_store(Path(where), threads=1)",
    "hdfs": "from model_lifecycle.stores.hdfs import hdfs_store;"
    "store = hdfs_store([where], root, user='root', threads=1)",
}
PROGRAM = """
import sys
from pathlib import Path
from model_lifecycle.core.manifest import Manifest
where, root, source, manifest, copy = sys.argv[1:]
{open}
manifest = Manifest.from_json(Path(manifest).read_bytes())
if copy:
    store.fetch(store.artifact_uri(manifest.model, manifest.digest), Path(copy))
else:
    store.publish(Path(source), manifest, owner="the task")
    store.append_exclusive({log!r}, 1, {entry!r})
"""


@dataclass
class Bench:
    """One store, one model, and a way to kill whoever publishes or fetches it."""

    kind: str
    where: str
    folder: Path
    manifest: Manifest

    @property
    def source(self) -> Path:
        return self.folder / "source"

    def store(self, root: str) -> ArtifactStore:
        if self.kind == "hdfs":
            return hdfs_store([self.where], root, user="root")
        return local_store(Path(self.place(root)))

    def place(self, root: str) -> str:
        return self.where if self.kind == "hdfs" else str(self.folder / "stores" / root.strip("/"))

    def killed(self, root: str, call: str, number: int, copy: Path | None = None) -> bool:
        """Run the program with SIGKILL at its N-th call of that kind; tell whether that call came."""
        program = PROGRAM.format(open=OPEN[self.kind], log=LOG, entry=ENTRY)
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        command = ["strace", "-f", "-o", self.folder / "trace", "-e", f"trace={call}"]
        arguments = [self.place(root), root, self.source, self.folder / "manifest", copy or ""]
        done = subprocess.run(
            [*command, "-e", inject, sys.executable, "-c", program, *arguments], capture_output=True, text=True
        )
        if done.returncode not in (0, -signal.SIGKILL, 128 + signal.SIGKILL):
            pytest.fail(f"the program ended by itself at {call} {number}:\n{done.stderr}")
        return done.returncode != 0

    def calls(self) -> str:
        """The calls of the last run, for the message of a failure."""
        return re.sub(r"^\d+ ", "", (self.folder / "trace").read_text(), flags=re.MULTILINE)


@pytest.fixture(params=["folder", "hdfs"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    manifest = describe(write_files(tmp_path / "source", FILES), MODEL)
    (tmp_path / "manifest").write_bytes(manifest.to_json())
    where = ""
    if request.param == "hdfs":
        cluster: HdfsCluster = request.getfixturevalue("hdfs_cluster")
        where = cluster.url
    return Bench(request.param, where, tmp_path, manifest)


def assert_nothing_half(store: ArtifactStore, manifest: Manifest, copy: Path) -> None:
    """What can be seen is nothing, or everything and right."""
    uri = store.artifact_uri(MODEL, manifest.digest)
    visible = list(store.list(MODEL))
    assert visible in ([], [uri])
    assert store.exists(uri) == bool(visible)
    if visible:
        store.fetch(uri, copy)
        assert read_files(copy) == FILES
    assert list(store.generations(LOG)) in ([], [1])
    if list(store.generations(LOG)):
        assert store.read_entry(LOG, 1) == ENTRY


def assert_converges(store: ArtifactStore, bench: Bench, copy: Path) -> None:
    """The same task run again leaves exactly one artifact and one entry."""
    uri = store.publish(bench.source, bench.manifest, owner="the task")
    if not list(store.generations(LOG)):
        store.append_exclusive(LOG, 1, ENTRY)
    assert list(store.list(MODEL)) == [uri]
    assert set(store.files.children(MODEL)) == {bench.manifest.digest}
    assert store.read_entry(LOG, 1) == ENTRY
    store.fetch(uri, copy)
    assert read_files(copy) == FILES


def sweep_publish(bench: Bench, root: str, call: str, step: int) -> int:
    """How many points the sweep visited until the program got through."""
    for count, number in enumerate(range(1, 2000, step)):
        place = f"{root}/{call}-{number}"
        killed = bench.killed(place, call, number)
        store = bench.store(place)
        try:
            assert_nothing_half(store, bench.manifest, bench.folder / f"seen-{call}-{number}")
            assert_converges(store, bench, bench.folder / f"copy-{call}-{number}")
        except Exception as error:
            error.add_note(f"killed at {call} {number}: {killed}; calls:\n{bench.calls()}")
            raise
        if not killed:
            return count
    raise AssertionError("the program never got through")


def sweep_fetch(bench: Bench, root: str, call: str, step: int) -> int:
    """How many points the sweep visited until the program got through."""
    store = bench.store(root)
    uri = store.publish(bench.source, bench.manifest)
    for count, number in enumerate(range(1, 2000, step)):
        copy = bench.folder / f"fetched-{call}-{number}"
        killed = bench.killed(root, call, number, copy)
        found = read_files(copy) if copy.exists() else {}
        named = {path: data for path, data in found.items() if not path.rpartition("/")[2].startswith(".")}
        assert named.items() <= FILES.items(), bench.calls()
        assert not (copy / "_manifest.json").exists() or named == FILES, bench.calls()
        store.fetch(uri, copy)
        assert read_files(copy) == FILES
        if not killed:
            return count
    raise AssertionError("the program never got through")


# On a busy machine of two cores a point takes a second or more; `make soak` visits every single one.
PUBLISH_STEPS = {"folder": 3, "hdfs": 5}
FETCH_STEPS = {"folder": 3, "hdfs": 2}


def test_a_publish_killed_anywhere_leaves_nothing_half_and_converges(bench: Bench, hdfs_root: str) -> None:
    assert sum(sweep_publish(bench, hdfs_root, call, PUBLISH_STEPS[bench.kind]) for call in PUBLISH[bench.kind]) >= 8


def test_a_fetch_killed_anywhere_leaves_nothing_wrong_and_converges(bench: Bench, hdfs_root: str) -> None:
    assert sum(sweep_fetch(bench, hdfs_root, call, FETCH_STEPS[bench.kind]) for call in FETCH[bench.kind]) >= 5


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_publish_killed_at_every_point(bench: Bench, hdfs_root: str) -> None:
    visited = {call: sweep_publish(bench, hdfs_root, call, 1) for call in PUBLISH[bench.kind]}
    assert min(visited.values()) >= 2, visited
    assert sum(visited.values()) > 20, visited


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_fetch_killed_at_every_point(bench: Bench, hdfs_root: str) -> None:
    visited = {call: sweep_fetch(bench, hdfs_root, call, 1) for call in FETCH[bench.kind]}
    assert min(visited.values()) >= 2, visited
