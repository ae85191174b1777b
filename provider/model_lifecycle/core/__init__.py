"""Pure decisions and values: no Airflow, no I/O, no clock read inside."""
