"""Contract suites: a backend of yours passes them by inheriting a class and giving it a fixture."""
