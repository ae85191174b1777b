"""Ways to write tasks of a model's life as functions."""
