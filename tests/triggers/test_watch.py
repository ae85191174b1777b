"""The watchers alone; in a triggerer, killed and started again, they are in ``tests/faults/test_watchers.py``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.module_loading import import_string

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.hooks.registry import ModelState, registry_hook
from model_lifecycle.triggers import watch
from model_lifecycle.triggers.watch import Look, ModelArtifactWatcher, ModelVersionWatcher, Watcher
from tests.operators.life import Life


class Store:
    """A double of Airflow's store of asset state; it outlives the triggers that are given it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else None

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


def again(watcher: Watcher, store: Any = None) -> Any:
    """The watcher after its way through Airflow's database, as a triggerer makes it."""
    path, arguments = watcher.serialize()
    made = import_string(path)(**json.loads(json.dumps(arguments)))
    made.asset_state_store = store
    return made


def told(watcher: Watcher, store: Any, *found: Any, stored: bool = True) -> list[Any]:
    """What a watcher tells when polls find this, one after the other."""

    async def looks() -> AsyncIterator[Look]:
        for one in found:
            look = Look(one)
            yield look
            if stored:
                look.told.set()
            for _ in range(3):
                await asyncio.sleep(0)

    async def payloads() -> list[Any]:
        return [event.payload async for event in again(watcher, store).filter_shared_stream(looks())]

    return asyncio.run(payloads())


def state(**aliases: int) -> dict[str, ModelState]:
    return {"churn": ModelState(max(aliases.values(), default=0), aliases)}


@pytest.mark.parametrize(
    "watcher",
    [
        ModelVersionWatcher("churn"),
        ModelVersionWatcher("churn", alias="champion", registry_conn_id="other", poll_interval=5),
        ModelVersionWatcher("churn", tags={"approved": "yes"}),
        ModelArtifactWatcher("churn", store="hdfs://webhdfs_default@/models"),
    ],
)
def test_a_watcher_comes_back_from_the_database_as_it_was(watcher: Watcher):
    assert again(watcher).serialize() == watcher.serialize()
    assert hash(again(watcher).shared_stream_key()) == hash(watcher.shared_stream_key())


def test_watchers_of_one_registry_share_their_poll_whatever_model_they_watch():
    one = ModelVersionWatcher("churn").shared_stream_key()
    assert one == ModelVersionWatcher("fraud", alias="champion").shared_stream_key()
    others = [
        ModelVersionWatcher("churn", tags={"a": "b"}),
        ModelVersionWatcher("churn", registry_conn_id="other"),
        ModelVersionWatcher("churn", poll_interval=5),
        ModelArtifactWatcher("churn", store="file:///models"),
    ]
    assert len({one, *(other.shared_stream_key() for other in others)}) == 5


def test_watchers_of_one_tag_share_their_poll():
    keys = {ModelVersionWatcher(name, tags={"a": "b", "c": "d"}).shared_stream_key() for name in ("churn", "fraud")}
    assert len(keys) == 1


def test_an_alias_that_moves_appears_or_goes_is_told_once_each():
    watcher, store = ModelVersionWatcher("churn", alias="champion"), Store()
    events = told(watcher, store, state(champion=1), state(champion=1), state(champion=2), state(), state(champion=2))
    assert len({event["key"] for event in events}) == 3
    moves = [(event["from"], event["version"]) for event in events]
    assert moves == [(1, 2), (2, None), (None, 2)]
    assert {(event["event"], event["model"], event["alias"]) for event in events} == {("alias", "churn", "champion")}


def test_what_is_there_at_the_first_start_is_not_told_and_what_comes_after_is_also_over_a_restart():
    watcher, store = ModelVersionWatcher("churn", alias="champion"), Store()
    assert told(watcher, store, state(champion=1)) == []
    assert [event["version"] for event in told(watcher, store, state(champion=2))] == [2]
    assert told(watcher, store, state(champion=2)) == []


def test_what_airflow_had_not_stored_when_the_triggerer_died_is_told_again():
    watcher, store = ModelVersionWatcher("churn", alias="champion"), Store()
    told(watcher, store, state(champion=1))
    (lost,) = told(watcher, store, state(champion=2), stored=False)
    (again,) = told(watcher, store, state(champion=2))
    assert (lost["version"], again) == (2, lost), "with the same key: whoever had stored the first knows the second"
    assert told(watcher, store, state(champion=2)) == []


