from __future__ import annotations

from model_lifecycle.core.differences import (
    Difference,
    differences,
    file_differences,
    metric_differences,
    profile_differences,
    provenance_differences,
    signature_differences,
)
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.core.profile import profile

ROWS = {"x": [float(i % 50) for i in range(1000)], "y": [float(i % 7) for i in range(1000)]}


def manifest(files: dict[str, str], signature=None, **provenance: str) -> Manifest:
    entries = tuple(FileEntry(path, len(mark), mark * 64) for path, mark in files.items())
    return Manifest("churn", entries, signature, provenance)


def test_files_are_added_removed_and_changed():
    one, other = manifest({"a": "1", "b": "2", "c": "3"}), manifest({"a": "1", "b": "4", "d": "5"})
    found = [(one.name, one.note) for one in file_differences(one, other)]
    assert found == [("b", "changed"), ("c", "removed"), ("d", "added")]


def test_a_column_that_changed_its_type_or_came_or_went_is_named():
    before = {"inputs": [{"name": "x", "type": "double", "required": True}, {"name": "y", "type": "long"}]}
    after = {"inputs": [{"name": "x", "type": "double", "required": False}, {"name": "z", "type": "long"}]}
    found = {one.name: (one.before, one.after) for one in signature_differences(
        manifest({"a": "1"}, before), manifest({"a": "1"}, after)
    )}  # fmt: skip
    assert found == {
        "inputs.x": ("double", "double (optional)"),
        "inputs.y": ("long", None),
        "inputs.z": (None, "long"),
    }


def test_tensors_and_models_without_a_signature_can_be_compared():
    tensor = {"inputs": [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]}
    (found,) = signature_differences(manifest({"a": "1"}), manifest({"a": "1"}, tensor))
    assert (found.name, found.before) == ("inputs.0", None)
    assert "float32" in found.after


def test_metrics_show_the_change_and_provenance_both_sides():
    assert list(metric_differences({"auc": 0.75, "same": 1.0}, {"auc": 0.5, "same": 1.0, "new": 2.0})) == [
        Difference("metrics", "auc", 0.75, 0.5, "-0.25"),
        Difference("metrics", "new", None, 2.0, ""),
    ]
    one, other = manifest({"a": "1"}, run_id="run-1"), manifest({"a": "1"}, run_id="run-2")
    assert [vars(one) for one in provenance_differences(one, other)] == differences(
        [provenance_differences(one, other)]
    )


def test_data_that_drifted_between_two_trainings_are_named():
    reference = profile(ROWS)
    moved = profile({**ROWS, "x": [40.0 + i % 10 for i in range(1000)]}, reference)
    assert [one.name for one in profile_differences(reference, moved)] == ["x"]
    assert list(profile_differences(reference, reference)) == list(profile_differences(None, None)) == []
    assert [(one.before, one.after) for one in profile_differences(None, moved)] == [(None, "there")]


def test_profiles_with_other_cells_say_that_they_cannot_be_compared():
    other = profile({name: [value * 3 for value in values] for name, values in ROWS.items()})
    (found,) = profile_differences(profile(ROWS), other)
    assert "cannot be compared" in found.note
