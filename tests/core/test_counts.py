from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.counts import BUCKETS, Counts, quantile, slower

numbers = st.integers(0, 10**6)
histograms = st.dictionaries(st.sampled_from(BUCKETS), numbers)
counts = st.builds(Counts, numbers, numbers, numbers, histograms)


def test_the_buckets_rise_by_at_most_two_thirds_and_end_in_infinity():
    finite = BUCKETS[:-1]
    assert math.isinf(BUCKETS[-1])
    assert all(1 < high / low < 1.68 for low, high in pairwise(finite))


@given(counts)
def test_counts_read_back_from_json_are_the_counts_that_were_written(found):
    back = Counts.from_dict(json.loads(json.dumps(found.to_dict())))
    assert back + Counts() == found + Counts() or {k: v for k, v in found.latency.items() if v} == back.latency


@given(counts, counts)
def test_what_was_counted_after_is_what_was_added(before, after):
    assert (before + after).since(before) + Counts() == after + Counts(latency=dict.fromkeys(before.latency, 0))


@given(counts)
def test_a_counter_that_fell_began_again(found):
    assert found.since(found + Counts(requests=1)) == found


def test_what_falls_by_a_few_while_requests_rise_is_no_new_counter():
    before = Counts(100, 5, 3, {0.1: 90, 0.2: 10})
    assert Counts(110, 4, 3, {0.1: 89, 0.2: 20}).since(before) == Counts(10, 0, 0, {0.1: 0, 0.2: 10})


@pytest.mark.parametrize(("q", "seconds"), [(0.5, 0.1), (0.25, 0.05), (0.75, 0.15), (1.0, 0.2), (0.0, 0.0)])
def test_a_quantile_lies_linearly_within_its_bucket(q, seconds):
    assert quantile({0.1: 10, 0.2: 10}, q) == pytest.approx(seconds)


def test_the_quantile_of_nothing_is_none():
    assert quantile({}, 0.5) is None
    assert quantile({0.1: 0}, 0.5) is None


def test_what_took_longer_than_the_last_bound_counts_as_that_bound():
    assert quantile({0.1: 1, math.inf: 99}, 0.95) == 0.1


@given(histograms, st.floats(0.01, 0.99))
def test_about_as_many_are_slower_than_a_quantile_as_it_says(latency, q):
    finite = {bound: count for bound, count in latency.items() if math.isfinite(bound)}
    seconds = quantile(finite, q)
    if seconds is not None:
        total = sum(finite.values())
        assert abs(slower(finite, seconds) - (1 - q) * total) <= 1 + 1e-6 * total


def test_what_is_above_the_last_bound_is_slower_than_anything():
    assert slower({1.0: 5, math.inf: 3}, 1.0) == 3
    assert slower({1.0: 5, math.inf: 3}, 0.0) == 8
    assert slower({1.0: 5, math.inf: 3}, 99.0) == 0
