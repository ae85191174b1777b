from __future__ import annotations

import pytest

from model_lifecycle.forms.registries import registries
from tests.forms.shown import by_type, check

TYPES = by_type(registries())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_form_can_be_shown_and_hides_its_secrets(kind):
    check(TYPES[kind])


def test_the_secret_that_is_not_the_password_is_masked():
    field = TYPES["model_alerts"]["conn-fields"]["mlflow_secret"]
    assert field["schema"]["format"] == "password"


def test_mlflow_is_reached_by_token_or_basic_authentication():
    assert TYPES["mlflow"]["conn-fields"]["auth"]["schema"]["enum"] == ["basic", "bearer", None]
