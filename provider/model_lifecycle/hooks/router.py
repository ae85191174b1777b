"""The contract of a router: it stands between an endpoint's callers and the versions, and shares their requests out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any, ClassVar

from model_lifecycle.core.errors import Conflict, Invalid
from model_lifecycle.hooks.connected import Connected
from model_lifecycle.hooks.finding import find_hook, wrong_kind
from model_lifecycle.hooks.metrics import MetricsHook
from model_lifecycle.hooks.session import ConnectionSession

VERSION_HEADER = "x-model-version"
"""In a request: the version that is to answer. In an answer: the version that did, set by the router itself."""


class RouterHook(Connected, MetricsHook):
    """One router behind one connection.

    Callers ask ``POST /<model>``, ``/v2/models/<model>/infer`` or ``/predictions/<model>`` on the router, and get the
    answer of one attached version from its own address, whatever path that has, with the version's number in the
    header :data:`VERSION_HEADER`. A request that carries the header goes to the version it names, or is answered 404;
    without it the traffic decides, and without traffic the answer is 404.

    Every verb is absolute and repeatable (Law 3), is read back before it returns, and survives a restart of the
    router. It raises errors of :mod:`model_lifecycle.core.errors` only and never waits for ever.

    :param router_conn_id: the connection, whose host and port are what callers ask; ``default_conn_name`` of the class
        by default.
    """

    conn_name_attr = "router_conn_id"
    declared = ("conn_type", "hook_name", "can_mirror")
    can_mirror: ClassVar[bool]
    """Whether :meth:`mirror` can send copies of requests to a version whose answers nobody gets."""

    def __init__(self, router_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.router_conn_id = router_conn_id or self.default_conn_name

    @cached_property
    def session(self) -> ConnectionSession:
        """The HTTP session on the address that callers use."""
        return ConnectionSession(self.connection)

    def get_conn(self) -> ConnectionSession:
        """The HTTP session of this hook."""
        return self.session

    @abstractmethod
    def backends(self, model: str) -> dict[int, str]:
        """The URL of each attached version's own prediction call; empty if the model is unknown."""

    @abstractmethod
    def attach(self, model: str, version: int, url: str) -> None:
        """Make a version reachable under its header; it gets no other request yet.

        :param url: ``http://host:port/path`` of the version's prediction call; a version that was attached elsewhere
            moves there.
        :raises Invalid: if the URL is of another form.
        """

    @abstractmethod
    def detach(self, model: str, version: int) -> None:
        """Forget a version; nothing happens if it is not attached.

        :raises Conflict: if it has traffic or is mirrored to.
        """

    @abstractmethod
    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, read from the running router; empty if nothing serves."""

    @abstractmethod
    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the traffic, all at once: no request sees half of it; an empty map ends it.

        :raises Conflict: if a version in the map is not attached; the old traffic stays.
        :raises Invalid: if the map does not sum to 100, or names more versions than the router can split between.
        """

    @abstractmethod
    def mirrored(self, model: str) -> dict[int, int]:
        """Per cent of requests that are copied, by version; empty where nothing is."""

    @abstractmethod
    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        """Send copies of so many per cent of the requests to a version; an empty map ends it.

        :raises Conflict: if the version is not attached.
        :raises Invalid: if the router cannot mirror, or the map names more than one version.
        """

    @abstractmethod
    def in_flight(self, model: str, version: int) -> int:
        """How many requests the version is answering now."""

    def require_ready(self, hint: str) -> None:
        """Prove that a router of this type answers callers, as the configurations of this package let it say.

        :param hint: where its own configuration says what host and port are.
        :raises Invalid: if something else answers.
        """
        answer = self.session.call("GET", "/v2/health/ready", retry=False).json()
        if answer != {"ready": True, "router": self.conn_type}:
            raise Invalid("something else answers at host and port", target=self.session.target, hint=hint)

    def require_attached(self, model: str, shares: Mapping[int, int], attached: Container[int]) -> None:
        """Refuse shares of a version that is not attached.

        :raises Conflict: with the first such version.
        """
        for version in shares:
            if version not in attached:
                message = "the version is not attached to the router"
                raise Conflict(message, target=self.session.target, model=model, version=version)


def router_hook(conn_id: str) -> RouterHook:
    """The hook for a router connection, found by the connection's type.

    :raises Invalid: if there is no such connection, or it is of another kind.
    """
    hook = find_hook(conn_id, "haproxy or envoy")
    if not isinstance(hook, RouterHook):
        raise wrong_kind(conn_id, "routes no requests", "haproxy or envoy")
    return hook


def check_traffic(traffic: Mapping[int, int], target: str) -> None:
    """Refuse a traffic map that is not whole per cent which sum to 100, or empty.

    :raises Invalid: with what is wrong.
    """
    shares = list(traffic.values())
    if any(type(share) is not int or share < 0 for share in shares) or (shares and sum(shares) != 100):
        raise Invalid(f"traffic {dict(traffic)} is not whole per cent that sum to 100", target=target)
