"""The tasks of a model's life."""
