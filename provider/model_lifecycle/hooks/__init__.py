"""One module for each outside system; the only readers of Airflow Connections."""
