"""Small SavedModels, written in the environment that has TensorFlow: ``python tensorflow_models.py <folder>``."""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

ROWS = tf.TensorSpec([None], tf.float64)


class Sums(tf.Module):
    """Answers x + y + offset."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = tf.Variable(offset, dtype=tf.float64)

    @tf.function
    def __call__(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": x + y + self.offset}


class Failing(tf.Module):
    """Loads, and fails for every request."""

    @tf.function
    def __call__(self, x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(False, ["this model fails for every request"])]):
            return {"sum": x + y}


class Mixed(tf.Module):
    """One input of every kind that people use, sent back with something changed."""

    @tf.function
    def __call__(self, **given: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "text": tf.strings.upper(given["text"]),
            "whole": given["whole"] + 1,
            "flag": tf.logical_not(given["flag"]),
            "half_of": tf.cast(given["one"], tf.float32) / 2,
            "rows": given["rows"] * 2,
            "scalar": tf.reduce_sum(given["rows"]),
        }


def write(folder: Path) -> None:
    """Write every model under its own name: ``right-<offset>``, ``failing`` and ``mixed``."""
    for offset in (1, 2, 7, 50):
        model = Sums(offset)
        tf.saved_model.save(
            model, str(folder / f"right-{offset}"), signatures=model.__call__.get_concrete_function(ROWS, ROWS)
        )
    failing = Failing()
    tf.saved_model.save(failing, str(folder / "failing"), failing.__call__.get_concrete_function(ROWS, ROWS))
    mixed = Mixed()
    kinds = {
        "text": tf.TensorSpec([None], tf.string, "text"),
        "whole": tf.TensorSpec([None], tf.int32, "whole"),
        "flag": tf.TensorSpec([None], tf.bool, "flag"),
        "one": tf.TensorSpec([None, 1], tf.float32, "one"),
        "rows": tf.TensorSpec([None, 3], tf.float64, "rows"),
    }
    tf.saved_model.save(mixed, str(folder / "mixed"), mixed.__call__.get_concrete_function(**kinds))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
