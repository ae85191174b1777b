"""Where the bytes of models and the ledger lie: a folder or HDFS. Knows nothing of Airflow."""
