"""A serving system behind a router: the one loads and unloads versions, the other shares the requests out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.hooks.router import VERSION_HEADER, RouterHook, check_traffic, router_hook
from model_lifecycle.hooks.serving import Answer, Columns, RoutableHook, ServingHook, VersionState
from model_lifecycle.hooks.session import url_path
from model_lifecycle.stores.base import ModelStore

DRAIN = 30.0
"""Seconds that a version is given to end the requests it is answering before it is unloaded all the same."""

log = logging.getLogger(__name__)


def routed(hook: ServingHook, router_conn_id: str) -> RoutedServing:
    """Both together.

    :raises Invalid: if the system's versions have no addresses of their own, or the connection leads to no router.
    """
    if not isinstance(hook, RoutableHook):
        hint = "remove the extra router_conn_id of the connection"
        raise Invalid(f"{hook.hook_name} cannot stand behind a router", target=router_conn_id, hint=hint)
    return RoutedServing(hook, router_hook(router_conn_id))


class RoutedServing(ServingHook):
    """One serving system and the router in front of it; callers ask the router."""

    conn_type = "routed"
    hook_name = "a serving system behind a router"
    can_split = True
    counts_requests = True

    def __init__(self, backend: RoutableHook, router: RouterHook) -> None:
        super().__init__()
        self.backend, self.router = backend, router

    def prove_connection(self) -> str:
        """Prove that both are there."""
        return f"{self.backend.prove_connection()}; {self.router.prove_connection()}"

    @property
    def can_mirror(self) -> bool:  # type: ignore[override]
        """Whether the router can."""
        return self.router.can_mirror

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Bring the artifact to where the server loads it from."""
        self.backend.stage(model, version, artifact_uri, store)

    def load(self, model: str, version: int) -> None:
        """Ask the server to load it; the router learns of it when it is first asked for."""
        self.backend.load(model, version)

    def unload(self, model: str, version: int) -> None:
        """Let it end what it is answering, then forget it in the router and in the server."""
        if version in self.traffic(model) or version in self.mirrored(model):
            raise Conflict("the version has traffic", target=self.target, model=model, version=version)
        self._drain(model, version)
        self.router.detach(model, version)
        self.backend.unload(model, version)

    def versions(self, model: str) -> dict[int, VersionState]:
        """What the server says."""
        return self.backend.versions(model)

    def failure(self, model: str, version: int) -> str | None:
        """What the server says."""
        return self.backend.failure(model, version)

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask through the router, as callers do."""
        if version is None:
            return self._ask(model, inputs, {})
        if self.versions(model).get(version) is not VersionState.READY:
            raise NotFound("the version is not ready", target=self.target, model=model, version=version)
        address = self.backend.address(model, version)
        if self.router.backends(model).get(version) != address:
            self.router.attach(model, version, address)
        return self._ask(model, inputs, {VERSION_HEADER: str(version)})

    def traffic(self, model: str) -> dict[int, int]:
        """What the router says."""
        return self.router.traffic(model)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the router's traffic; see the contract."""
        check_traffic(traffic, self.target)
        self._make_reachable(model, traffic)
        self.router.route(model, traffic)

    def mirrored(self, model: str) -> dict[int, int]:
        """What the router says."""
        return self.router.mirrored(model)

    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        """Let the router mirror; see the contract."""
        self._make_reachable(model, mirrored)
        self.router.mirror(model, mirrored)

    def counts(self, model: str) -> dict[int, Counts]:
        """What the router counted."""
        return self.router.counts(model)

    @property
    def target(self) -> str:
        """Both, for messages."""
        return f"{self.backend.hook_name} behind {self.router.session.target}"

    def _ask(self, model: str, inputs: Columns, headers: Mapping[str, str]) -> Answer:
        return self.backend.ask(self.router.session, url_path(model), model, inputs, headers)

    def _make_reachable(self, model: str, shares: Mapping[int, int]) -> None:
        states = self.versions(model)
        for version in [version for version, share in shares.items() if share]:
            if states.get(version) is not VersionState.READY:
                raise Conflict("the version is not ready", target=self.target, model=model, version=version)
            # Also one that is attached: its host's name may have come to mean another address.
            self.router.attach(model, version, self.backend.address(model, version))

    def _drain(self, model: str, version: int) -> None:
        end = time.monotonic() + DRAIN
        while (busy := self.router.in_flight(model, version)) and time.monotonic() < end:
            time.sleep(0.1)
        if busy:
            log.warning("Version %s of %s still answers %s requests; they are given up", version, model, busy)
