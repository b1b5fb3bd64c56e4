"""What Airflow runs: the scheduled jobs, each task of which is one spark-submit of a headwater command."""
