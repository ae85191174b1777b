"""Who knows the secret, and whose signature is right and fresh."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Denied
from model_lifecycle.core.senders import WINDOW, check_bearer, check_signature
from tests.models import quiet

OLD, NEW = "o" * 20, "n" * 20
BODY, DELIVERY, NOW = b'{"entity": "model_version"}', "1b4e28ba-2fa1-11d2-883f-0016d3cca427", 1_795_000_000
TEXTS = st.text(st.characters(min_codepoint=0, max_codepoint=255))
"""What a header can hold."""


@quiet()
def signed(secret: str = NEW, body: bytes = BODY, at: int = NOW) -> str:
    """The signature that MLflow itself makes."""
    from mlflow.webhooks.delivery import _generate_hmac_signature

    return _generate_hmac_signature(secret, DELIVERY, str(at), body.decode())


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_secret_that_is_valid_opens(secret: str):
    check_bearer(f"Bearer {secret}", [OLD, NEW])
    check_bearer(f"bearer  {secret}", [OLD, NEW])
    check_signature(signed(secret), DELIVERY, str(NOW), BODY, [OLD, NEW], NOW)


@given(TEXTS)
def test_nothing_else_opens_and_the_answer_is_always_the_same(header: str):
    with pytest.raises(Denied) as caught:
        check_bearer(header, [OLD, NEW])
    assert str(caught.value) == "the shared secret is missing or wrong"


def test_no_secret_is_opened_by_nothing():
    for header in ("", "Bearer", "Bearer "):
        with pytest.raises(Denied):
            check_bearer(header, [])


@given(TEXTS, TEXTS, TEXTS, st.binary())
def test_no_other_signature_opens(signature: str, delivery: str, timestamp: str, body: bytes):
    with pytest.raises(Denied):
        check_signature(signature, delivery, timestamp, body, [NEW], NOW)


@pytest.mark.parametrize("off", [-WINDOW, 0, WINDOW])
def test_a_clock_may_differ_by_the_window(off: int):
    check_signature(signed(at=NOW + off), DELIVERY, str(NOW + off), BODY, [NEW], NOW)


@pytest.mark.parametrize("off", [-WINDOW - 1, WINDOW + 1, 10**8])
def test_a_right_signature_of_another_time_is_refused(off: int):
    with pytest.raises(Denied):
        check_signature(signed(at=NOW + off), DELIVERY, str(NOW + off), BODY, [NEW], NOW)


def test_what_is_signed_cannot_be_moved_between_its_parts():
    """The parts are joined by dots, so a delivery's id may hold none."""
    with pytest.raises(Denied):
        check_signature(signed(), DELIVERY[:-1], f"{DELIVERY[-1]}.{NOW}", BODY, [NEW], NOW)
    with pytest.raises(Denied):
        check_signature(signed(body=b"1.x"), f"{DELIVERY}.{NOW}", "1", b"x", [NEW], 1)


def test_a_header_that_is_no_text_of_ours_is_denied_and_no_error():
    for odd in ("ö", "\u0000", "v1,ö"):
        with pytest.raises(Denied):
            check_signature(odd, odd, odd, b"\xff", [NEW], NOW)
