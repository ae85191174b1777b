"""Real servers on loopback, started by the tests and by the demo."""
