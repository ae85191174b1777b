"""What the triggerer runs while a sensor or a release waits: read-only polls that yield one event."""
