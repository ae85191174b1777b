"""What of a model changes, as Airflow assets: a DAG can be scheduled on any of it."""
