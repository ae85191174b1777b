"""A highly available HDFS on loopback: two NameNodes, one JournalNode, DataNodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.hadoop import run_java, write_configuration
from tests.servers.hdfs import NAMENODE, Cluster, Daemon, jmx, wait_until_healthy

_JOURNALNODE = "org.apache.hadoop.hdfs.qjournal.server.JournalNode"
_HA_ADMIN = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"


class HaCluster(Cluster):
    """Two NameNodes ``nn1`` (active at first) and ``nn2``, one JournalNode, DataNodes; failover is done by hand."""

    def __init__(
        self,
        folder: Path,
        datanodes: int = 2,
        replication: int = 2,
        *,
        heap: int = 256,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(folder, datanodes=datanodes, replication=replication, heap=heap, properties=properties)
        fixed = ["nn1.rpc", "nn1.http", "nn2.rpc", "nn2.http", "jn.rpc", "jn.http"]
        self.ports = self.saved_ports([*fixed, *self.datanode_ports()])
        self.journalnode: Daemon | None = None

    @property
    def urls(self) -> list[str]:
        """The WebHDFS addresses of nn1 and nn2."""
        return [f"http://127.0.0.1:{self.ports[f'{name}.http']}" for name in ("nn1", "nn2")]

    def state(self, number: int) -> str:
        """``active`` or ``standby``: what NameNode 1 or 2 believes of itself."""
        return str(jmx(self.urls[number - 1], "Hadoop:service=NameNode,name=NameNodeStatus")["State"])

    def active(self) -> int:
        """The number of the NameNode that is active; an error if none of those that run is."""
        states = {number: self.state(number) for number in (1, 2) if self.namenodes[number - 1].alive}
        return next(number for number, state in states.items() if state == "active")

    def start(self) -> Self:
        core = {"fs.defaultFS": "hdfs://ns1"}
        hdfs = self.hdfs_site() | self._ha_site()
        write_configuration(self.conf, core, hdfs)
        self.namenodes, self.datanodes = [], []
        self._start_journal(core, hdfs)
        self._start_namenodes(core, hdfs)
        self.transition_to_active(1)
        self.configure_datanodes(self.ports, core, hdfs)
        for daemon in self.datanodes:
            daemon.spawn()
        self.wait_healthy()
        return self

    def stop(self) -> None:
        super().stop()
        if self.journalnode is not None:
            self.journalnode.stop()

    def failover(self, source: int, target: int) -> None:
        """The graceful way: both NameNodes agree."""
        run_java(_HA_ADMIN, "-failover", f"nn{source}", f"nn{target}", conf=self.conf)

    def transition_to_active(self, number: int, *, force: bool = False) -> None:
        """Make a NameNode active; ``force`` when its peer is dead or paused."""
        flags = ["--forceactive"] if force else []
        run_java(_HA_ADMIN, "-transitionToActive", *flags, f"nn{number}", conf=self.conf)

    def wait_healthy(self, timeout: float = 90) -> None:
        for daemon, url in zip(self.namenodes, self.urls, strict=True):
            if daemon.alive:
                wait_until_healthy(daemon, url, self.datanodes, timeout)

    def _start_journal(self, core: Mapping[str, object], hdfs: Mapping[str, object]) -> None:
        conf = write_configuration(self.folder / "conf" / "jn", core, hdfs)
        self.journalnode = self.daemon("jn", _JOURNALNODE, conf=conf, **self._ports("jn"))
        self.journalnode.start()

    def _start_namenodes(self, core: Mapping[str, object], hdfs: Mapping[str, object]) -> None:
        for name, prepare in {"nn1": "-format", "nn2": "-bootstrapStandby"}.items():
            name_dir = self.folder / name
            own = {"dfs.namenode.name.dir": f"file://{name_dir}", "dfs.ha.namenode.id": name}
            conf = write_configuration(self.folder / "conf" / name, core, {**hdfs, **own})
            if not (name_dir / "current" / "VERSION").exists():
                run_java(NAMENODE, prepare, "-nonInteractive", conf=conf)
            self.namenodes.append(self.daemon(name, NAMENODE, conf=conf, **self._ports(name)))
            self.namenodes[-1].start()

    def _ports(self, name: str) -> dict[str, int]:
        return {part: self.ports[f"{name}.{part}"] for part in ("http", "rpc")}

    def _ha_site(self) -> dict[str, object]:
        addresses = {
            f"dfs.namenode.{part}-address.ns1.{name}": f"127.0.0.1:{self.ports[f'{name}.{part}']}"
            for name in ("nn1", "nn2")
            for part in ("rpc", "http")
        }
        return addresses | {
            "dfs.nameservices": "ns1",
            "dfs.ha.namenodes.ns1": "nn1,nn2",
            "dfs.ha.automatic-failover.enabled": False,
            "dfs.ha.fencing.methods": "shell(/bin/true)",
            "dfs.ha.tail-edits.period": 1,
            # A standby that starts again stays in safe mode until it has read what the active one goes on writing.
            "dfs.ha.tail-edits.in-progress": True,
            "dfs.namenode.shared.edits.dir": f"qjournal://127.0.0.1:{self.ports['jn.rpc']}/ns1",
            "dfs.journalnode.edits.dir": f"{self.folder}/jn",
            "dfs.journalnode.rpc-address": f"127.0.0.1:{self.ports['jn.rpc']}",
            "dfs.journalnode.http-address": f"127.0.0.1:{self.ports['jn.http']}",
            "dfs.client.failover.proxy.provider.ns1": (
                "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
            ),
        }
