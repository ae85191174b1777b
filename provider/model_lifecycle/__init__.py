"""The life of a machine-learning model as ordinary Airflow tasks; importing this package imports nothing else."""

__version__ = "0.1.0"
