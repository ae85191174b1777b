"""What every router must do: each sentence of :class:`~model_lifecycle.hooks.router.RouterHook` as a test.

A router's test class inherits :class:`RouterContract` and gives it two fixtures: ``process``, a real router of its
own, and ``new_hook``. The versions behind it are tiny real HTTP servers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any, Protocol
from uuid import uuid4

import pytest

from model_lifecycle.core.counts import BUCKETS, Counts
from model_lifecycle.core.errors import Conflict, Invalid, Unavailable
from model_lifecycle.hooks.router import RouterHook
from model_lifecycle.testing.small_backends import Callers, Reply, SmallBackend, ask

log = logging.getLogger(__name__)

REQUESTS = 5000
POINTS = 0.02
"""How far a share of :data:`REQUESTS` may be from what was asked for; a fair fifth is nearer 9,995 times in 10,000."""
SWITCHES = 40


class RouterProcess(Protocol):
    """The router under test; it keeps its port and its files over restarts."""

    port: int

    def start(self) -> object:
        """Start it and wait until it answers."""

    def stop(self) -> None:
        """End it properly."""

    def kill(self) -> None:
        """SIGKILL."""


NewHook = Callable[[], RouterHook]
Serve = Callable[..., SmallBackend]


class RouterContract:
    """Inherit it, and make the two fixtures that raise here."""

    @pytest.fixture
    def process(self) -> RouterProcess:
        """A running router that only this class uses: its tests restart it."""
        raise AssertionError("the router's test class gives this fixture")

    @pytest.fixture
    def new_hook(self, process: RouterProcess) -> NewHook:
        """Make a hook on the router under test; each call makes another, as another worker would."""
        raise AssertionError("the router's test class gives this fixture")

    @pytest.fixture
    def hook(self, new_hook: NewHook) -> RouterHook:
        """One hook on the router."""
        return new_hook()

    @pytest.fixture
    def model(self) -> str:
        """A model name that no other test uses."""
        return f"contract.{uuid4().hex[:12]}"

    @pytest.fixture
    def serve(self) -> Iterator[Serve]:
        """Start a version's own server; all end with the test."""
        servers: list[SmallBackend] = []

        def serve(version: int, **options: Any) -> SmallBackend:
            servers.append(SmallBackend(version, **options))
            return servers[-1]

        yield serve
        for server in servers:
            server.stop()

    @pytest.fixture
    def bring(self, hook: RouterHook, serve: Serve, model: str) -> Serve:
        """Start a version's own server and attach it."""

        def bring(version: int, **options: Any) -> SmallBackend:
            server = serve(version, **options)
            hook.attach(model, version, server.url)
            return server

        return bring

    @pytest.fixture
    def call(self, process: RouterProcess, model: str) -> Callable[..., Reply]:
        """Ask as a caller does, once."""

        def call(version: object = None, path: str = f"/v2/models/{model}/infer") -> Reply:
            return ask(process.port, path, version=version)

        return call

    def test_the_connection_can_be_tested(self, hook: RouterHook) -> None:
        good, said = hook.test_connection()
        assert good, said

    def test_a_model_that_nobody_attached_has_nothing(
        self, hook: RouterHook, model: str, call: Callable[..., Reply]
    ) -> None:
        assert hook.backends(model) == {}
        assert hook.traffic(model) == {}
        assert hook.mirrored(model) == {}
        assert hook.counts(model) == {}
        assert hook.in_flight(model, 1) == 0
        assert (call().status, call(1).status) == (404, 404)

    def test_an_attached_version_answers_under_its_header_and_gets_no_other_request(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        server = bring(1)
        assert hook.backends(model) == {1: server.url}
        assert hook.traffic(model) == {}
        assert call(1).version == 1
        assert call().status == 404
        assert server.asked == 1

    def test_a_version_is_asked_at_its_own_path_whichever_way_callers_ask(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        server = bring(1, path="/v1/deep/er/predict:x")
        hook.route(model, {1: 100})
        for path in (f"/{model}", f"/v2/models/{model}/infer", f"/predictions/{model}", f"/{model}?a=b"):
            assert call(path=path).version == 1, path
            assert call(1, path=path).version == 1, path
        assert {each["host"] for each in server.headers} == {f"127.0.0.1:{server.port}"}

    @pytest.mark.parametrize("path", ["/", "/{0}/", "/{0}/x", "/v2/models/{0}", "/predictions/{0}/1", "/x{0}", "//{0}"])
    def test_other_paths_are_not_found(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply], path: str
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        assert call(path=path.format(model)).status == 404

    @pytest.mark.parametrize("pin", ["2", "0", "", "1/", "../1", "01", "1,1", "1 ", "x", "%31", "1;", "9" * 400])
    def test_a_pin_to_what_is_not_attached_is_answered_404_and_reaches_nobody(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply], pin: str
    ) -> None:
        server = bring(1)
        hook.route(model, {1: 100})
        reply = call(pin)
        if pin.strip() == "1":  # HTTP takes the blanks away
            assert reply.version == 1
            return
        assert reply.status == 404
        assert b"not attached" in reply.body
        assert server.asked == 0

    def test_the_longest_name_and_many_versions_are_routed(
        self, process: RouterProcess, hook: RouterHook, model: str, serve: Serve
    ) -> None:
        longest, server = model + "-" * (127 - len(model)) + "x", serve(1)
        for version in (1, 999_999_999_999):
            hook.attach(longest, version, server.url)
        hook.route(longest, {1: 50, 999_999_999_999: 50})
        assert {ask(process.port, f"/{longest}").body for _ in range(4)} == {b"1 2"}
        assert sum(counts.requests for counts in hook.counts(longest).values()) == 4

    def test_a_name_that_another_begins_with_is_another_model(
        self, hook: RouterHook, model: str, bring: Serve, serve: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1)
        other = serve(2)
        hook.attach(f"{model}x", 2, other.url)
        hook.attach(model.replace(".", "_"), 2, other.url)
        hook.route(model, {1: 100})
        hook.route(f"{model}x", {2: 100})
        assert list(hook.backends(model)) == [1]
        assert call().version == 1
        assert call(path=f"/{model}x").version == 2
        assert call(path=f"/{model.replace('.', '_')}").status == 404  # a dot in a name is a dot

    def test_attaching_elsewhere_moves_the_version_also_under_traffic(
        self, process: RouterProcess, hook: RouterHook, model: str, serve: Serve
    ) -> None:
        places = [serve(1, path="/a"), serve(1, path="/b")]
        hook.attach(model, 1, places[0].url)
        hook.route(model, {1: 100})
        with Callers(process.port, f"/{model}") as callers:
            for place in (1, 0, 1, 0, 1):
                hook.attach(model, 1, places[place].url)
                assert hook.backends(model) == {1: places[place].url}
                callers.go_on()
        assert callers.faults == []
        assert set(callers.versions) == {1}
        assert all(place.asked for place in places)
        assert hook.counts(model)[1].requests == len(callers.replies)

    @pytest.mark.parametrize(
        "url",
        ["", "host:1/x", "https://h:1/x", "http://h/x", "http://h:1", "http://u:p@h:1/x", "http://h:1/x?y",
         "http://h:1/a b", "http://h:1/a\nset", "http://h:1/a;b", "http://h:1/%0a", "http://h:99999/x"],
    )  # fmt: skip
    def test_a_url_of_another_form_is_invalid(self, hook: RouterHook, model: str, url: str) -> None:
        with pytest.raises(Invalid):
            hook.attach(model, 1, url)
        assert hook.backends(model) == {}

    def test_a_detached_version_is_forgotten(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1)
        hook.detach(model, 1)
        assert hook.backends(model) == {}
        assert call(1).status == 404
        hook.detach(model, 1)
        hook.detach(model, 7)
        assert hook.backends(model) == {}

    def test_a_version_with_traffic_is_not_detached(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 99, 2: 1})
        for version in (1, 2):
            with pytest.raises(Conflict):
                hook.detach(model, version)
        assert sorted(hook.backends(model)) == [1, 2]
        hook.route(model, {1: 100})
        hook.detach(model, 2)
        assert call().version == 1

    def test_traffic_to_what_is_not_attached_is_a_conflict_and_the_old_traffic_stays(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        with pytest.raises(Conflict):
            hook.route(model, {1: 100})
        bring(1)
        hook.route(model, {1: 100})
        for traffic in ({9: 100}, {1: 50, 9: 50}):
            with pytest.raises(Conflict):
                hook.route(model, traffic)
        assert hook.traffic(model) == {1: 100}
        assert call().version == 1

    @pytest.mark.parametrize(
        "traffic", [{1: 99}, {1: 101}, {1: 60, 2: 60}, {1: 150, 2: -50}, {1: 0}, {1: 99.5, 2: 0.5}, {1: True, 2: 99}]
    )
    def test_traffic_that_does_not_sum_to_100_is_invalid_and_the_old_traffic_stays(
        self, hook: RouterHook, model: str, bring: Serve, traffic: dict[int, int]
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        with pytest.raises(Invalid):
            hook.route(model, traffic)
        assert hook.traffic(model) == {1: 100}

    def test_every_whole_per_cent_is_read_back_as_it_was_set(self, hook: RouterHook, model: str, bring: Serve) -> None:
        bring(1)
        bring(2)
        for traffic in ({1: 99, 2: 1}, {1: 1, 2: 99}, {1: 50, 2: 50}, {1: 100}, {2: 100}):
            hook.route(model, traffic)
            assert hook.traffic(model) == traffic
        hook.route(model, {1: 100, 2: 0})
        assert hook.traffic(model) == {1: 100}

    def test_ended_traffic_is_answered_404_and_pins_go_on(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1)
        hook.route(model, {1: 100})
        for _ in range(2):
            hook.route(model, {})
            assert hook.traffic(model) == {}
        assert call().status == 404
        assert call(1).version == 1

    @pytest.mark.parametrize("percent", [5, 20])
    def test_a_split_is_within_two_points_of_what_was_asked_for(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve, percent: int
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100 - percent, 2: percent})
        versions = many(process.port, model, REQUESTS)
        assert set(versions) == {1, 2}
        share = versions.count(2) / REQUESTS
        log.info("%s %% asked for: %.2f %% of %s", percent, share * 100, REQUESTS)
        assert abs(share - percent / 100) <= POINTS

    def test_more_than_two_versions_share_the_traffic_or_are_refused_before_anything_changes(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        for version in (1, 2, 3):
            bring(version)
        hook.route(model, {1: 100})
        try:
            hook.route(model, {1: 20, 2: 30, 3: 50})
        except Invalid:
            assert hook.traffic(model) == {1: 100}
            return
        assert hook.traffic(model) == {1: 20, 2: 30, 3: 50}
        versions = many(process.port, model, REQUESTS)
        for version, share in ((1, 0.2), (2, 0.3), (3, 0.5)):
            # The share of a half varies more: half as much again leaves a chance of 2 in 100,000.
            assert abs(versions.count(version) / REQUESTS - share) <= 1.5 * POINTS

    def test_traffic_moves_under_load_without_one_failed_request(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 100})
        steps = ({1: 95, 2: 5}, {1: 50, 2: 50}, {2: 100}, {1: 100})
        with Callers(process.port, f"/v2/models/{model}/infer") as callers:
            for number in range(SWITCHES):
                hook.route(model, steps[number % len(steps)])
                callers.go_on(10)
        told = (SWITCHES, len(callers.replies), len(callers.faults), dict(callers.versions))
        log.info("%s switches: %s answers, %s failed, %s", *told)
        assert callers.faults == []
        assert set(callers.versions) == {1, 2}

    def test_after_a_switch_every_new_request_goes_to_the_new_version(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2)
        for number in range(20):
            hook.route(model, {number % 2 + 1: 100})
            assert set(many(process.port, model, 5)) == {number % 2 + 1}

    def test_a_request_in_flight_is_answered_although_its_version_is_detached_meanwhile(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1, delay=1.0)
        assert hook.in_flight(model, 1) == 0
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(call, 1)
            wait_until(lambda: hook.in_flight(model, 1) == 1)
            hook.detach(model, 1)
            assert hook.backends(model) == {}
            assert answer.result().version == 1
        wait_until(lambda: hook.in_flight(model, 1) == 0)

    def test_counts_are_right_to_the_last_request(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        for version, status in ((1, 200), (2, 500), (3, 422)):
            bring(version, status=status)
        hook.route(model, {1: 100})
        assert [counted(hook, model, version) for version in (1, 2, 3)] == [(0, 0, 0)] * 3
        many(process.port, model, 50)
        for version in (2, 2, 2, 3, 3):
            call(version)
        assert [counted(hook, model, version) for version in (1, 2, 3)] == [(50, 0, 0), (3, 3, 0), (2, 0, 2)]
        for version in (1, 2, 3):
            counts = hook.counts(model)[version]
            assert tuple(counts.latency) == BUCKETS
            assert sum(counts.latency.values()) == counts.requests

    def test_counts_under_load_are_what_the_callers_counted(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        bring(2)
        hook.route(model, {1: 50, 2: 50})
        with Callers(process.port, f"/{model}") as callers:
            seen = [hook.counts(model) for _ in range(20)]
            callers.go_on(200)
        counts = hook.counts(model)
        assert {version: counts[version].requests for version in (1, 2)} == dict(callers.versions)
        for before, after in pairwise(seen):
            assert all(after[version].requests >= before[version].requests for version in (1, 2))

    def test_latency_is_counted_in_its_class(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        server = bring(1, delay=0.25)
        call(1)
        server.delay = 1.1
        call(1)
        # Twice the delay is allowed for a busy machine; a class that is off by a factor is not.
        latency = {bound: count for bound, count in hook.counts(model)[1].latency.items() if count}
        assert sum(latency.values()) == 2
        assert set(latency) <= {0.3, 0.5, 1.5, 2.0}
        assert min(latency) < 1 < max(latency)

    def test_a_dead_version_is_an_error_in_its_name_and_is_counted(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1)
        bring(2).stop()
        hook.route(model, {1: 100})
        for _ in range(3):
            reply = call(2)
            assert (reply.status, reply.header) == (503, "2")
            assert reply.body.startswith(b"{")
        assert call().version == 1
        assert counted(hook, model, 2) == (3, 3, 0)

    def test_a_version_that_hangs_up_is_an_error_and_is_counted(
        self, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply]
    ) -> None:
        bring(1, status=0)
        reply = call(1)
        assert reply.status in (502, 503)
        assert reply.header == "1"
        assert counted(hook, model, 1) == (1, 1, 0)

    def test_a_request_whose_caller_hung_up_is_counted(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1, delay=1.0)
        caller = HTTPConnection("127.0.0.1", process.port, timeout=0.3)
        caller.request("POST", f"/{model}", b"{}", {"x-model-version": "1"})
        with pytest.raises(TimeoutError):
            caller.getresponse()
        caller.close()
        wait_until(lambda: hook.counts(model)[1].requests == 1)
        wait_until(lambda: hook.in_flight(model, 1) == 0)

    def test_a_large_request_arrives_whole(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        bring(1)
        caller = HTTPConnection("127.0.0.1", process.port, timeout=30)
        caller.request("POST", f"/{model}", b"x" * 3_000_000, {"x-model-version": "1"})
        assert caller.getresponse().read() == b"1 3000000"
        caller.close()

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_versions_and_traffic_outlive_the_router_and_counts_begin_again(
        self, process: RouterProcess, hook: RouterHook, model: str, bring: Serve, call: Callable[..., Reply], end: str
    ) -> None:
        servers = {version: bring(version) for version in (1, 2, 3)}
        hook.route(model, {1: 75, 2: 25})
        hook.detach(model, 3)
        many(process.port, model, 10)
        getattr(process, end)()
        process.start()
        assert hook.backends(model) == {version: servers[version].url for version in (1, 2)}
        assert hook.traffic(model) == {1: 75, 2: 25}
        assert sum(counts.requests for counts in hook.counts(model).values()) == 0
        assert (call(1).version, call(2).version, call(3).status) == (1, 2, 404)

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_a_router_that_is_down_is_unavailable_and_nothing_changes(
        self, process: RouterProcess, new_hook: NewHook, hook: RouterHook, model: str, bring: Serve, end: str
    ) -> None:
        server = bring(1)
        hook.route(model, {1: 100})
        getattr(process, end)()
        try:
            hook = new_hook()
            with ThreadPoolExecutor(8) as pool:
                ends = [pool.submit(verb) for verb in verbs(hook, model, server.url)]
            assert [type(end.exception()) for end in ends] == [Unavailable] * len(ends)
            assert hook.test_connection()[0] is False
        finally:
            process.start()
        assert (hook.backends(model), hook.traffic(model)) == ({1: server.url}, {1: 100})

    def test_workers_that_change_different_models_at_once_lose_nothing(
        self, new_hook: NewHook, hook: RouterHook, model: str, serve: Serve
    ) -> None:
        server = serve(1)

        def work(number: int) -> None:
            own, name = new_hook(), f"{model}-{number}"
            for version in (1, 2, 3):
                own.attach(name, version, server.url)
                own.route(name, {version: 100})
            own.detach(name, 1)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        for number in range(6):
            assert sorted(hook.backends(f"{model}-{number}")) == [2, 3]
            assert hook.traffic(f"{model}-{number}") == {3: 100}

    def test_workers_that_change_one_model_at_once_leave_what_one_of_them_wanted(
        self, process: RouterProcess, new_hook: NewHook, hook: RouterHook, model: str, bring: Serve
    ) -> None:
        for version in (1, 2, 3):
            bring(version)
        wanted = [{1: 100}, {1: 50, 2: 50}, {2: 100}, {2: 10, 3: 90}, {3: 100}]
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda traffic: new_hook().route(model, traffic), wanted))
        assert hook.traffic(model) in wanted
        assert set(many(process.port, model, 200)) == set(hook.traffic(model))

    @pytest.mark.parametrize(
        "name",
        ["", ".", "../x", "a/b", "a b", "a%0ab", "a\nb", "a\r\nx: y", "a;show info", "a|b", "a#b", "a?b", "a\\b",
         "a'b", 'a"b', "ä", "-a", "a" * 129, "a\x00b", "${HOME}", "(a)", "a*"],
    )  # fmt: skip
    def test_a_name_outside_the_allow_list_is_invalid_in_every_verb(self, hook: RouterHook, name: str) -> None:
        for verb in verbs(hook, name, "http://127.0.0.1:1/x"):
            with pytest.raises(Invalid):
                verb()

    @pytest.mark.parametrize("version", [0, -1, "1", "1; show info", 1.5, True, None])
    def test_a_version_that_is_no_positive_whole_number_is_invalid(
        self, hook: RouterHook, model: str, version: Any
    ) -> None:
        for verb in (
            lambda: hook.attach(model, version, "http://127.0.0.1:1/x"),
            lambda: hook.detach(model, version),
            lambda: hook.in_flight(model, version),
        ):
            with pytest.raises(Invalid):
                verb()

    def test_a_router_that_cannot_mirror_says_so(self, hook: RouterHook, model: str, bring: Serve) -> None:
        bring(1)
        hook.route(model, {1: 100})
        hook.mirror(model, {})
        if not hook.can_mirror:
            with pytest.raises(Invalid):
                hook.mirror(model, {1: 100})
        assert hook.mirrored(model) == {}


def verbs(hook: RouterHook, model: str, url: str) -> list[Callable[[], object]]:
    """Every verb of a router once, each good for version 1."""
    return [
        lambda: hook.backends(model),
        lambda: hook.attach(model, 1, url),
        lambda: hook.detach(model, 2),
        lambda: hook.traffic(model),
        lambda: hook.route(model, {1: 100}),
        lambda: hook.route(model, {}),
        lambda: hook.in_flight(model, 1),
        lambda: hook.counts(model),
    ]


def many(port: int, model: str, count: int) -> list[int | None]:
    """The versions that answered so many requests over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return [ask(port, f"/{model}", connection=connection).version for _ in range(count)]
    finally:
        connection.close()


def counted(hook: RouterHook, model: str, version: int) -> tuple[int, int, int]:
    """Requests, errors and refused requests of one version; a version that was never asked may be missing."""
    counts = hook.counts(model).get(version, Counts())
    return counts.requests, counts.errors, counts.refused


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what comes a moment later."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError("it did not come true")
        time.sleep(0.02)
