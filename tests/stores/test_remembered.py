from __future__ import annotations

from collections import OrderedDict

import pytest

from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.stores.local import local_store
from model_lifecycle.stores.remembered import RememberedLedger
from tests.stores.test_ledger import write

ENDPOINT = Endpoint("scorer", "flights")


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(local_store(tmp_path / "models"), ENDPOINT)


@pytest.fixture
def remembered(ledger) -> RememberedLedger:
    return RememberedLedger(ledger.store, ENDPOINT, OrderedDict())


def test_pages_follow_each_other_to_the_first_release(ledger, remembered):
    for key in ("first", "second", "third"):
        write(ledger, State.VALIDATING, State.REJECTED, key=key)
    newest, following = remembered.page(None, 2)
    assert ([one.plan.key for one in newest], following) == (["third", "second"], 4)
    oldest, following = remembered.page(following, 2)
    assert ([one.plan.key for one in oldest], following) == (["first"], None)
    assert remembered.page(1, 2) == ([], None)


def test_a_release_is_found_by_the_generation_that_opened_it(ledger, remembered):
    write(ledger, State.VALIDATING, State.REJECTED, key="first")
    write(ledger, State.VALIDATING, key="second")
    assert [remembered.release(1), remembered.release(4)] == list(ledger.releases())[::-1]
    assert [remembered.release(generation) for generation in (0, 2, 6, 10**9)] == [None] * 4


def test_what_was_read_is_not_read_again_and_what_is_new_is_seen(ledger, remembered, monkeypatch):
    write(ledger, State.VALIDATING, key="first")
    assert remembered.newest() == ledger.newest()
    read: list[int] = []
    store = type(ledger.store)
    once = store.read_entry
    monkeypatch.setattr(store, "read_entry", lambda self, log, number: read.append(number) or once(self, log, number))
    assert remembered.newest() is not None
    assert read == []
    write(ledger, State.VALIDATING, key="second")
    read.clear()
    assert remembered.newest().plan.key == "second"
    assert read == [4, 3]
