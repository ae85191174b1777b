"""The HDFS store against other clients of the same real HDFS, in one run and by turns.

"Upload" is all that a user waits for: hashing the folder into a manifest, sending, proving every byte, publishing.
HdfsCLI and Hadoop's own client hash and prove nothing; Hadoop's pays for the start of a JVM each time, as any call of
``hdfs dfs -put`` does. Files hold random bytes and lie in the page cache, as those of a model just trained do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from hashlib import file_digest
from pathlib import Path

from hdfs import InsecureClient

from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.hdfs import THREADS, hdfs_store
from tests.benchmarks.measure import line, side_by_side
from tests.servers.hadoop import run_java
from tests.servers.hdfs import HdfsCluster

MIB = 2**20
HDFSCLI = "HdfsCLI upload(), unverified"
JAVA = "Java hdfs dfs -put, JVM start included"


def main(work: Path, size: int, files: int, runs: int) -> None:
    with HdfsCluster(work / "hdfs", heap=512) as cluster:
        bench = Bench(cluster)
        bench.upload(_folder(work / "warm", 8, size // 8))  # nobody pays for a server that has just started
        one = _folder(work / "one", 1, size)
        bench.one_file(one, size, runs)
        bench.again(one, size, 2 * runs + 1)
        bench.many_files(_folder(work / "many", files, 4096))
        bench.memory(work, size)


class Bench:
    """The clients of one cluster. Everybody writes into its root, which is emptied in between."""

    def __init__(self, cluster: HdfsCluster) -> None:
        self.cluster = cluster
        self.hdfscli = InsecureClient(cluster.url, user="root")

    def one_file(self, folder: Path, size: int, runs: int) -> None:
        file, manifest = str(folder / "0000.bin"), describe(folder, "benchmark")
        found = side_by_side(
            runs,
            lambda: self.rest(folder),
            ours=lambda: self.upload(folder),
            publish=lambda: _store(self.cluster.url).publish(folder, manifest),
            plain=lambda: self.hdfscli.upload("/plain.bin", file),
            chunked=lambda: self.hdfscli.upload("/chunked.bin", file, chunk_size=4 * MIB),
            java=lambda: self.put(file),
        )
        name = f"verified upload of {_amount(size)}"
        line(name, found["ours"], HDFSCLI, found["plain"], goal=1)
        line(name, found["ours"], "HdfsCLI upload(chunk_size=4 MiB), unverified", found["chunked"])
        line(name, found["ours"], JAVA, found["java"], goal=2)
        line(f"{name} without describing it", found["publish"], HDFSCLI, found["plain"])

    def again(self, folder: Path, size: int, runs: int) -> None:
        def digest() -> None:
            with (folder / "0000.bin").open("rb") as file:
                file_digest(file, "sha256")

        self.upload(folder)
        found = side_by_side(runs, lambda: _read(folder), ours=lambda: self.upload(folder), digest=digest)
        line(f"upload of {_amount(size)} that is there already", found["ours"], "its SHA-256", found["digest"], goal=1)

    def many_files(self, folder: Path) -> None:
        """Once: it takes minutes, because a DataNode sleeps 0.4 s in most of its closes, whoever the client is."""
        found = side_by_side(
            1,
            lambda: self.rest(folder),
            ours=lambda: self.upload(folder),
            plain=lambda: self.hdfscli.upload("/plain", str(folder), n_threads=THREADS),
            java=lambda: self.put(str(folder)),
        )
        name = f"verified upload of {len(list(folder.iterdir())):,} files of 4 KiB"
        line(name, found["ours"], f"HdfsCLI upload(n_threads={THREADS}), unverified", found["plain"])
        line(name, found["ours"], JAVA, found["java"])

    def memory(self, work: Path, size: int) -> None:
        peaks = []
        for times in (1, 4):
            folder = work / f"times-{times}"
            folder.mkdir()
            with (folder / "sparse.bin").open("wb") as file:
                file.truncate(times * size)
            self.empty()
            peaks.append(_peak(self.cluster.url, folder))
        name = f"peak memory of upload and fetch, {_amount(4 * size)}"
        line(name, peaks[1:], "the limit", [200.0], goal=1, unit="MiB", digits=1)
        line(name, peaks[1:], f"with {_amount(size)} (flat)", peaks[:1], goal=0.9, unit="MiB", digits=1)

    def upload(self, folder: Path) -> str:
        """What the operator does, in a new session: describe the folder and publish it."""
        return _store(self.cluster.url).publish(folder, describe(folder, "benchmark"))

    def put(self, source: str) -> None:
        run_java("org.apache.hadoop.fs.FsShell", "-put", source, "/java", conf=self.cluster.conf, timeout=3600)

    def rest(self, folder: Path) -> None:
        self.empty()
        _read(folder)

    def empty(self) -> None:
        for name in self.hdfscli.list("/"):
            self.hdfscli.delete(f"/{name}", recursive=True)


def transfer(url: str, folder: Path) -> None:
    """Upload a folder and fetch it."""
    uri = _store(url).publish(folder, describe(folder, "benchmark"))
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        _store(url).fetch(uri, Path(target, "fetched"))


def _peak(url: str, folder: Path) -> float:
    """The most memory, in MiB, of a process that uploads the folder and fetches it.

    VmHWM, because ``ru_maxrss`` of a child begins with what its parent had.
    """
    code = (
        "import sys; from pathlib import Path; from tests.benchmarks.bench_store import transfer;"
        "transfer(sys.argv[1], Path(sys.argv[2]));"
        "print(next(row.split()[1] for row in open('/proc/self/status') if row.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, url, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


def _store(url: str) -> ArtifactStore:
    return hdfs_store([url], "/ours", user="root")


def _folder(folder: Path, count: int, size: int) -> Path:
    folder.mkdir()
    for number in range(count):
        with (folder / f"{number:04}.bin").open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
    return folder


def _read(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(MIB):
                pass


def _amount(size: int) -> str:
    return f"{size // 2**30} GiB" if size >= 2**30 else f"{size // MIB} MiB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="64 MiB and 100 files once, to see that it works")
    small = parser.parse_args().small
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        main(Path(folder), *((64 * MIB, 100, 1) if small else (1024 * MIB, 1000, 3)))
