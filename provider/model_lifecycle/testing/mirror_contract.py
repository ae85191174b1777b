"""What a router that can mirror must do: the sentences on mirroring of ``RouterHook`` as tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model_lifecycle.core.errors import Conflict, Invalid
from model_lifecycle.hooks.router import RouterHook
from model_lifecycle.testing.router_contract import (
    RouterContract,
    RouterProcess,
    Serve,
    counted,
    many,
    wait_until,
)
from model_lifecycle.testing.small_backends import Callers, Reply

COPIES = 1000


class MirrorContract(RouterContract):
    """Inherit it instead of :class:`RouterContract` where ``can_mirror`` is true."""

    def test_every_request_is_copied_to_the_shadow_at_its_own_path_and_callers_see_nothing_of_it(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1, path="/one")
        shadow = bring(2, path="/two/infer")
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        assert hook.mirrored(model) == {2: 100}
        assert hook.traffic(model) == {1: 100}
        assert many(process.port, model, 100) == [1] * 100
        wait_until(lambda: counted(hook, model, 2) == (100, 0, 0))
        assert counted(hook, model, 1) == (100, 0, 0)
        assert shadow.asked == 100
        assert {each["host"] for each in shadow.headers} == {f"127.0.0.1:{shadow.port}"}

    def test_half_of_the_requests_are_copied(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 50})
        assert many(process.port, model, COPIES) == [1] * COPIES
        wait_until(lambda: hook.in_flight(model, 2) == 0)
        # A fair coin leaves these bounds less than once in a hundred thousand times.
        assert 0.43 * COPIES < hook.counts(model)[2].requests < 0.57 * COPIES

    def test_a_split_is_mirrored_as_a_whole_and_pinned_requests_are_not(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        for version in (1, 2, 3):
            bring(version)
        hook.mirror(model, {})
        hook.route(model, {1: 50, 2: 50})
        hook.mirror(model, {3: 100})
        assert set(many(process.port, model, 100)) == {1, 2}
        assert call(1).version == 1
        wait_until(lambda: counted(hook, model, 3) == (100, 0, 0))
        hook.route(model, {1: 90, 2: 10})
        assert hook.mirrored(model) == {3: 100}

    def test_a_dead_shadow_does_not_disturb_callers(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2).stop()
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        with Callers(process.port, f"/{model}") as callers:
            callers.go_on(200)
        assert callers.faults == []
        assert set(callers.versions) == {1}
        wait_until(lambda: hook.counts(model)[2].errors == len(callers.replies))
        assert counted(hook, model, 1) == (len(callers.replies), 0, 0)

    def test_a_slow_shadow_does_not_hold_callers_up(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        shadow = bring(2, delay=5.0)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        assert many(process.port, model, 20) == [1] * 20
        assert counted(hook, model, 1) == (20, 0, 0)
        # All callers have their answers while the shadow has given none: nobody waited for it.
        assert hook.counts(model)[2].requests == 0
        wait_until(lambda: shadow.asked == 20)

    def test_a_shadow_that_fails_does_not_count_against_the_version_that_answers(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2, status=500)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        assert many(process.port, model, 10) == [1] * 10
        wait_until(lambda: counted(hook, model, 2) == (10, 10, 0))
        assert counted(hook, model, 1) == (10, 0, 0)

    def test_ended_mirroring_copies_nothing(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        shadow = bring(2)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        for _ in range(2):
            hook.mirror(model, {})
            assert hook.mirrored(model) == {}
        many(process.port, model, 20)
        assert shadow.asked == 0

    def test_a_shadow_is_not_detached(self, hook: RouterHook, model: str, bring: Serve) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 100})
        with pytest.raises(Conflict):
            hook.detach(model, 2)
        hook.mirror(model, {})
        hook.detach(model, 2)
        assert list(hook.backends(model)) == [1]

    def test_mirroring_to_what_is_not_attached_is_a_conflict(self, hook: RouterHook, model: str, bring: Serve) -> None:
        bring(1)
        hook.route(model, {1: 100})
        with pytest.raises(Conflict):
            hook.mirror(model, {2: 100})
        assert hook.mirrored(model) == {}

    @pytest.mark.parametrize("mirrored", [{1: 50, 2: 50}, {2: 101}, {2: -1}, {2: 0.5}, {2: True}])
    def test_mirroring_that_is_no_one_version_with_whole_per_cent_is_invalid(
        self, hook: RouterHook, model: str, bring: Serve, mirrored: dict[int, int]
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        with pytest.raises(Invalid):
            hook.mirror(model, mirrored)
        assert hook.mirrored(model) == {}

    def test_mirroring_outlives_the_router(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        hook.mirror(model, {2: 30})
        process.kill()
        process.start()
        assert (hook.traffic(model), hook.mirrored(model)) == ({1: 100}, {2: 30})
