"""The embedded model server: the Open Inference Protocol v2 on FastAPI, for a laptop and for tests.

It knows nothing of Airflow. Start it with ``python -m model_lifecycle.scorer --repository DIR``.
"""
