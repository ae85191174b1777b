"""The embedded model server: the Open Inference Protocol v2 on FastAPI, for a laptop and for tests."""
