"""What people are told of models, through Airflow's own notifiers."""
