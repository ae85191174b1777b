from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State, following
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.stores.local import local_store
from tests.core.test_release import NOW, opened, plan

ENDPOINT = Endpoint("scorer", "flights")


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(local_store(tmp_path / "models"), ENDPOINT)


def write(ledger: Ledger, *states: State, key: str = "0123456789ab", **more: object) -> None:
    first = opened(plan(key=key), ledger.generation() + 1).entries[0]
    entries = [first]
    for state in states:
        entries.append(following(entries[-1], state, NOW, "w", **more))  # type: ignore[arg-type]
    for entry in entries:
        ledger.append(entry)


def test_an_endpoint_without_history_has_no_release(ledger):
    assert (ledger.generation(), ledger.newest(), ledger.find("anyone")) == (0, None, None)


def test_releases_are_read_back_newest_first(ledger):
    write(ledger, State.VALIDATING, State.REJECTED, key="first")
    write(ledger, State.VALIDATING, key="second")
    assert [release.id for release in ledger.releases()] == ["00000004-second", "00000001-first"]
    assert ledger.newest().state is State.VALIDATING


def test_a_release_is_found_by_the_task_that_opened_it_or_rolled_it_back(ledger):
    write(ledger, State.ROLLING_BACK, State.ROLLED_BACK, key="deployer", asked_by="monitor")
    write(ledger, State.VALIDATING, key="other")
    assert ledger.find("deployer") == ledger.find("monitor") != None  # noqa: E711
    assert ledger.find("stranger") is None


def test_of_two_writers_of_one_generation_one_is_told_that_it_was_overtaken(ledger):
    entry = opened(plan()).entries[0]

    def append(_: int) -> bool:
        try:
            ledger.append(entry)
        except Conflict as error:
            assert "another writer" in str(error)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(append, range(8))) == 1


def test_a_writer_that_is_no_longer_the_newest_is_stopped(ledger):
    write(ledger, State.VALIDATING)
    ledger.require_newest(2)
    with pytest.raises(Conflict, match="another writer"):
        ledger.require_newest(1)


def test_an_entry_under_the_wrong_number_is_corrupt(ledger):
    ledger.store.append_exclusive(str(ENDPOINT), 1, opened(plan(), 7).entries[0].to_json())
    with pytest.raises(Corrupt, match="holds generation 7"):
        ledger.newest()
