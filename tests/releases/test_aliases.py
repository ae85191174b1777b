from __future__ import annotations

from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.releases.aliases import Aliases
from tests.releases.doubles import MemoryRegistry, World


def aliases(world: World) -> Aliases:
    return Aliases(MemoryRegistry(world), "churn")  # type: ignore[arg-type]


def test_aliases_that_nobody_set_are_not_there():
    assert aliases(World()).found() == {}


def test_what_is_set_is_found_and_none_deletes():
    world = World(aliases={CHAMPION: 1})
    aliases(world).align({CHAMPION: None, PREVIOUS: 2})
    assert aliases(world).found() == {PREVIOUS: 2}


def test_previous_is_set_before_champion_moves():
    world, order = World(), []
    world.pause = lambda: order.append(dict(world.aliases))
    aliases(world).align({CHAMPION: 3, PREVIOUS: 2})
    assert {PREVIOUS: 2} in order
    assert {CHAMPION: 3} not in order


def test_aliases_that_are_not_named_stay():
    world = World(aliases={CHAMPION: 1, PREVIOUS: 2})
    aliases(world).align({})
    assert aliases(world).found() == {CHAMPION: 1, PREVIOUS: 2}
