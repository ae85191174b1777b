from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.operators.life import Life


def test_a_promoted_version_is_champion_and_previous_names_the_way_back(life: Life):
    life.release(1.0, "run-1")
    assert life.aliases() == {"champion": 1}
    second = life.release(2.0, "run-2")
    assert life.aliases() == {"champion": 2, "previous": 1}
    assert life.promote(second, "run-2") == second


def test_promoting_again_changes_nothing(life: Life):
    uri = life.release(1.0, "run-1")
    generation = life.ledger.generation()
    life.promote(uri, "run-1")
    life.promote(uri, "another run")
    assert life.ledger.generation() == generation


def test_a_version_that_does_not_serve_cannot_be_promoted(life: Life):
    life.release(1.0, "run-1")
    idle = life.version(2.0)
    with pytest.raises(AirflowFailException, match="not version 2"):
        life.promote(idle, "run-2")
    assert life.aliases() == {"champion": 1}


def test_on_an_endpoint_without_history_nothing_can_be_promoted(life: Life):
    with pytest.raises(AirflowFailException, match="deploy it first"):
        life.promote(life.version(1.0))


def test_clearing_an_old_promotion_leaves_the_newer_champion(life: Life):
    old = life.release(1.0, "january")
    life.release(2.0, "february")
    assert life.promote(old, "january") == old
    assert life.aliases() == {"champion": 2, "previous": 1}


def test_an_alias_that_somebody_moved_is_put_right(life: Life):
    life.release(1.0, "run-1")
    second = life.release(2.0, "run-2")
    life.registry.set_alias(life.model, "champion", 1)
    life.promote(second, "run-3")
    assert life.aliases() == {"champion": 2, "previous": 1}
