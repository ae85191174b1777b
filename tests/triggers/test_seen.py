from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from model_lifecycle.triggers import seen
from model_lifecycle.triggers.seen import Seen
from tests.triggers.test_watch import Store


def test_what_was_written_is_read_also_by_another():
    store = Store()

    async def kept() -> list[Any]:
        found = [await Seen(store, "a").read()]
        await Seen(store, "a").write(0)
        return [*found, await Seen(store, "a").read(), await Seen(store, "b").read()]

    assert asyncio.run(kept()) == [None, 0, None]


@pytest.mark.since("3.3")
def test_the_state_of_two_assets_lies_in_a_variable(monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    assert_it_lies_in_a_variable(AssetStateStoreAccessors([Asset("one"), Asset("two")]), monkeypatch)


def test_where_there_is_no_store_it_lies_in_a_variable(monkeypatch: pytest.MonkeyPatch):
    assert_it_lies_in_a_variable(None, monkeypatch)


def assert_it_lies_in_a_variable(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, str] = {}
    # A double: outside of a triggerer there is nobody to ask for a Variable.
    variable = SimpleNamespace(
        get=lambda key, default, deserialize_json: json.loads(kept[key]) if key in kept else default,
        set=lambda key, value, serialize_json: kept.update({key: json.dumps(value)}),
    )
    monkeypatch.setattr(seen, "Variable", variable)

    async def values() -> list[Any]:
        memory = Seen(store, "a")
        found = [await memory.read()]
        await memory.write([1, 2])
        return [*found, await memory.read()]

    assert asyncio.run(values()) == [None, [1, 2]]


def test_an_older_value_never_replaces_a_newer_one_and_what_was_not_told_is_not_kept():
    store = Store()

    async def value() -> Any:
        memory, first, second, third = Seen(store, "a"), asyncio.Event(), asyncio.Event(), asyncio.Event()
        for number, told in enumerate((first, second, third), start=1):
            memory.write_after(told, number)
        for told in (second, first):
            told.set()
            await asyncio.sleep(0.01)
        memory.close()
        third.set()
        await asyncio.sleep(0.01)
        return await memory.read()

    assert asyncio.run(value()) == 2


class Failing(Store):
    """A double of a store that Airflow refuses once for each question."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 2

    def _refuse(self) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    async def aget(self, key: str) -> Any:
        self._refuse()
        return await super().aget(key)

    async def aset(self, key: str, value: Any) -> None:
        self._refuse()
        await super().aset(key, value)


def test_a_store_that_fails_ends_no_watch_and_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seen, "AGAIN", 0.01)

    async def value() -> Any:
        store = Failing()
        memory = Seen(store, "a")
        await memory.write(1)
        store.kept["a"] = json.dumps({"seen": 7})
        return await memory.read()

    assert asyncio.run(value()) == 7


def test_a_fact_that_was_not_kept_has_the_same_key_for_whoever_reads_next_and_another_afterwards():
    store = Store()

    async def keys() -> list[str]:
        memory = Seen(store, "a")
        await memory.write(1)
        found = [memory.name("1 2"), memory.name("2 1"), memory.name("1 2")]
        again = Seen(store, "a")
        await again.read()
        found.append(again.name("1 2"))
        await again.write(2)
        return [*found, again.name("1 2")]

    first, other, twice, again, later = asyncio.run(keys())
    assert first == again
    assert len({first, other, twice, later}) == 4
