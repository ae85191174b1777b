from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks import mlflow_survey
from model_lifecycle.hooks.mlflow import MlflowHook
from model_lifecycle.hooks.registry import ModelState


@pytest.fixture
def hook(mlflow_connection: str) -> Iterator[MlflowHook]:
    one = MlflowHook(mlflow_connection)
    yield one
    one.session.close()


@pytest.fixture
def model() -> str:
    return f"model-{uuid4().hex[:12]}"


def register(hook: MlflowHook, model: str, number: int, **tags: str) -> None:
    digest = f"{number:064x}"
    assert hook.register(model, f"file:///models/{model}/{digest}", digest, tags=tags).version == number


def test_the_newest_version_and_the_aliases_of_every_model_are_seen(hook: MlflowHook, model: str):
    for number in (1, 2, 3):
        register(hook, model, number)
    register(hook, f"{model}-b", 1)
    hook.set_alias(model, "champion", 2)
    found = hook.survey()
    assert found[model] == ModelState(3, {"champion": 2})
    assert found[f"{model}-b"] == ModelState(1)


def test_a_model_without_versions_has_none(hook: MlflowHook, model: str):
    hook._call("POST", "registered-models/create", json={"name": model})
    assert hook.survey()[model] == ModelState(0)


def test_more_models_than_a_page_holds_are_all_seen(hook: MlflowHook, model: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mlflow_survey, "MODELS", 2)
    names = {f"{model}-{number}" for number in range(5)}
    for name in names:
        register(hook, name, 1)
    assert names <= hook.survey().keys()


def test_versions_are_found_by_their_tags_in_all_models(hook: MlflowHook, model: str):
    word = uuid4().hex
    register(hook, model, 1, approved=word, by="Ann")
    register(hook, model, 2, approved=word.upper())
    register(hook, model, 3, approved=word)
    register(hook, f"{model}-b", 1, approved=word)
    assert hook.tagged({"approved": word}) == {model: (1, 3), f"{model}-b": (1,)}
    assert hook.tagged({"approved": word, "by": "Ann"}) == {model: (1,)}
    assert hook.tagged({"approved": uuid4().hex}) == {}


@pytest.mark.parametrize("tags", [{}, {"a`b": "c"}, {"a": "it's"}, {"a": ""}])
def test_tags_that_cannot_be_searched_are_refused(hook: MlflowHook, tags: dict[str, str]):
    with pytest.raises(Invalid):
        hook.tagged(tags)
