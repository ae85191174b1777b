from __future__ import annotations

import pytest

from model_lifecycle.forms.routers import routers
from tests.forms.shown import by_type, check

TYPES = by_type(routers())


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_form_can_be_shown_and_hides_its_secrets(kind):
    check(TYPES[kind])


def test_both_routers_have_tls():
    assert all({"verify", "ca", "cert", "key"} <= one["conn-fields"].keys() for one in TYPES.values())
