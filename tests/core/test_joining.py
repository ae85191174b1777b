from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.joining import join_labels

NAN = float("nan")


def join(keys: list[Any], labels: list[tuple[Any, Any]], versions: list[int] | None = None, **more: bool) -> Any:
    return join_labels(keys, versions or [1] * len(keys), [k for k, _ in labels], [v for _, v in labels], **more)


def test_each_prediction_gets_its_label_in_any_order():
    assert join(["a", "b", "c"], [("c", 3), ("a", 1)]).labels == [1, None, 3]


def test_a_label_that_came_twice_counts_once_and_one_that_contradicts_itself_not_at_all():
    found = join(["a", "b"], [("a", 1), ("a", 1), ("b", 0), ("b", 1), ("b", 0)])
    assert (found.labels, found.twice, found.contradicted, found.faulty) == ([1, None], 1, 1, 1)


def test_labels_without_a_prediction_are_counted_and_are_no_fault():
    found = join(["a"], [("a", 1), ("x", 1), ("y", 0), ("y", 0)])
    assert (found.labels, found.without_prediction, found.faulty) == ([1], 2, 0)


@pytest.mark.parametrize("label", ["maybe", "", "2", 0.5, float("inf"), 10**400, [1], b"\xff"])
def test_what_is_no_label_is_named(label: Any):
    found = join(["a"], [("a", label)], binary=True)
    assert (found.labels, found.unparsable) == ([None], 1)


@pytest.mark.parametrize("label", [None, NAN])
def test_a_label_that_is_missing_has_not_come_yet(label: Any):
    found = join(["a"], [("a", label)], binary=True)
    assert (found.labels, found.faulty) == ([None], 0)


def test_labels_may_be_written_in_any_way_that_reads_as_a_number_or_be_names_of_classes():
    assert join(["a", "b", "c"], [("a", "1"), ("b", True), ("c", 0.0)], binary=True).labels == [1.0, 1.0, 0.0]
    assert join(["a"], [("a", "late")]).labels == ["late"]


def test_predictions_with_one_key_are_ambiguous_unless_they_are_of_two_versions():
    found = join(["a", "a", "b"], [("a", 1), ("b", 0)])
    assert (found.labels, found.ambiguous) == ([None, None, 0], 2)
    assert join(["a", "a"], [("a", 1)], versions=[1, 2]).labels == [1, 1]


def test_a_key_with_a_missing_part_joins_nothing():
    assert join([("a", None), ("b", 1)], [(("a", None), 1), (("b", 1), 1)]).labels == [None, 1]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1))), st.lists(st.integers(0, 8)))
def test_every_prediction_and_every_label_is_accounted_for(labels: list[tuple[int, int]], keys: list[int]):
    found = join(keys, labels, binary=True)
    assert len(found.labels) == len(keys)
    unlabelled = sum(1 for key in keys if key not in dict(labels))
    got = sum(1 for label in found.labels if label is not None)
    both = sum(1 for key in keys if keys.count(key) > 1 and key not in dict(labels))
    assert got + found.contradicted + found.ambiguous + unlabelled == len(keys) + both
    assert found.without_prediction == len({key for key, _ in labels} - set(keys))
