"""Artifacts to try the trust gate on: some that would run code if they were loaded, some that are what people have."""
