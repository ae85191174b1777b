"""Performs what the release state machine decides, fenced by the ledger at every step (Laws 2 to 5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never
from uuid import uuid4

from model_lifecycle.core.actions import (
    Action,
    Align,
    Done,
    Enter,
    Load,
    Mirror,
    Observation,
    Prove,
    Route,
    Smoke,
    Unload,
    Wait,
)
from model_lifecycle.core.errors import Conflict, ModelLifecycleError, Rejected
from model_lifecycle.core.examples import Columns
from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.core.plan import Change, Plan
from model_lifecycle.core.release import Release, State, following, opening
from model_lifecycle.core.rollout import LOADED, given_up, next_action, pause_after_look
from model_lifecycle.hooks.registry import ModelRegistryHook
from model_lifecycle.hooks.serving import ServingHook, VersionState
from model_lifecycle.releases.aliases import Aliases
from model_lifecycle.releases.late import Late
from model_lifecycle.releases.measuring import Measuring
from model_lifecycle.releases.proofs import PROOFS, TOLERANCE, Prover
from model_lifecycle.releases.publishing import Publishing
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.ledger import Ledger

log = logging.getLogger(__name__)


class Rollout:
    """Drives the releases of one endpoint. Every instance is one writer, told apart in the ledger by its token.

    :param inputs: rows to ask with instead of the artifact's own input example.
    :param actor: who acts, for the ledger: DAG, run, task, try and user.
    :param writer: the token of an execution that goes on after a wait; a new one otherwise.
    :param watched: what was seen during that wait, from :meth:`watched`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        store: ModelStore,
        serving: ServingHook,
        registry: ModelRegistryHook,
        actor: Mapping[str, str],
        inputs: Columns | None = None,
        writer: str | None = None,
        watched: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint, self.model = endpoint, endpoint.model
        self.store, self.serving, self.registry = store, serving, registry
        self.ledger = Ledger(store, endpoint)
        self.actor, self.clock = dict(actor), clock
        self.aliasing = Aliases(registry, self.model)
        self.prover = Prover(self.model, serving, store, self._artifact, inputs)
        self.writer = writer or uuid4().hex[:12]
        self.measuring = Measuring(endpoint, serving, clock, watched)
        self.publishing = Publishing()

    def open(self, plan: Plan, generation: int, reason: str) -> Release:
        """Write the entry that opens a release after ``generation``.

        :raises Conflict: if another writer was first.
        """
        entry = opening(plan, generation + 1, self.clock(), self.writer, self.actor, reason)
        self.ledger.append(entry)
        log.info(
            "Opened release %s: %s version %s on %s", entry.release, plan.change, plan.target.version, self.endpoint
        )
        return Release((entry,))

    def interrupt(self, release: Release, key: str, reason: str, mark: str | None = None) -> Release:
        """Turn somebody's unfinished release round, or end a promotion; who worked on it stops at its next look.

        :param mark: :data:`SUPERSEDED` if nothing was wrong with it.
        """
        if release.last.belongs_to(key):
            return release
        if release.plan.change is Change.PROMOTE:
            return self._append(release, State.REJECTED, f"interrupted by a rollback: {reason}")
        asked_by = f"{release.last.asked_by},{key}".lstrip(",")
        return self._append(release, State.ROLLING_BACK, reason, asked_by=asked_by, mark=mark)

    def abandon(self, release: Release, reason: str) -> Release:
        """End our own unfinished release at once: what has moved goes back, a rollback under way is finished."""
        if not release.state.terminal and release.plan.change is not Change.ROLLBACK:
            release = self._append(release, given_up(release), reason, actor=self.actor)
        release, wait = self.drive(release)
        while wait is not None:
            time.sleep(max(0.0, (wait.until - self.clock()).total_seconds()))
            release, wait = self.drive(release)
        return release

    def drive(self, release: Release) -> tuple[Release, Wait | None]:
        """Go on until the release is over or has to wait; take it over first if another execution wrote last."""
        if release.last.writer != self.writer and not release.state.terminal:
            release = self._append(release, release.state, "resumed by another execution", actor=self.actor)
        while True:
            action = next_action(release, self.observe(release), self.clock())
            if isinstance(action, Done):
                self._settle(release)
                return release, None
            if isinstance(action, Wait):
                return release, action
            release, wait = self._perform(release, action)
            if wait is not None:
                return release, wait

    def idle(self, generation: int) -> Wait | None:
        """Look once, changing nothing: until when the release can wait, or None if its driver is needed.

        :param generation: of the newest entry when the wait began.
        """
        release = self.ledger.newest()
        if release is None or release.generation != generation:
            return None
        action = next_action(release, self.observe(release), self.clock())
        if isinstance(action, Prove) and action.passed is None and self.prover.unproven(action.version) is None:
            return pause_after_look(release, self.clock())
        return action if isinstance(action, Wait) else None

    def watched(self) -> dict[str, Any] | None:
        """What was seen during a wait, as JSON values, for whoever goes on."""
        return self.measuring.seen()

    def observe(self, release: Release) -> Observation:
        """Read the world back; aliases only when a decision needs them, so that a rollback needs no registry first."""
        versions = self.serving.versions(self.model)
        traffic = self.serving.traffic(self.model)
        failed = [v for v, state in versions.items() if state is VersionState.FAILED]
        return Observation(
            ready=frozenset(v for v, state in versions.items() if state is VersionState.READY),
            loading=frozenset(v for v, state in versions.items() if state is VersionState.LOADING),
            failed={v: self.serving.failure(self.model, v) or "no reason given" for v in failed},
            traffic=traffic,
            aliases=self.aliases() if _needs_aliases(release, traffic) else {},
            mirrored=self.serving.mirrored(self.model),
            measured=self.measuring.measure(release),
        )

    def aliases(self) -> dict[str, int]:
        """The versions that ``champion`` and ``previous`` name now."""
        return self.aliasing.found()

    def _perform(self, release: Release, action: Action) -> tuple[Release, Wait | None]:
        match action:
            case Enter():
                return self._enter(release, action), None
            case Smoke():
                return self._smoke(release, action), None
            case Prove():
                return self._prove(release, action)
            case Load():
                return self._load(release, action), None
            case Route(traffic=traffic):
                log.info("Routing %s: %s", self.endpoint, dict(traffic))
                self._fenced(release, action, lambda: self.serving.route(self.model, traffic))
            case Mirror(mirrored=mirrored):
                log.info("Mirroring %s: %s", self.endpoint, dict(mirrored))
                self._fenced(release, action, lambda: self.serving.mirror(self.model, mirrored))
            case Align(aliases=aliases):
                self._fenced(release, action, lambda: self.aliasing.align(aliases))
            case Unload(version=version):
                log.info("Retiring version %s from %s", version, self.endpoint)
                self._fenced(release, action, lambda: self.serving.unload(self.model, version))
            case Wait() | Done():
                pass
            case _:
                assert_never(action)
        return release, None

    def _settle(self, release: Release) -> None:
        """Look once more after the last entry: an effect of somebody slower may have come before it, unseen."""
        if release.last.writer != self.writer or release.state not in (State.SUCCEEDED, State.ROLLED_BACK):
            return
        try:
            wanted = release.traffic
            if wanted is not None and self.serving.traffic(self.model) != wanted:
                log.warning("A late effect moved the traffic of %s; routing it to %s", self.endpoint, dict(wanted))
                self._fenced(release, Route(wanted), lambda: self.serving.route(self.model, wanted))
        except ModelLifecycleError as error:
            log.error("The traffic of %s cannot be proven once more: %s", self.endpoint, error)

    def _fenced(self, release: Release, action: Action, effect: Callable[[], None]) -> None:
        self.ledger.require_newest(release.generation)
        effect()
        try:
            self.ledger.require_newest(release.generation)
        except Conflict:
            Late(self.serving, self.ledger, self.aliasing).mend(action)
            raise

    def _append(self, release: Release, state: State, reason: str = "", **more: Any) -> Release:
        entry = following(release.last, state, self.clock(), self.writer, reason=reason, **more)
        self.ledger.append(entry)
        log.info("%s: %s%s", release.id, state, f" - {reason}" if reason else "")
        moved = Release((*release.entries, entry))
        if state is not release.state:
            self.publishing.tell(moved)
        return moved

    def _enter(self, release: Release, action: Enter) -> Release:
        release = self._append(
            release,
            action.state,
            action.reason,
            mark=action.mark,
            step=action.step if action.state is not release.state else release.step,
            evidence=self.measuring.evidence(release, action.state),
        )
        if action.state is State.REJECTED and release.plan.change is Change.DEPLOY:
            self._drop(release.plan.target.version)
        return release

    def _drop(self, version: int) -> None:
        """Free the server of a refused version; the next release retires it if this fails."""
        try:
            traffic = self.serving.traffic(self.model)
            if self.serving.serves_first and traffic == {version: 100}:
                self.serving.route(self.model, {})  # nobody had asked for it: it was the first that was loaded
            if version not in traffic or self.serving.serves_first:
                self.serving.unload(self.model, version)
        except ModelLifecycleError as error:
            log.warning("Version %s stays loaded for now: %s", version, error)

    def _load(self, release: Release, action: Load) -> Release:
        """Stage and load; what can never succeed is the release's end, not an error of the task."""
        served, faults = action.served, []

        def effect() -> None:
            log.info("Staging version %s from %s", served.version, served.artifact_uri)
            try:
                self.serving.stage(self.model, served.version, served.artifact_uri, self.store)
                self.serving.load(self.model, served.version)
            except Rejected as error:
                faults.append(str(error))

        self._fenced(release, action, effect)
        if not faults:
            return self._append(release, release.state, f"version {served.version} staged", mark=LOADED)
        failed = State.ROLLBACK_FAILED if release.state is State.ROLLING_BACK else State.REJECTED
        return self._enter(release, Enter(failed, f"version {served.version} cannot be loaded: {faults[0]}"))

    def _smoke(self, release: Release, action: Smoke) -> Release:
        tolerance = float(release.plan.strategy.get("tolerance", TOLERANCE))
        fault = self.prover.fault(action.version, action.version, (Rejected,), tolerance)
        if fault is None:
            return self._enter(release, action.passed)
        return self._enter(
            release, Enter(action.failed, f"version {action.version} fails its smoke prediction: {fault}")
        )

    def _prove(self, release: Release, action: Prove) -> tuple[Release, Wait | None]:
        fault = self.prover.unproven(action.version)
        if fault is not None:
            reason = f"version {action.version} does not answer the endpoint: {fault}"
            return self._enter(release, Enter(action.failed, reason)), None
        self.ledger.require_newest(release.generation)
        if action.passed is None:
            return release, pause_after_look(release, self.clock())
        proof = {"answers": PROOFS, "traffic": {str(action.version): 100}}
        passed = action.passed
        evidence = {**self.measuring.evidence(release, passed.state), **proof}
        return self._append(release, passed.state, passed.reason, mark=passed.mark, evidence=evidence), None

    def _artifact(self, version: int) -> str:
        newest = self.ledger.newest()
        known = [newest.plan.target, newest.plan.fallback] if newest else []
        uri = next((one.artifact_uri for one in known if one and one.version == version), None)
        return uri or self.registry.get(ModelUri(self.model, version=version)).artifact_uri


def _needs_aliases(release: Release, traffic: Mapping[int, int]) -> bool:
    if release.state is State.ROLLING_BACK:
        return traffic == release.plan.traffic_back
    return release.state is State.SOAKING or release.plan.change is Change.PROMOTE
