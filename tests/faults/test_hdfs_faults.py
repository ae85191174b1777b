"""WebHDFS while daemons are killed, paused, failed over and restarted under it: whole or an honest error, in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from model_lifecycle.core.errors import Corrupt, NotFound, Unavailable
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.stores.webhdfs import WebHdfs
from tests.servers.hdfs import Cluster, HdfsCluster
from tests.servers.hdfs_ha import HaCluster

MIB = 1 << 20
SIZE = 16 * MIB
Act = Callable[[], object]


class Slowly:
    """Progress that holds a transfer back to 8 MiB/s and acts once, when that many bytes have passed."""

    def __init__(self, after: int, act: Act) -> None:
        self.after, self.act, self.moved, self.acted = after, act, 0, False

    def __call__(self, count: int) -> None:
        self.moved += count
        if self.moved >= self.after and not self.acted:
            self.acted = True
            self.act()
        time.sleep(max(count, 0) / (8 * MIB))


@contextmanager
def later(seconds: float) -> Iterator[Callable[[Act], None]]:
    """Gives a function that does something that many seconds after it was called; its errors come out at the end."""
    tasks: list[Future[object]] = []

    def delayed(act: Act) -> object:
        time.sleep(seconds)
        return act()

    with ThreadPoolExecutor(1) as pool:
        yield lambda act: tasks.append(pool.submit(delayed, act))
    for task in tasks:
        task.result()


def healed(cluster: Cluster) -> None:
    """Bring back to life whatever a test killed or paused."""
    for daemon in [*cluster.namenodes, *cluster.datanodes]:
        daemon.signal(signal.SIGCONT)
        if not daemon.alive:
            daemon.restart()
    cluster.wait_healthy()


@pytest.fixture(scope="module")
def pair_of_datanodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HdfsCluster]:
    # Reading a rotten block, a DataNode asks its peers again after growing pauses: of 3 s, were it not for this.
    quick = {"dfs.client.retry.window.base": 10}
    with HdfsCluster(tmp_path_factory.mktemp("pair"), datanodes=2, replication=2, properties=quick) as cluster:
        yield cluster


@pytest.fixture
def pair(pair_of_datanodes: HdfsCluster) -> Iterator[HdfsCluster]:
    yield pair_of_datanodes
    healed(pair_of_datanodes)


@pytest.fixture(scope="module")
def pair_of_namenodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HaCluster]:
    with HaCluster(tmp_path_factory.mktemp("ha")) as cluster:
        yield cluster


@pytest.fixture
def ha(pair_of_namenodes: HaCluster) -> Iterator[HaCluster]:
    yield pair_of_namenodes
    healed(pair_of_namenodes)
    if "active" not in (pair_of_namenodes.state(1), pair_of_namenodes.state(2)):
        pair_of_namenodes.transition_to_active(1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FileEntry]:
    data = os.urandom(SIZE)
    path = tmp_path_factory.mktemp("source") / "model.bin"
    path.write_bytes(data)
    return path, FileEntry("model.bin", SIZE, sha256(data).hexdigest())


def files_of(*urls: str, deadline: float = 60, timeout: tuple[float, float] = (2, 10)) -> WebHdfs:
    root = f"/tests/{uuid4().hex}"
    return WebHdfs(urls, root, user="root", block_size=2 * MIB, deadline=deadline, timeout=timeout)


def check_whole(cluster: Cluster, files: WebHdfs, source: tuple[Path, FileEntry]) -> None:
    """A client that is not ours reads what was uploaded."""
    stored = cluster.fs_shell("-cat", f"{files.root}/model.bin")
    assert sha256(stored).hexdigest() == source[1].sha256


# Two DataNodes and one NameNode.


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_a_datanode_killed_during_an_upload_costs_only_time(
    pair: HdfsCluster, source: tuple[Path, FileEntry], number: int
) -> None:
    files, slowly = files_of(pair.url), Slowly(6 * MIB, pair.datanodes[number].kill)
    files.put("model.bin", *source, slowly)
    assert slowly.acted
    assert slowly.moved == SIZE
    check_whole(pair, files, source)


def test_a_namenode_killed_during_an_upload_costs_only_time(pair: HdfsCluster, source: tuple[Path, FileEntry]) -> None:
    files = files_of(pair.url)
    with later(2) as arrange:

        def kill() -> None:
            pair.namenode.kill()
            arrange(pair.namenode.restart)

        files.put("model.bin", *source, Slowly(6 * MIB, kill))
    check_whole(pair, files, source)


def test_a_namenode_that_stays_away_is_an_honest_error(pair: HdfsCluster, source: tuple[Path, FileEntry]) -> None:
    files, slowly = files_of(pair.url, deadline=4), Slowly(6 * MIB, pair.namenode.kill)
    with pytest.raises(Unavailable):
        files.put("model.bin", *source, slowly)
    assert slowly.moved == 0


@pytest.mark.soak
def test_paused_datanodes_hold_nobody_for_ever(pair: HdfsCluster, source: tuple[Path, FileEntry]) -> None:
    def pause() -> None:
        for datanode in pair.datanodes:
            datanode.signal(signal.SIGSTOP)

    files = files_of(pair.url, deadline=3, timeout=(1, 2))
    with pytest.raises(Unavailable):
        files.put("model.bin", *source, Slowly(4 * MIB, pause))


def test_safe_mode_is_ridden_out(pair: HdfsCluster, source: tuple[Path, FileEntry]) -> None:
    files = files_of(pair.url)
    files.make_folder("a")
    pair.safe_mode(on=True)
    with later(1) as arrange:
        arrange(lambda: pair.safe_mode(on=False))
        files.put("model.bin", *source, lambda _: None)
        files.rename_exclusive("a", "b")
    check_whole(pair, files, source)


def test_safe_mode_that_lasts_is_named_in_the_error(pair: HdfsCluster) -> None:
    files = files_of(pair.url, deadline=3)
    files.put_bytes("there", b"1")
    pair.safe_mode(on=True)
    try:
        for verb in (lambda: files.put_bytes("x", b"1"), lambda: files.rename_exclusive("there", "x")):
            with pytest.raises(Unavailable, match="safe mode"):
                verb()
        assert files.read_bytes("there", 1) == b"1"
    finally:
        pair.safe_mode(on=False)


@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_a_datanode_killed_during_a_download_costs_only_time(
    pair: HdfsCluster, source: tuple[Path, FileEntry], tmp_path: Path, number: int
) -> None:
    files = files_of(pair.url)
    files.put("model.bin", *source, lambda _: None)
    files.get("model.bin", tmp_path / "back", source[1], Slowly(4 * MIB, pair.datanodes[number].kill))
    assert (tmp_path / "back").read_bytes() == source[0].read_bytes()


def spoil_last_block(cluster: HdfsCluster, number: int) -> None:
    """Flip bits in the newest block that a DataNode has on its disk, as a bad disk would."""
    blocks = [path for path in (cluster.folder / f"dn{number}").rglob("blk_*") if path.suffix != ".meta"]
    newest = max(blocks, key=lambda path: int(path.name.split("_")[1]))
    with newest.open("r+b") as block:
        block.seek(MIB)
        block.write(bytes(byte ^ 0xFF for byte in os.urandom(64)))


def test_one_rotten_replica_costs_nothing_and_two_are_corrupt(
    pair: HdfsCluster, source: tuple[Path, FileEntry], tmp_path: Path
) -> None:
    files = files_of(pair.url)
    files.put("model.bin", *source, lambda _: None)
    spoil_last_block(pair, 1)
    files.get("model.bin", tmp_path / "back", source[1], lambda _: None)
    files.put("other.bin", *source, lambda _: None)
    spoil_last_block(pair, 1)
    spoil_last_block(pair, 2)
    with pytest.raises(Corrupt, match=r"other\.bin cannot be read beyond byte"):
        files.get("other.bin", tmp_path / "other", source[1], lambda _: None)
    assert not (tmp_path / "other").exists()


def test_what_a_killed_client_left_is_not_taken_for_the_file(
    pair: HdfsCluster, source: tuple[Path, FileEntry], tmp_path: Path
) -> None:
    class Killed(BaseException):
        """In the place of SIGKILL: the connection ends in the middle of the body."""

    def kill() -> None:
        raise Killed

    files = files_of(pair.url)
    with pytest.raises(Killed):
        files.put("model.bin", *source, Slowly(6 * MIB, kill))
    assert not files.proven("model.bin", *source)
    files.put("model.bin", *source, lambda _: None)
    check_whole(pair, files, source)


# Two NameNodes.


@pytest.mark.soak
def test_a_graceful_failover_during_an_upload_costs_only_time(ha: HaCluster, source: tuple[Path, FileEntry]) -> None:
    active = ha.active()
    files = files_of(*ha.urls)
    with later(0) as arrange:
        files.put("model.bin", *source, Slowly(6 * MIB, lambda: arrange(lambda: ha.failover(active, 3 - active))))
    assert ha.active() == 3 - active
    check_whole(ha, files, source)


def test_an_active_namenode_killed_during_an_upload_costs_only_time(
    ha: HaCluster, source: tuple[Path, FileEntry]
) -> None:
    active = ha.active()
    files = files_of(*ha.urls)
    with later(1) as arrange:

        def kill() -> None:
            ha.namenodes[active - 1].kill()
            arrange(lambda: ha.transition_to_active(3 - active, force=True))

        files.put("model.bin", *source, Slowly(6 * MIB, kill))
    assert files.proven("model.bin", *source)
    check_whole(ha, files, source)


def test_nobody_promoted_is_an_honest_error(ha: HaCluster, source: tuple[Path, FileEntry]) -> None:
    active = ha.active()
    files = files_of(*ha.urls, deadline=4, timeout=(2, 4))
    with pytest.raises(Unavailable):
        files.put("model.bin", *source, Slowly(6 * MIB, ha.namenodes[active - 1].kill))
    with pytest.raises(Unavailable, match="no NameNode can be used.*standby"):
        files.children("absent")
    ha.transition_to_active(3 - active, force=True)


def test_any_order_of_names_and_one_that_does_not_resolve_lead_to_the_active_one(ha: HaCluster) -> None:
    for urls in (ha.urls, ha.urls[::-1], ["http://namenode.invalid:9870", *ha.urls], ["http://127.0.0.1:1", *ha.urls]):
        files = files_of(*urls, deadline=20)
        files.put_bytes("a/x", b"1")
        files.rename_exclusive("a", "b")
        assert files.read_bytes("b/x", 1) == b"1"
        assert files.tree("b") == {"x": 1}
        files.remove("b")
        assert files.children("b") == {}


def test_only_a_standby_is_unavailable_and_proves_no_absence(ha: HaCluster) -> None:
    files = files_of(ha.urls[2 - ha.active()], deadline=2)
    for verb in (lambda: files.children("absent"), lambda: files.read_bytes("absent", 1)):
        with pytest.raises(Unavailable, match="standby"):
            verb()


def test_a_namenode_that_slept_through_a_failover_proves_no_absence(ha: HaCluster) -> None:
    if ha.active() == 1:  # for which DataNodes ask first, and would wait
        ha.failover(1, 2)
    old, new = 2, 1
    stale_first = [ha.urls[old - 1], ha.urls[new - 1]]
    files = files_of(*stale_first, deadline=20)
    files.make_folder("before")
    ha.namenodes[old - 1].signal(signal.SIGSTOP)
    ha.transition_to_active(new, force=True)
    writer = WebHdfs([ha.urls[new - 1]], files.root, user="root", deadline=30)
    writer.put_bytes("after/x", b"1")
    ha.namenodes[old - 1].signal(signal.SIGCONT)
    answer = requests.get(
        f"{stale_first[0]}/webhdfs/v1{files.root}/after/x?op=GETFILESTATUS&user.name=root", timeout=(5, 60)
    )
    assert answer.status_code == 404  # it still believes that it is the active one
    reader = WebHdfs(stale_first, files.root, user="root", deadline=20)
    assert reader.read_bytes("after/x", 1) == b"1"
    assert WebHdfs(stale_first, files.root, user="root", deadline=20).tree("after") == {"x": 1}
    with pytest.raises(NotFound):
        WebHdfs(stale_first, files.root, user="root", deadline=20).tree("absent")
    files.rename_exclusive("before", "moved")
    assert set(files.children("moved")) == set()
    assert ha.state(new) == "active"
