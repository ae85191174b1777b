"""HAProxy as the router of endpoints, run with the ``routers/haproxy.cfg`` of this package.

Traffic is one value in a map, ``<stable>:<candidate>:<per cent of the candidate>``, so one ``set map`` on the runtime
socket moves all of it at once. Two ``set weight``, which HAProxy has too, would be two moments with a wrong sum in
between, and are gone after a restart. Counts are kept by HAProxy in a stick table, one entry for each version.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from functools import cached_property

from model_lifecycle.core.counts import BUCKETS, Counts
from model_lifecycle.core.errors import Conflict, Invalid, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.haproxy_socket import Maps, RuntimeSocket
from model_lifecycle.hooks.router import RouterHook, check_traffic
from model_lifecycle.hooks.router_files import RouterFolder
from model_lifecycle.hooks.targets import Target, version_key

TRAFFIC = "traffic.map"
TARGETS = "targets.map"
TABLE = "versions"
SPLITS = 2
"""How many versions of one model can have traffic at the same time."""


log = logging.getLogger(__name__)


class HaproxyHook(RouterHook):
    """One HAProxy behind a connection of type ``haproxy``.

    Host and port are what callers ask. Extras: ``socket``, the runtime socket as the workers see it, an absolute path
    or ``host:port``; ``maps``, the folder of the map files as the workers see it; ``verify``, ``cert``, ``key`` and
    ``timeout`` as for every server (:mod:`model_lifecycle.hooks.session`).

    :param router_conn_id: the connection; ``haproxy_default`` by default.
    """

    default_conn_name = "haproxy_default"
    conn_type = "haproxy"
    hook_name = "HAProxy"
    can_mirror = False

    def prove_connection(self) -> str:
        """Prove address, socket, maps and folder."""
        self.require_ready("host and port are the line bind of haproxy.cfg")
        for name in (TRAFFIC, TARGETS):
            self._maps.read(name)
        self._maps.folder.check()
        return "HAProxy answers callers, and its maps can be changed"

    def backends(self, model: str) -> dict[int, str]:
        """The URL of each attached version; see the contract."""
        return {version: target.url for version, target in self._targets(model).items()}

    def attach(self, model: str, version: int, url: str) -> None:
        """Make a version reachable under its header; see the contract.

        A host name is resolved here and now: when it comes to mean another address, attach the version again. One that
        cannot be resolved now keeps the address that it has: no rollback waits for a name server.

        :raises Unavailable: if the name of a target that is not attached yet cannot be resolved.
        """
        key, target = version_key(model, version), Target.parse(url, model, version)
        try:
            address = _resolve(target)
        except Unavailable as error:
            if self._targets(model).get(version) != target:
                raise
            log.warning("%s; HAProxy keeps the address that it has", error)
            return
        value = "|".join((address, str(target.port), target.path, target.host))
        with self._maps.folder.lock():
            self._maps.put(TARGETS, key, value)

    def detach(self, model: str, version: int) -> None:
        """Forget a version; see the contract."""
        key = version_key(model, version)
        with self._maps.folder.lock():
            if version in self.traffic(model):
                raise Conflict("the version has traffic", target=self.session.target, model=model, version=version)
            self._maps.put(TARGETS, key, None)

    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, read from the running map."""
        check_name(model, "model name")
        value = self._maps.read(TRAFFIC).get(model)
        return {} if value is None else self._shares(model, value)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the traffic by one command; see the contract."""
        check_name(model, "model name")
        check_traffic(traffic, self.session.target)
        shares = {version: share for version, share in traffic.items() if share}
        if len(shares) > SPLITS:
            message = f"HAProxy splits a model's traffic between {SPLITS} versions at most, not {len(shares)}"
            raise Invalid(message, target=self.session.target, model=model, hint="use a router of type envoy")
        with self._maps.folder.lock():
            self.require_attached(model, shares, self._targets(model))
            self._maps.put(TRAFFIC, model, _traffic_value(shares))

    def mirrored(self, model: str) -> dict[int, int]:
        """Nothing: HAProxy copies no requests."""
        check_name(model, "model name")
        return {}

    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        """Refused, unless there is nothing to mirror."""
        check_name(model, "model name")
        if mirrored:
            hint = "use a router of type envoy"
            raise Invalid("HAProxy cannot mirror requests", target=self.session.target, model=model, hint=hint)

    def in_flight(self, model: str, version: int) -> int:
        """How many requests the version is answering now."""
        return self._entry(version_key(model, version)).get("conn_cur", 0)

    def counts(self, model: str) -> dict[int, Counts]:
        """What HAProxy counted, its own answers for a dead version included.

        The time ends with the header of the answer. A request whose caller hung up is counted once the version
        answers or its time is over.
        """
        return {version: _counts(self._entry(version_key(model, version))) for version in self._targets(model)}

    @cached_property
    def _maps(self) -> Maps:
        target = self.session.target
        folder = self.folder("maps", f"set it to the folder of {TRAFFIC}, as the workers see it")
        return Maps(RuntimeSocket(self._socket(), target), RouterFolder(folder, (TRAFFIC, TARGETS), target))

    def _socket(self) -> str:
        address = self.connection.extra_dejson.get("socket")
        if isinstance(address, str) and (address.startswith("/") or address.rpartition(":")[2].isdecimal()):
            return address
        hint = "set it as in the line stats socket of haproxy.cfg"
        raise Invalid("the extra socket is neither an absolute path nor host:port", target=self.conn_id, hint=hint)

    def _targets(self, model: str) -> dict[int, Target]:
        check_name(model, "model name")
        found = {}
        for key, value in self._maps.read(TARGETS).items():
            name, _, version = key.partition("/")
            if name == model and version.isdecimal():
                found[int(version)] = self._target(model, int(version), value)
        return found

    def _target(self, model: str, version: int, value: str) -> Target:
        try:
            _, port, path, host = value.split("|")
            return Target(host, int(port), path)
        except ValueError as error:
            message, hint = f"{TARGETS} says {value!r}, which is no target", "attach the version anew"
            where = self.session.target
            raise Unavailable(message, target=where, model=model, version=version, hint=hint) from error

    def _shares(self, model: str, value: str) -> dict[int, int]:
        try:
            stable, candidate, percent = (int(part) for part in value.split(":"))
        except ValueError as error:
            message = f"{TRAFFIC} says {value!r}, which is no traffic"
            raise Unavailable(message, target=self.session.target, model=model, hint="set the traffic anew") from error
        return {candidate: percent, stable: 100 - percent} if percent else {stable: 100}

    def _entry(self, key: str) -> dict[str, int]:
        reply = self._maps.runtime.ask(f"show table {TABLE} key {key}")
        if reply and not reply.startswith(f"# table: {TABLE},"):  # nothing: the version was never asked
            hint = "run HAProxy with the haproxy.cfg of this package"
            raise Invalid(f"HAProxy has no stick table {TABLE}", target=self.session.target, hint=hint)
        fields = [word.partition("=") for line in reply.splitlines()[1:] for word in line.split()]
        return {name: int(value) for name, _, value in fields if value.isdecimal()}


def _traffic_value(shares: Mapping[int, int]) -> str | None:
    if not shares:
        return None
    stable, candidate = min(shares), max(shares)
    return f"{stable}:{candidate}:{shares[candidate] if candidate != stable else 0}"


def _counts(entry: Mapping[str, int]) -> Counts:
    # The places in the table as haproxy.cfg fills them; requests are the sum, so the two never disagree.
    latency = {bound: entry.get(f"gpc{place}", 0) for place, bound in enumerate(BUCKETS, start=2)}
    return Counts(sum(latency.values()), entry.get("gpc0", 0), entry.get("gpc1", 0), latency)


def _resolve(target: Target) -> str:
    try:
        found = socket.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"the host {target.host} cannot be resolved", target=target.url) from error
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])
