"""A thousand waits in one triggerer: what they cost it, and how late it answers.

The triggerer is Airflow's own, supervisor and runner, each in a process of its own; only the table of triggers and of
what came of them is this file's, so that nobody runs tasks meanwhile. The triggers are those that our sensors and a
canary hand over, and they ask a real Prometheus, a real MLflow, a scorer, and the ledgers and verdicts of a store.
Connections come from the environment; from Airflow's database each costs one question to the supervisor more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import mean
from threading import Thread
from typing import Any, ClassVar, TextIO

from airflow.executors import workloads
from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.triggers.base import BaseTrigger, TriggerEvent
from psutil import Process

from model_lifecycle.core.release import following
from model_lifecycle.core.strategy import Canary
from model_lifecycle.core.windows import parse_start, verdict_folder, window_id
from model_lifecycle.hooks.store import open_store
from model_lifecycle.sensors.drift import ModelDriftSensor
from model_lifecycle.sensors.health import ModelHealthSensor
from model_lifecycle.sensors.version import ModelVersionSensor
from tests.benchmarks.measure import line
from tests.operators.life import Life, context
from tests.servers.mlflow import MlflowServer
from tests.servers.prometheus import Prometheus
from tests.servers.scorer import ScorerServer

IDLE, PROBED = 10.0, 0.05
MONTH = "2013-02-01T00:00:00+00:00"
CONDITIONS = ("health", "verdict", "version", "release")
MODELS = tuple(f"model-{number}" for number in range(4))


class Probe(BaseTrigger):
    """Sleeps again and again for as long as it is told to, and tells how much longer it slept than it wanted."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.benchmarks.bench_waits.Probe", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        lags, end = [], time.monotonic() + self.seconds
        while (began := time.monotonic()) < end:
            await asyncio.sleep(PROBED)
            lags.append(time.monotonic() - began - PROBED)
        yield TriggerEvent(lags)


