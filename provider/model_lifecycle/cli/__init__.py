"""The commands ``airflow model-lifecycle ...``."""
