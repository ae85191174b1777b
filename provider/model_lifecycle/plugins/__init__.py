"""What becomes a part of Airflow itself; every process of Airflow imports it, so it imports nothing heavy."""