@dataclass
class Triggerer:
    """Airflow's triggerer without its tables: triggers go in, events come out."""

    events: dict[int, tuple[float, Any]] = field(default_factory=dict)
    threads: int = 0
    sockets: int = 0
    _count: int = 0
    _next: float = 0.0

    def __post_init__(self) -> None:
        triggerer = self

        class Supervisor(TriggerRunnerSupervisor):
            def load_triggers(self) -> None: ...
            def heartbeat(self) -> None: ...
            def clean_unused(self) -> None: ...
            def emit_metrics(self) -> None: ...

            def on_trigger_event(self, trigger_id: int, event: TriggerEvent) -> None:
                triggerer.events[trigger_id] = (time.time(), event.payload)

            def on_trigger_failure(self, trigger_id: int, exc: list[str] | None) -> None:
                raise RuntimeError("".join(exc or ["a trigger ended without an event"]))

        self.supervisor = Supervisor.start(capacity=10_000)
        self.runner, self.own = Process(self.supervisor.pid), Process()

    def add(self, path: str, arguments: dict[str, Any]) -> int:
        """Start a trigger."""
        self._count += 1
        kept = Trigger.encrypt_kwargs(arguments)
        self.supervisor.creating_triggers.append(
            workloads.RunTrigger(id=self._count, classpath=path, encrypted_kwargs=kept)
        )
        return self._count

    def run(self, done: Callable[[], bool]) -> None:
        """Go on until it is done."""
        while not done():
            if not self.supervisor.is_alive():
                raise RuntimeError("the triggerer died")
            self.supervisor.run_once()
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + 1
                self.threads = max(self.threads, self.runner.num_threads())
                self.sockets = max(self.sockets, len(self.runner.net_connections("inet")))

    def run_for(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        self.run(lambda: time.monotonic() >= end)

    def share(self, seconds: float) -> float:
        """Per cent of one core that supervisor and runner take for so long."""
        began, before = time.monotonic(), self._used()
        self.run_for(seconds)
        return 100 * (self._used() - before) / (time.monotonic() - began)

    def _used(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in (self.runner, self.own))


def main(lines: TextIO, waits: int, poll: float, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
        folder = Path(name)
        ready = Waits(stack, folder, waits, poll)
        triggerer = Triggerer()
        stack.callback(triggerer.supervisor.kill)
        triggerer.run_for(5)
        idle = triggerer.share(min(IDLE, seconds))
        known = {triggerer.add(*trigger): condition for condition, trigger in ready.triggers()}
        triggerer.run_for(1.5 * poll)  # all have begun, and asked once
        probe = triggerer.add(*Probe(seconds).serialize())
        busy = triggerer.share(seconds)
        triggerer.run(lambda: probe in triggerer.events)
        early = sorted(known[one] for one in triggerer.events if one in known)
        if early:
            raise RuntimeError(f"somebody did not wait: {early}")
        with ThreadPoolExecutor(1) as pool:
            true = pool.submit(ready.come_true)
            triggerer.run(lambda: true.done() and len(triggerer.events) == len(known) + 1)
        since = true.result()
        late: dict[str, list[float]] = {name: [] for name in CONDITIONS}
        for number, condition in known.items():
            late[condition].append(triggerer.events[number][0] - since[condition])
        with redirect_stdout(lines):
            tell(triggerer, f"{len(known):,} waits that ask every {poll:.0f} s", idle, busy, probe, late, poll)


def tell(
    triggerer: Triggerer, what: str, idle: float, busy: float, probe: int, late: dict[str, list[float]], poll: float
) -> None:
    lags, count = triggerer.events[probe][1], sum(map(len, late.values()))
    line(f"CPU of a triggerer with {what}", [busy], "the same triggerer without", [idle], unit="%", digits=1)
    line(f"mean lag of its event loop with {what}", [mean(lags)], "what Airflow warns of", [0.2], goal=1)
    line(f"longest lag of its event loop with {what}", [max(lags)], "what Airflow warns of", [0.2], goal=1)
    line(f"its threads with {what}", [triggerer.threads], "the waits", [count], unit="")
    line(f"its connections with {what}", [max(triggerer.sockets, 1)], "the waits", [count], unit="")
    for condition, seen in late.items():
        line(f"from true to event, {condition}, {what}", seen, "the interval", [poll])
        line(f"from true to the last event, {condition}, {what}", [max(seen)], "the interval", [poll])


class Gauge(BaseHTTPRequestHandler):
    """What Prometheus scrapes: one number."""

    value: ClassVar[int] = 0

    def do_GET(self) -> None:
        body = f"# TYPE healthy gauge\nhealthy {self.value}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Waits:
    """What is waited for, on real servers, and the triggers that wait."""

    def __init__(self, stack: ExitStack, folder: Path, count: int, poll: float) -> None:
        gauge = ThreadingHTTPServer(("127.0.0.1", 0), Gauge)
        Thread(target=gauge.serve_forever, daemon=True).start()
        stack.callback(gauge.shutdown)
        mlflow = MlflowServer(folder / "mlflow")
        mlflow.start()
        stack.callback(mlflow.stop)
        scorer = stack.enter_context(ScorerServer(folder / "repository", folder / "scorer.log"))
        scraped = {"gauge": [f"127.0.0.1:{gauge.server_address[1]}"]}
        metrics = stack.enter_context(Prometheus(folder / "prometheus", scrape=scraped))
        connect("MLFLOW_DEFAULT", "mlflow", mlflow.port)
        connect("SCORER_DEFAULT", "open_inference", scorer.port, repository=str(scorer.repository))
        connect("PROMETHEUS_DEFAULT", "prometheus", metrics.port)
        self.each, self.poll, self.store = count // len(CONDITIONS), poll, (folder / "store").as_uri()
        self.lives = [Life(folder / name, name, self.store, scorer.repository) for name in MODELS]

    def triggers(self) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
        """What the sensors and canaries hand over, as many of each condition."""
        options: dict[str, Any] = {"task_id": "wait", "poke_interval": self.poll, "timeout": 86400, "deferrable": True}
        short = {"lasting": timedelta(seconds=2), "step": timedelta(seconds=1)}
        canaries = [handed_over(lambda life=life: canary(life, self.poll)) for life in self.lives]
        for number in range(self.each):
            yield "health", waits(ModelHealthSensor(query="healthy", minimum=1, **short, **options))
            name = f"drift-{number}"
            yield "verdict", waits(ModelDriftSensor(name=name, store=self.store, window_start=MONTH, **options))
            yield "version", waits(ModelVersionSensor(model_name=MODELS[number % 2], newer_than=2, **options))
            yield "release", canaries[number % len(canaries)]

    def come_true(self) -> dict[str, float]:
        """Make all conditions true, and say when each was."""
        since = {}
        store, since["verdict"] = open_store(self.store), time.time()
        verdict = json.dumps({"failed": False, "persisted": False, "drifted": [], "verdicts": {}}).encode()
        for number in range(self.each):
            folder = verdict_folder(f"drift-{number}", window_id(parse_start(MONTH)), "training")
            store.keep_document(folder, verdict)
        Gauge.value, since["health"] = 1, time.time()
        since["version"] = time.time()
        for life in self.lives:
            life.registry.register(life.model, "file:///third", "3" * 64)
        since["release"] = time.time()
        for life in self.lives:
            newest = life.newest()
            life.ledger.append(following(newest.last, newest.state, datetime.now(UTC), "somebody else"))
        return since


def canary(life: Life, poll: float) -> object:
    """Deploy a version, and another on half of the traffic until somebody ends it."""
    life.folder.mkdir()
    life.deploy(life.version(1.0))
    steps = Canary((50,), bake=timedelta(days=1), interval=timedelta(seconds=poll))
    return life.deploy(life.version(2.0), "run-2", strategy=steps, checks="[]", deferrable=True)


def waits(sensor: Any) -> tuple[str, dict[str, Any]]:
    """The trigger that a sensor hands over."""
    return handed_over(lambda: sensor.execute(context("wait")))


def handed_over(task: Callable[[], object]) -> tuple[str, dict[str, Any]]:
    """The trigger that a task hands over, as it goes into Airflow's database."""
    try:
        task()
    except TaskDeferred as wait:
        path, arguments = wait.trigger.serialize()
        return path, arguments
    raise RuntimeError("the task did not wait")


def connect(name: str, kind: str, port: int, **extra: Any) -> None:
    """Make a connection known to this process and to those it starts."""
    value = {"conn_type": kind, "host": "http://127.0.0.1", "port": port, "extra": {**extra, "trust": "code"}}
    os.environ[f"AIRFLOW_CONN_{name}"] = json.dumps(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="40 waits for some seconds, to see that it works")
    small = parser.parse_args().small
    # Airflow logs to stdout, which belongs to the figures: for it stderr is stdout.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    main(lines, *((40, 2.0, 5.0) if small else (1000, 60.0, 60.0)))
