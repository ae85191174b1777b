"""The forms of our connection types, as plain values: nothing of them is imported where tasks run."""
