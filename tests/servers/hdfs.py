"""Real HDFS on loopback: one NameNode with DataNodes (the highly available pair is in ``hdfs_ha``).

Data and ports are kept in the cluster's folder, so a cluster started again in the same folder is the same cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.hadoop import java, run_java, write_configuration
from tests.servers.process import Server, free_ports, listens

NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
_DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
_DFS_ADMIN = "org.apache.hadoop.hdfs.tools.DFSAdmin"
_FS_SHELL = "org.apache.hadoop.fs.FsShell"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Daemon(Server):
    """One JVM of a cluster; after :meth:`kill` it can be started again on the same data."""

    def restart(self) -> None:
        """Start again and wait until it answers; whether the cluster is healthy is another question."""
        self.start()


class Cluster(ABC):
    """What both kinds of cluster share: ports, configuration, DataNodes, admin tools and foreign clients."""

    def __init__(
        self,
        folder: Path,
        *,
        datanodes: int,
        replication: int,
        heap: int,
        properties: Mapping[str, object] | None,
    ) -> None:
        self.folder, self.heap, self.replication = Path(folder).absolute(), heap, replication
        self.properties = dict(properties or {})
        self.namenodes: list[Daemon] = []
        self.datanodes: list[Daemon] = []
        self._datanode_count = datanodes

    @abstractmethod
    def start(self) -> Self:
        """Format on first use, start every daemon and wait until the DataNodes are live and safe mode is over."""

    def stop(self) -> None:
        """Stop every daemon; the data stay."""
        for daemon in [*self.datanodes, *self.namenodes]:
            daemon.stop()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @abstractmethod
    def wait_healthy(self, timeout: float = 90) -> None:
        """Wait until every DataNode that runs is live and safe mode is over."""

    @property
    def conf(self) -> Path:
        """The configuration folder that clients use."""
        return self.folder / "conf" / "client"

    def admin(self, *arguments: str) -> str:
        """``hdfs dfsadmin`` as the superuser."""
        return run_java(_DFS_ADMIN, *arguments, conf=self.conf).decode()

    def set_space_quota(self, path: str, size: int) -> None:
        """Limit the bytes under a folder, counted with replicas."""
        self.admin("-setSpaceQuota", str(size), path)

    def set_name_quota(self, path: str, count: int) -> None:
        """Limit the files and folders under a folder, itself counted."""
        self.admin("-setQuota", str(count), path)

    def clear_quotas(self, path: str) -> None:
        self.admin("-clrSpaceQuota", path)
        self.admin("-clrQuota", path)

    def safe_mode(self, on: bool) -> None:
        """Enter or leave safe mode."""
        self.admin("-safemode", "enter" if on else "leave")

    def fs_shell(self, *arguments: str, user: str | None = None) -> bytes:
        """Hadoop's own Java client, such as ``fs_shell("-cat", "/models/x")``."""
        return run_java(_FS_SHELL, *arguments, conf=self.conf, user=user)

    def saved_ports(self, names: list[str]) -> dict[str, int]:
        file = self.folder / "ports.json"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(dict(zip(names, free_ports(len(names)), strict=True))))
        ports: dict[str, int] = json.loads(file.read_text())
        return ports

    def daemon(self, name: str, main: str, *, conf: Path, http: int, rpc: int) -> Daemon:
        """:param rpc: a daemon answers on its web port a moment before it listens here; it is ready with both."""
        return Daemon(
            name,
            java(main, conf=conf, heap=self.heap),
            log=self.folder / "logs" / f"{name}.log",
            ready=lambda: bool(jmx(f"http://127.0.0.1:{http}", "java.lang:type=Runtime")) and listens(rpc),
            cwd=self.folder,
        )

    def configure_datanodes(
        self, ports: Mapping[str, int], core: Mapping[str, object], hdfs: Mapping[str, object]
    ) -> None:
        for number in range(1, self._datanode_count + 1):
            name = f"dn{number}"
            own = {
                "dfs.datanode.data.dir": f"file://{self.folder}/{name}",
                "dfs.datanode.address": f"127.0.0.1:{ports[f'{name}.data']}",
                "dfs.datanode.ipc.address": f"127.0.0.1:{ports[f'{name}.ipc']}",
                "dfs.datanode.http.address": f"127.0.0.1:{ports[f'{name}.http']}",
            }
            conf = write_configuration(self.folder / "conf" / name, core, {**hdfs, **own})
            self.datanodes.append(
                self.daemon(name, _DATANODE, conf=conf, http=ports[f"{name}.http"], rpc=ports[f"{name}.ipc"])
            )

    def datanode_ports(self) -> list[str]:
        return [f"dn{n}.{part}" for n in range(1, self._datanode_count + 1) for part in ("data", "ipc", "http")]

    def hdfs_site(self) -> dict[str, object]:
        return {
            "dfs.replication": self.replication,
            "dfs.permissions.enabled": True,
            "dfs.webhdfs.enabled": True,
            "dfs.namenode.datanode.registration.ip-hostname-check": False,
            "dfs.namenode.heartbeat.recheck-interval": 500,
            "dfs.heartbeat.interval": 1,
            "dfs.namenode.safemode.extension": 500,
            **self.properties,
        }


