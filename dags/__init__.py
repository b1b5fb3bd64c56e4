"""The Airflow DAGs. Each of their tasks runs one headwater command under spark-submit."""
