from __future__ import annotations

import json
from datetime import timedelta

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.gate import Check
from model_lifecycle.core.strategy import AllAtOnce, BlueGreen, Canary, Shadow, Terms, strategy_from

MINUTE = timedelta(minutes=1)
STRATEGIES = [
    AllAtOnce(),
    BlueGreen(soak=MINUTE),
    Canary(),
    Canary(steps=[1, 99], bake=MINUTE, soak=timedelta(0), interval=timedelta(seconds=5), pause=MINUTE),
    Shadow(),
    Shadow(MINUTE, share=50, then=Canary(steps=(10,))),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_ledger_keeps_a_strategy_as_json(strategy):
    terms = Terms.of(json.loads(json.dumps(strategy.to_dict())))
    assert terms == Terms.of(strategy.to_dict())
    assert strategy.lasts.total_seconds() >= terms.soak + terms.bake * len(terms.steps) + terms.shadow


def test_a_plan_of_an_older_release_has_terms_too():
    assert Terms.of({"name": "BlueGreen", "steps": [], "soak": 60.0}) == Terms(soak=60.0)


def test_terms_hold_the_checks():
    assert Terms.of({"checks": [Check("latency_p50").to_dict()]}).checks == (Check("latency_p50"),)


@pytest.mark.parametrize(
    ("strategy", "gated"), list(zip(STRATEGIES, [False, False, True, True, True, True], strict=True))
)
def test_a_strategy_that_compares_is_gated(strategy, gated):
    assert Terms.of(strategy.to_dict()).gated is gated


def test_a_shadow_goes_on_as_the_strategy_after_it():
    terms = Terms.of(Shadow(MINUTE, then=Canary(steps=(10,), bake=MINUTE * 2, soak=MINUTE * 3)).to_dict())
    assert (terms.shadow, terms.share, terms.steps, terms.bake, terms.soak) == (60.0, 100, (10,), 120.0, 180.0)


def test_a_shadow_has_its_own_rhythm_whatever_comes_after_it():
    then = Canary(steps=(10,), interval=timedelta(seconds=30), pause=MINUTE * 9)
    terms = Terms.of(Shadow(MINUTE, interval=timedelta(seconds=5), pause=MINUTE * 2, then=then).to_dict())
    assert (terms.in_shadow().interval, terms.in_shadow().pause) == (5.0, 120.0)
    assert (terms.interval, terms.pause) == (30.0, 540.0)


def test_a_shadow_and_the_steps_after_it_share_one_error():
    assert Terms.of(Canary().to_dict()).alpha == Terms.of(Shadow().to_dict()).alpha == 0.05
    assert Terms.of(Shadow(then=Canary()).to_dict()).alpha == 0.025


@pytest.mark.parametrize("bake", [timedelta(seconds=2), MINUTE, timedelta(hours=5)])
def test_there_are_several_looks_in_a_bake_and_no_more_than_one_a_second(bake):
    interval = Terms.of(Canary(bake=bake).to_dict()).interval
    assert 1.0 <= interval <= 60.0
    assert interval <= bake.total_seconds()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Canary(steps=()),
        lambda: Canary(steps=(0, 50)),
        lambda: Canary(steps=(50, 100)),
        lambda: Canary(steps=(50, 25)),
        lambda: Canary(steps=(25, 25)),
        lambda: Canary(steps=(2.5,)),
        lambda: Canary(steps=(True,)),
        lambda: Canary(bake=timedelta(0)),
        lambda: Canary(pause=timedelta(0)),
        lambda: Canary(soak=-MINUTE),
        lambda: Canary(interval=-MINUTE),
        lambda: BlueGreen(soak=-MINUTE),
        lambda: BlueGreen(interval=timedelta(0)),
        lambda: Shadow(timedelta(0)),
        lambda: Shadow(share=0),
        lambda: Shadow(share=101),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make):
    with pytest.raises(Invalid):
        make()


@pytest.mark.parametrize(
    ("value", "strategy"),
    [
        ({"name": "AllAtOnce"}, AllAtOnce()),
        ({"name": "blue_green", "soak": "60"}, BlueGreen(soak=MINUTE)),
        ('{"name": "Canary", "steps": "[10, 50]", "bake": 60.0}', Canary(steps=(10, 50), bake=MINUTE)),
        ({"name": "canary", "steps": 10, "interval": None}, Canary(steps=(10,))),
        ({"name": "Shadow", "duration": 60, "share": "50", "then": {"name": "Canary", "steps": [10]}}, STRATEGIES[-1]),
        (STRATEGIES[3], STRATEGIES[3]),
    ],
)
def test_a_strategy_is_read_from_what_templates_and_forms_give(value, strategy):
    assert strategy_from(value) == strategy


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Canary",
        "[]",
        {},
        {"name": "Rolling"},
        {"name": "Canary", "stepz": [1]},
        {"name": "Canary", "bake": "soon"},
    ],
)
def test_what_is_no_strategy_is_refused_with_the_known_ones(value):
    with pytest.raises(Invalid, match="AllAtOnce, BlueGreen, Canary, Shadow"):
        strategy_from(value)