class HdfsCluster(Cluster):
    """One NameNode with DataNodes.

    :param folder: holds everything; delete it to forget the cluster.
    :param heap: MiB for each JVM.
    :param properties: more of hdfs-site.xml.
    """

    def __init__(
        self,
        folder: Path,
        datanodes: int = 1,
        replication: int = 1,
        *,
        heap: int = 256,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(folder, datanodes=datanodes, replication=replication, heap=heap, properties=properties)
        self.ports = self.saved_ports(["nn.rpc", "nn.http", *self.datanode_ports()])

    @property
    def url(self) -> str:
        """The NameNode's WebHDFS address."""
        return f"http://127.0.0.1:{self.ports['nn.http']}"

    @property
    def namenode(self) -> Daemon:
        return self.namenodes[0]

    def start(self) -> Self:
        core = {"fs.defaultFS": f"hdfs://127.0.0.1:{self.ports['nn.rpc']}"}
        hdfs = self.hdfs_site() | {"dfs.namenode.http-address": f"127.0.0.1:{self.ports['nn.http']}"}
        write_configuration(self.conf, core, hdfs)
        name_dir = self.folder / "nn"
        conf = write_configuration(
            self.folder / "conf" / "nn", core, hdfs | {"dfs.namenode.name.dir": f"file://{name_dir}"}
        )
        if not (name_dir / "current" / "VERSION").exists():
            run_java(NAMENODE, "-format", "-nonInteractive", conf=conf)
        ports = {"http": self.ports["nn.http"], "rpc": self.ports["nn.rpc"]}
        self.namenodes, self.datanodes = [self.daemon("nn", NAMENODE, conf=conf, **ports)], []
        self.configure_datanodes(self.ports, core, hdfs)
        for daemon in [self.namenode, *self.datanodes]:
            daemon.spawn()
        for daemon in [self.namenode, *self.datanodes]:
            daemon.wait_ready()
        self.wait_healthy()
        return self

    def wait_healthy(self, timeout: float = 90) -> None:
        wait_until_healthy(self.namenode, self.url, self.datanodes, timeout)

    def go_client(self, *arguments: str) -> bytes:
        """Debian's hdfs-cli, a client in Go over Hadoop's native protocol, such as ``go_client("cat", "/models/x")``.

        For reading only: its ``put`` returns before the file is closed on the NameNode.
        """
        done = subprocess.run(
            ["/usr/bin/hdfs", *arguments],
            env={**os.environ, "HADOOP_NAMENODE": f"127.0.0.1:{self.ports['nn.rpc']}"},
            capture_output=True,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"hdfs {' '.join(arguments)}: exit {done.returncode}\n{done.stderr.decode()}")
        return done.stdout


def jmx(url: str, bean: str) -> dict[str, Any]:
    """One management bean of a daemon; empty if the daemon does not know it yet."""
    with _DIRECT.open(f"{url}/jmx?qry={bean}", timeout=5) as answer:
        beans: list[dict[str, Any]] = json.load(answer)["beans"]
    return beans[0] if beans else {}


def wait_until_healthy(namenode: Daemon, url: str, datanodes: list[Daemon], timeout: float) -> None:
    """Wait until a NameNode is out of safe mode and counts every DataNode that runs as live."""

    def healthy() -> bool:
        state = jmx(url, "Hadoop:service=NameNode,name=FSNamesystemState")
        expected = sum(daemon.alive for daemon in datanodes)
        return state.get("FSState") == "Operational" and state.get("NumLiveDataNodes", 0) >= expected

    before, namenode.ready = (namenode.ready, namenode.timeout), healthy
    namenode.timeout = timeout
    try:
        namenode.wait_ready()
    finally:
        namenode.ready, namenode.timeout = before