def test_watchers_of_one_asset_remember_apart():
    store = Store()
    for watcher in (ModelVersionWatcher("churn", alias="champion"), ModelVersionWatcher("churn", alias="challenger")):
        assert told(watcher, store, state(champion=1, challenger=2)) == []
    assert len(store.kept) == 2


def test_a_change_that_cannot_be_looked_up_is_told_at_a_later_poll(monkeypatch: pytest.MonkeyPatch):
    answers: list[Any] = [Unavailable("away"), [{"event": "version", "version": 1}]]

    def changes(*_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ModelVersionWatcher, "changes", changes)
    watcher = ModelVersionWatcher("churn")
    (event,) = told(watcher, Store(), state(), state(champion=1), state(champion=1))
    assert (event["event"], event["version"]) == ("version", 1)


def run(watcher: Watcher, store: Any, *steps: Callable[[], object], count: int) -> list[Any]:
    """What a watcher that polls by itself tells, while somebody does this."""

    async def payloads() -> list[Any]:
        found: list[Any] = []

        async def listen() -> None:
            async for event in again(watcher, store).run():
                found.append(event.payload)
                if len(found) == count:
                    return

        task = asyncio.create_task(listen())
        while not store.kept:
            await asyncio.sleep(0.05)
        for step in steps:
            await asyncio.to_thread(step)
        await asyncio.wait_for(task, 60)
        return found

    return asyncio.run(payloads())


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(watch, "FIRST", 0.05)
    return 0.2


def test_every_new_version_is_told_with_its_digest(mlflow_connection: str, fast: float):
    model, registry = f"m{uuid4().hex[:12]}", registry_hook(mlflow_connection)

    def register() -> None:
        for number in (1, 2):
            registry.register(model, f"file:///models/{number:064x}", f"{number:064x}")

    events = run(ModelVersionWatcher(model, poll_interval=fast), Store(), register, count=2)
    shown = [(event["event"], event["version"], event["model_uri"], event["digest"]) for event in events]
    assert shown == [("version", number, f"models:/{model}/{number}", f"{number:064x}") for number in (1, 2)]


def test_an_old_version_that_gets_the_tags_is_told(mlflow_connection: str, fast: float):
    model, word, registry = f"m{uuid4().hex[:12]}", uuid4().hex, registry_hook(mlflow_connection)
    for number in (1, 2):
        registry.register(model, f"file:///models/{number:064x}", f"{number:064x}")
    watcher = ModelVersionWatcher(model, tags={"approved": word}, poll_interval=fast)
    (event,) = run(watcher, Store(), lambda: registry.set_tags(model, 1, {"approved": word}), count=1)
    assert (event["event"], event["version"], event["tags"]) == ("tag", 1, {"approved": word})


def test_an_artifact_that_is_published_is_told(life: Life, fast: float):
    from tests import models

    source = models.linear(life.folder / "linear", 1.0)
    published: list[str] = []
    watcher = ModelArtifactWatcher(life.model, store=life.store_uri, poll_interval=fast)
    (event,) = run(watcher, Store(), lambda: published.append(life.upload(source)), count=1)
    assert event.pop("key")
    assert event == {"event": "artifact", "model": life.model, "artifact_uri": published[0]}


def test_a_registry_that_is_away_is_asked_again(fast: float, monkeypatch: pytest.MonkeyPatch):
    answers: list[Any] = [Unavailable("away"), state(champion=1), Unavailable("away"), state(champion=2)]

    def ask(_: Any) -> Any:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ModelVersionWatcher, "ask", ask)
    watcher = ModelVersionWatcher("churn", alias="champion", poll_interval=fast)
    (event,) = run(watcher, Store(), count=1)
    assert (event["from"], event["version"]) == (1, 2)


def test_names_are_checked_when_the_dag_is_read():
    with pytest.raises(Invalid):
        ModelVersionWatcher("../x")
    with pytest.raises(Invalid):
        ModelVersionWatcher("churn", alias="")
    with pytest.raises(Invalid):
        ModelArtifactWatcher("", store="file:///models")
    with pytest.raises(ValueError, match="use two watchers"):
        ModelVersionWatcher("churn", alias="champion", tags={"a": "b"})
