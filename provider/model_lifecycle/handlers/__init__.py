"""What travels inside a model archive and runs in a model server's own Python, beside its model: no Airflow there."""
