"""Servers on this machine, on loopback only: MLflow, Airflow, a Spark cluster. Started and stopped by process id."""
