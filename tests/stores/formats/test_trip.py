"""The work that one artifact may cost, and the words that let a format pass."""

from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.stores.formats.trip import MAX_MEMBERS, MAX_RATIO, MIN_EXPANDED, Trip, Unknown, unknown


def test_work_ends_at_its_bounds():
    trip = Trip(TrustPolicy(), {"a": 10, "b": 5}, steps=3)
    trip.step("a", 3)
    with pytest.raises(Untrusted, match="too many steps"):
        trip.step("a")
    trip.expand("a", MIN_EXPANDED + 15 * MAX_RATIO)
    with pytest.raises(Untrusted, match="unpacks"):
        trip.expand("a", 1)
    for _ in range(MAX_MEMBERS):
        trip.member("a")
    with pytest.raises(Untrusted, match="archives"):
        trip.member("a")


def test_a_word_of_the_policy_lets_a_format_pass():
    Trip(TrustPolicy.parse("pickle")).need("pickle", "a", "is one", "it runs")
    with pytest.raises(Untrusted, match="a is one: it runs -> .*formats pickle"):
        Trip(TrustPolicy()).need("pickle", "a", "is one", "it runs")
    Trip(TrustPolicy.parse("code")).need_code("a", "is code")
    with pytest.raises(Untrusted, match="trust policy: code"):
        Trip(TrustPolicy.parse("pickle, unknown")).need_code("a", "is code")


def test_what_is_unknown_is_untrusted_and_can_be_told_apart():
    assert isinstance(unknown("a"), Unknown)
    assert "formats unknown" in str(unknown("a"))
