"""The HDFS store against other clients of the same real HDFS, in one run and by turns.

"Upload" is all that a user waits for: hashing the folder into a manifest, sending, proving every byte, publishing.
HdfsCLI and Hadoop's own client hash and prove nothing; Hadoop's pays for the start of a JVM each time, as any call of
``hdfs dfs -put`` does. Files hold random bytes.
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
from tests.servers.hdfs import HdfsCluster

MIB = 2**20
JAVA = "Java hdfs dfs -put, JVM start included"


def main(work: Path, size: int, files: int, runs: int) -> None:
    with HdfsCluster(work / "hdfs") as cluster:
        client = InsecureClient(cluster.url, user="root")
        one = _folder(work / "one", 1, size)
        many = _folder(work / "many", files, 4096)
        for count in (10, 10):  # nobody pays for a server that has just started
            _upload(cluster.url, _folder(work / "warm", count, MIB), "/warm")
            client.delete("/warm", recursive=True)
        _one_file(cluster, client, one, size, runs)
        _again(cluster, client, one, size, runs)
        _many_files(cluster, client, many, runs)
        _memory(cluster, client, work, size)


def _one_file(cluster: HdfsCluster, client: InsecureClient, folder: Path, size: int, runs: int) -> None:
    file = str(folder / "0000.bin")

    def put(run: int) -> None:
        cluster.fs_shell("-put", file, f"/one-java-{run}.bin")

    manifest = describe(folder, "benchmark")
    found = side_by_side(
        runs,
        ours=lambda run: _upload(cluster.url, folder, f"/one-ours-{run}"),
        publish=lambda run: _store(cluster.url, f"/one-published-{run}").publish(folder, manifest),
        plain=lambda run: client.upload(f"/one-plain-{run}.bin", file),
        chunked=lambda run: client.upload(f"/one-chunked-{run}.bin", file, chunk_size=4 * MIB),
        java=put,
    )
    name = f"verified upload of {_amount(size)}"
    line(name, found["ours"], "HdfsCLI upload(), unverified", found["plain"], goal=1)
    line(name, found["ours"], "HdfsCLI upload(chunk_size=4 MiB), unverified", found["chunked"])
    line(name, found["ours"], JAVA, found["java"], goal=2)
    line(f"{name} without describing it", found["publish"], "HdfsCLI upload(), unverified", found["plain"])
    _forget(client)


def _again(cluster: HdfsCluster, client: InsecureClient, folder: Path, size: int, runs: int) -> None:
    def digest(_: int) -> None:
        with (folder / "0000.bin").open("rb") as file:
            file_digest(file, "sha256")

    _upload(cluster.url, folder, "/again")
    found = side_by_side(2 * runs - 1, ours=lambda _: _upload(cluster.url, folder, "/again"), digest=digest)
    line(f"upload of {_amount(size)} that is there already", found["ours"], "its SHA-256", found["digest"], goal=1)
    _forget(client)


def _many_files(cluster: HdfsCluster, client: InsecureClient, folder: Path, runs: int) -> None:
    def put(run: int) -> None:
        cluster.fs_shell("-put", str(folder), f"/many-java-{run}")

    found = side_by_side(
        runs,
        ours=lambda run: _upload(cluster.url, folder, f"/many-ours-{run}"),
        plain=lambda run: client.upload(f"/many-plain-{run}", str(folder), n_threads=THREADS),
        java=put,
    )
    name = f"verified upload of {len(list(folder.iterdir())):,} files of 4 KiB"
    line(name, found["ours"], f"HdfsCLI upload(n_threads={THREADS}), unverified", found["plain"])
    line(name, found["ours"], JAVA, found["java"])
    _forget(client)


def _memory(cluster: HdfsCluster, client: InsecureClient, work: Path, size: int) -> None:
    peaks = []
    for times in (1, 4):
        folder = work / f"times-{times}"
        folder.mkdir()
        with (folder / "sparse.bin").open("wb") as file:
            file.truncate(times * size)
        peaks.append(_peak(cluster.url, folder))
        _forget(client)
    name = f"peak memory of upload and fetch, {_amount(4 * size)}"
    line(name, peaks[1:], "the limit", [200.0], goal=1, unit="MiB", digits=1)
    line(name, peaks[1:], f"with {_amount(size)} (flat)", peaks[:1], goal=0.95, unit="MiB", digits=1)


def _peak(url: str, folder: Path) -> float:
    """The most memory that a process needs which uploads the folder and fetches it.

    VmHWM, because ``ru_maxrss`` of a child begins with what its parent had.
    """
    code = (
        "import sys; from pathlib import Path; from tests.benchmarks.bench_store import transfer;"
        "transfer(sys.argv[1], Path(sys.argv[2]));"
        "print(next(row.split()[1] for row in open('/proc/self/status') if row.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, url, str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


def transfer(url: str, folder: Path) -> None:
    """Upload a folder and fetch it."""
    uri = _upload(url, folder, "/memory")
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        _store(url, "/memory").fetch(uri, Path(target, "fetched"))


def _upload(url: str, folder: Path, root: str) -> str:
    """What the operator does, in a new session: describe the folder and publish it."""
    return _store(url, root).publish(folder, describe(folder, "benchmark"))


def _store(url: str, root: str) -> ArtifactStore:
    return hdfs_store([url], root, user="root")


def _folder(folder: Path, count: int, size: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        with (folder / f"{number:04}.bin").open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
    return folder


def _forget(client: InsecureClient) -> None:
    for name in client.list("/"):
        client.delete(f"/{name}", recursive=True)


def _amount(size: int) -> str:
    return f"{size // 2**30} GiB" if size >= 2**30 else f"{size // MIB} MiB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="64 MiB and 100 files once, to see that it works")
    small = parser.parse_args().small
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        main(Path(folder), *((64 * MIB, 100, 1) if small else (1024 * MIB, 1000, 3)))
