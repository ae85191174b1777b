"""Slots as links that are made exclusively."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Unavailable
from model_lifecycle.hooks.slots import SLOTS, Slots

ADDRESSES = [f"models:{5100 + number}" for number in range(3)]


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(tmp_path, ADDRESSES, "model")


def test_a_slot_has_the_address_of_its_number_and_the_name_that_supervisor_gives_its_program(slots):
    slot = slots.take("churn", 3)
    assert (slot.number, slot.address, slot.program) == (0, "models:5100", "model:model_00")


def test_a_link_leads_to_the_staged_version(slots, tmp_path):
    (tmp_path / "churn" / "3").mkdir(parents=True)
    slots.take("churn", 3)
    assert (tmp_path / SLOTS / "0").resolve() == tmp_path / "churn" / "3"


def test_a_version_keeps_its_slot_and_each_has_its_own(slots):
    assert slots.take("churn", 3) == slots.take("churn", 3)
    assert slots.take("churn", 4) != slots.take("sales", 3)
    assert {slot.number: held for slot, held in slots.taken().items()} == {
        0: ("churn", 3),
        1: ("churn", 4),
        2: ("sales", 3),
    }
    assert {version: [slot.number for slot in own] for version, own in slots.of("churn").items()} == {3: [0], 4: [1]}


def test_a_freed_slot_is_taken_again_and_without_a_free_one_it_is_a_conflict(slots):
    taken = [slots.take("churn", version) for version in (1, 2, 3)]
    with pytest.raises(Conflict, match="they hold churn 1, churn 2, churn 3"):
        slots.take("churn", 4)
    slots.free(taken[1])
    slots.free(taken[1])
    assert slots.take("churn", 4) == taken[1]


def test_workers_at_once_never_get_one_slot_for_two_versions(tmp_path):
    def take(version: int) -> int:
        return Slots(tmp_path, [f"models:{port}" for port in range(8)], "model").take("churn", version).number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(take, range(8)))
    assert sorted(numbers) == list(range(8))


def test_workers_at_once_that_take_two_slots_for_one_version_agree_on_the_first(slots):
    first = slots.take("churn", 3)
    second = slots.all[1]
    slots._link(second).symlink_to(Path("..") / "churn" / "3")
    assert slots._first(second, "churn", 3) == first
    assert slots.of("churn") == {3: [first]}


@pytest.mark.parametrize("target", ["elsewhere", "../churn/three", "/churn", "../a/b/3"])
def test_what_is_no_link_of_ours_holds_its_slot_but_no_version(slots, tmp_path, target):
    (tmp_path / SLOTS).mkdir()
    (tmp_path / SLOTS / "0").symlink_to(target)
    assert slots.taken() == {}
    assert slots.take("churn", 3).number == 1


def test_slots_that_cannot_be_written_are_one_of_our_errors(slots, tmp_path):
    (tmp_path / SLOTS).write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match=r"cannot write .*\.slots"):
        slots.take("churn", 3)
    with pytest.raises(Unavailable, match=r"cannot write .*\.slots/0"):
        slots.free(slots.all[0])
