"""What every serving system must do: each sentence of :class:`~model_lifecycle.hooks.serving.ServingHook` as a test.

A backend's test class inherits :class:`ServingContract` and gives it three fixtures: ``new_hook``, ``store`` and
``publish``. The server behind the hooks must be a real one, started by the backend's tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Rejected
from model_lifecycle.hooks.serving import Columns, ServingHook, VersionState
from model_lifecycle.stores.base import ModelStore

INPUTS = {"x": [1.0, 2.0], "y": [10.0, 20.0]}
"""Two rows, of which a right model makes 11 and 22 above its offset."""
MANY = 200


class Kind(StrEnum):
    """The models a backend must be able to publish for its tests; all take the columns ``x`` and ``y``, doubles."""

    RIGHT = "answers x + y + offset"
    BROKEN = "cannot be loaded"
    FAILING = "loads, and fails for every request"


NewHook = Callable[[], ServingHook]
Publish = Callable[[str, Kind, float], str]
"""Publish a model of that kind and offset under a model name in ``store``, and return the artifact URI."""

Bring = Callable[..., VersionState]


class ServingContract:
    """Inherit it, and make the three fixtures that raise here."""

    @pytest.fixture
    def new_hook(self) -> NewHook:
        """Make a hook on the server under test; each call makes another, as another worker would."""
        raise AssertionError("the backend's test class gives this fixture")

    @pytest.fixture
    def store(self) -> ModelStore:
        """The store that ``publish`` publishes into."""
        raise AssertionError("the backend's test class gives this fixture")

    @pytest.fixture
    def publish(self, store: ModelStore) -> Publish:
        """Publish the models of :class:`Kind`."""
        raise AssertionError("the backend's test class gives this fixture")

    @pytest.fixture
    def hook(self, new_hook: NewHook) -> ServingHook:
        """One hook on the server."""
        return new_hook()

    @pytest.fixture
    def model(self) -> str:
        """A model name that no other test uses."""
        return f"contract-{uuid4().hex[:12]}"

    @pytest.fixture
    def bring(self, hook: ServingHook, store: ModelStore, publish: Publish, model: str) -> Bring:
        """Publish, stage and load a version, and wait until it is READY or FAILED; its number is its offset."""

        def bring(version: int, kind: Kind = Kind.RIGHT) -> VersionState:
            hook.stage(model, version, publish(model, kind, version), store)
            hook.load(model, version)
            return settled(hook, model, version)

        return bring

    def test_a_model_that_nobody_brought_has_no_versions_and_no_traffic(self, hook: ServingHook, model: str) -> None:
        assert hook.versions(model) == {}
        assert hook.traffic(model) == {}
        assert hook.failure(model, 1) is None

    def test_a_staged_version_answers_nothing_yet(
        self, hook: ServingHook, store: ModelStore, publish: Publish, model: str
    ) -> None:
        hook.stage(model, 1, publish(model, Kind.RIGHT, 1), store)
        assert hook.versions(model) == {}
        for version in (1, None):
            with pytest.raises(NotFound):
                hook.predict(model, INPUTS, version)

    def test_staging_twice_and_from_several_workers_at_once_is_staging_once(
        self, new_hook: NewHook, hook: ServingHook, store: ModelStore, publish: Publish, model: str
    ) -> None:
        uri = publish(model, Kind.RIGHT, 1)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: new_hook().stage(model, 1, uri, store), range(4)))
        hook.load(model, 1)
        assert settled(hook, model, 1) is VersionState.READY
        hook.stage(model, 1, uri, store)
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_another_artifact_under_a_staged_version_is_a_conflict(
        self, hook: ServingHook, store: ModelStore, publish: Publish, model: str, bring: Bring
    ) -> None:
        bring(1)
        with pytest.raises(Conflict):
            hook.stage(model, 1, publish(model, Kind.RIGHT, 7), store)
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_a_loaded_version_is_ready_and_answers_when_it_is_asked_for(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        assert bring(1) is VersionState.READY
        assert hook.versions(model) == {1: VersionState.READY}
        assert hook.failure(model, 1) is None
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_a_loaded_version_has_no_traffic_of_itself(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        assert hook.traffic(model) == {}
        with pytest.raises(NotFound):
            hook.predict(model, INPUTS)

    def test_loading_twice_is_loading_once(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        hook.load(model, 1)
        assert settled(hook, model, 1) is VersionState.READY

    def test_a_version_that_cannot_be_loaded_is_failed_with_a_reason_and_the_old_one_serves(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        assert bring(2, Kind.BROKEN) is VersionState.FAILED
        assert hook.failure(model, 2)
        assert hook.versions(model)[1] is VersionState.READY
        assert values(hook, model) == [12.0, 23.0]
        with pytest.raises(NotFound):
            hook.predict(model, INPUTS, 2)
        with pytest.raises(Conflict):
            hook.route(model, {2: 100})
        assert hook.traffic(model) == {1: 100}

    def test_a_failed_version_can_be_unloaded(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(2, Kind.BROKEN)
        hook.unload(model, 2)
        assert hook.versions(model) == {}
        assert hook.failure(model, 2) is None

    def test_a_version_that_was_not_staged_is_not_found(self, hook: ServingHook, model: str) -> None:
        with pytest.raises(NotFound):
            hook.load(model, 1)

    def test_a_model_that_fails_for_a_request_is_refused_and_not_tried_for_ever(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        assert bring(2, Kind.FAILING) is VersionState.READY
        with pytest.raises(Rejected):
            hook.predict(model, INPUTS, 2)
        assert values(hook, model) == [12.0, 23.0]

    def test_an_unloaded_version_is_forgotten(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        hook.unload(model, 1)
        assert hook.versions(model) == {}
        with pytest.raises(NotFound):
            hook.predict(model, INPUTS, 1)

    def test_unloading_what_is_not_loaded_does_nothing(self, hook: ServingHook, model: str, bring: Bring) -> None:
        hook.unload(model, 1)
        bring(1)
        hook.unload(model, 2)
        hook.unload(model, 1)
        hook.unload(model, 1)
        assert hook.versions(model) == {}

    def test_an_unloaded_version_can_be_loaded_again(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        hook.unload(model, 1)
        hook.load(model, 1)
        assert settled(hook, model, 1) is VersionState.READY
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_a_version_with_traffic_is_not_unloaded(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        hook.route(model, {1: 100})
        with pytest.raises(Conflict):
            hook.unload(model, 1)
        assert values(hook, model) == [12.0, 23.0]

    def test_the_answer_says_which_version_it_is_from(self, hook: ServingHook, model: str, bring: Bring) -> None:
        for version in (1, 2):
            bring(version)
        hook.route(model, {2: 100})
        assert hook.predict(model, INPUTS, 1).version in (1, None)
        assert hook.predict(model, INPUTS).version in (2, None)

    @pytest.mark.parametrize(
        ("inputs", "column"),
        [
            ({"x": [1.0]}, "y"),
            ({"x": [1.0], "y": [1.0], "z": [1.0]}, "z"),
            ({"x": [1.0], "y": ["ten"]}, "y"),
            ({"x": [1.0], "y": [1.0, 2.0]}, "y"),
            ({"x": [1.0], "y": [None]}, "y"),
            ({"x": [1.0], "y": [float("inf")]}, "y"),
        ],
    )
    def test_inputs_that_the_model_does_not_take_are_refused_with_the_columns_name(
        self, hook: ServingHook, model: str, bring: Bring, inputs: Columns, column: str
    ) -> None:
        bring(1)
        with pytest.raises(Invalid, match=rf"\b{column}\b"):
            hook.predict(model, inputs, 1)

    def test_traffic_moves_as_a_whole_and_is_read_back(self, hook: ServingHook, model: str, bring: Bring) -> None:
        for version in (1, 2):
            bring(version)
        for version in (1, 2, 2, 1):
            hook.route(model, {version: 100})
            assert hook.traffic(model) == {version: 100}
            assert {tuple(values(hook, model)) for _ in range(10)} == {(11.0 + version, 22.0 + version)}

    def test_without_traffic_nothing_answers_but_pinned_requests_do(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        hook.route(model, {})
        assert hook.traffic(model) == {}
        with pytest.raises(NotFound):
            hook.predict(model, INPUTS)
        assert values(hook, model, 1) == [12.0, 23.0]
        hook.unload(model, 1)
        assert hook.versions(model) == {}

    def test_traffic_to_a_version_that_is_not_ready_is_a_conflict_and_the_old_traffic_stays(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        with pytest.raises(Conflict):
            hook.route(model, {1: 100})
        bring(1)
        hook.route(model, {1: 100})
        with pytest.raises(Conflict):
            hook.route(model, {9: 100})
        assert hook.traffic(model) == {1: 100}
        assert values(hook, model) == [12.0, 23.0]

    @pytest.mark.parametrize(
        "traffic", [{1: 99}, {1: 101}, {1: 60, 2: 60}, {1: 150, 2: -50}, {1: 0}, {1: 99.5, 2: 0.5}]
    )
    def test_traffic_that_does_not_sum_to_100_is_invalid_and_the_old_traffic_stays(
        self, hook: ServingHook, model: str, bring: Bring, traffic: dict[int, int]
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        with pytest.raises(Invalid):
            hook.route(model, traffic)
        assert hook.traffic(model) == {1: 100}

    def test_a_backend_splits_traffic_or_says_that_it_cannot_before_anything_changes(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        if not hook.can_split:
            with pytest.raises(Invalid):
                hook.route(model, {1: 75, 2: 25})
            assert hook.traffic(model) == {1: 100}
            return
        hook.route(model, {1: 75, 2: 25})
        assert hook.traffic(model) == {1: 75, 2: 25}
        answers = [values(hook, model) for _ in range(MANY)]
        # A fair coin of 25 per cent leaves these bounds less than once in ten million times.
        assert 0.09 * MANY < answers.count([13.0, 24.0]) < 0.44 * MANY
        assert answers.count([12.0, 23.0]) + answers.count([13.0, 24.0]) == MANY

    def test_counts_hold_every_request_of_each_version_or_nothing_is_counted(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        bring(2)
        bring(3, Kind.FAILING)
        if not hook.counts_requests:
            assert hook.counts(model) == {}
            return
        # What was asked to bring them here may have been counted as well.
        before = hook.counts(model)
        for version, times in ((None, 7), (2, 2)):
            for _ in range(times):
                hook.predict(model, INPUTS, version)
        for _ in range(3):
            with pytest.raises(Rejected):
                hook.predict(model, INPUTS, 3)
        after = counted(hook, model, before, {1: 7, 2: 2, 3: 3})
        assert {version: one.requests for version, one in after.items()} == {1: 7, 2: 2, 3: 3}
        assert {version: one.errors + one.refused for version, one in after.items()} == {1: 0, 2: 0, 3: 3}
        assert all(sum(one.latency.values()) == one.requests for one in after.values())

    def test_a_backend_mirrors_requests_or_says_that_it_cannot(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        bring(2)
        if not hook.can_mirror:
            with pytest.raises(Invalid):
                hook.mirror(model, {2: 100})
            hook.mirror(model, {})
            assert hook.mirrored(model) == {}
            return
        with pytest.raises(Conflict):
            hook.mirror(model, {9: 100})
        before = hook.counts(model)
        hook.mirror(model, {2: 100})
        assert (hook.mirrored(model), hook.traffic(model)) == ({2: 100}, {1: 100})
        assert {tuple(values(hook, model)) for _ in range(10)} == {(12.0, 23.0)}
        assert counted(hook, model, before, {1: 10, 2: 10})[2].requests == 10
        with pytest.raises(Conflict):
            hook.unload(model, 2)
        hook.mirror(model, {})
        assert hook.mirrored(model) == {}
        assert values(hook, model) == [12.0, 23.0]

    def test_what_one_worker_did_another_one_sees(self, new_hook: NewHook, model: str, bring: Bring) -> None:
        bring(1)
        new_hook().route(model, {1: 100})
        other = new_hook()
        assert other.versions(model) == {1: VersionState.READY}
        assert other.traffic(model) == {1: 100}

    def test_models_do_not_disturb_each_other(
        self, hook: ServingHook, store: ModelStore, publish: Publish, model: str, bring: Bring
    ) -> None:
        other = f"{model}-b"
        bring(1)
        hook.stage(other, 1, publish(other, Kind.RIGHT, 50), store)
        hook.load(other, 1)
        settled(hook, other, 1)
        hook.route(other, {1: 100})
        assert hook.traffic(model) == {}
        hook.route(model, {1: 100})
        assert (values(hook, model), values(hook, other)) == ([12.0, 23.0], [61.0, 72.0])

    @pytest.mark.parametrize("name", ["../other", "a/b", "a%2Fb", "", ".hidden", "a b", "a?b"])
    def test_a_name_outside_the_allow_list_is_invalid_in_every_verb(
        self, hook: ServingHook, store: ModelStore, name: str
    ) -> None:
        verbs: list[Callable[[], Any]] = [
            lambda: hook.stage(name, 1, "file:///nowhere", store),
            lambda: hook.load(name, 1),
            lambda: hook.unload(name, 1),
            lambda: hook.versions(name),
            lambda: hook.predict(name, INPUTS),
            lambda: hook.traffic(name),
            lambda: hook.route(name, {1: 100}),
        ]
        for verb in verbs:
            with pytest.raises(Invalid):
                verb()


def settled(hook: ServingHook, model: str, version: int, timeout: float = 60.0) -> VersionState:
    """The state of a version once it is no longer LOADING."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state = hook.versions(model).get(version)
        if state in (VersionState.READY, VersionState.FAILED):
            return state
        time.sleep(0.05)
    raise AssertionError(f"version {version} of {model} is not loaded after {timeout:.0f} s")


def counted(
    hook: ServingHook, model: str, before: Mapping[int, Counts], expected: Mapping[int, int], timeout: float = 10.0
) -> dict[int, Counts]:
    """What each version was asked since ``before``, as soon as that is as expected: a count may come late."""
    deadline = time.monotonic() + timeout
    while True:
        after = {version: one.since(before.get(version, Counts())) for version, one in hook.counts(model).items()}
        if {version: one.requests for version, one in after.items()} == expected or time.monotonic() > deadline:
            return after
        time.sleep(0.05)


def values(hook: ServingHook, model: str, version: int | None = None) -> list[float]:
    """The first output for :data:`INPUTS`."""
    answer = hook.predict(model, INPUTS, version)
    return [float(value) for value in next(iter(answer.outputs.values()))]
