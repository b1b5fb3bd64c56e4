"""Demonstrations on the flights that ship: the whole loop, the loop under Airflow, a cluster that loses a worker."""
