"""Errors: one tree, and a message that says where and what next, also on the other side of a pickle."""

from __future__ import annotations

import copy
import pickle

import pytest

from model_lifecycle.core import errors
from model_lifecycle.core.errors import ModelLifecycleError, Rejected, Unavailable

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ModelLifecycleError)]


def full(kind: type[ModelLifecycleError]) -> ModelLifecycleError:
    return kind("went wrong", target="store", model="flights", version=3, hint="look there")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_where_and_what_next(kind: type[ModelLifecycleError]) -> None:
    assert str(full(kind)) == "went wrong [target store, model flights, version 3] -> look there"
    assert str(kind("went wrong")) == "went wrong"
    assert str(kind("went wrong", version=0)) == "went wrong [version 0]"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("carry", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_crosses_processes_whole(kind: type[ModelLifecycleError], carry) -> None:
    again = carry(full(kind))
    assert type(again) is kind
    assert str(again) == str(full(kind))
    assert (again.target, again.model, again.version, again.hint) == ("store", "flights", 3, "look there")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_either_to_be_tried_again_or_to_be_given_up(kind: type[ModelLifecycleError]) -> None:
    if kind is not ModelLifecycleError:
        assert issubclass(kind, Unavailable) != issubclass(kind, Rejected)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__.split("::")[1]
    for kind in KINDS:
        assert kind.__name__ in drawn
    assert drawn.count("── ") == len(KINDS) - 1
