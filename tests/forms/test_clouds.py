from __future__ import annotations

import pytest

from model_lifecycle.forms.clouds import clouds
from tests.forms.shown import by_type, check

TYPES = by_type(clouds())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_form_can_be_shown_and_hides_its_secrets(kind):
    check(TYPES[kind])


def test_the_formats_are_those_that_the_hook_writes():
    from model_lifecycle.hooks.sagemaker_rows import FORMATS

    words = TYPES["sagemaker_endpoint"]["conn-fields"]["format"]["schema"]["enum"]
    assert set(words) == {*FORMATS, None}


def test_no_key_of_aws_is_asked_for():
    hidden = TYPES["sagemaker_endpoint"]["ui-field-behaviour"]["hidden-fields"]
    assert {"login", "password"} <= set(hidden)
