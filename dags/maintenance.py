"""The DAG ``maintenance``: compact tables that have many small files, and mark MLflow runs whose process is gone."""

from airflow.sdk import CronTriggerTimetable

from dags.factory import read_deployment

deployment = read_deployment()
cron = deployment.settings.airflow.maintenance

with deployment.dag(
    "maintenance", doc_md=__doc__, schedule=CronTriggerTimetable(cron, timezone="UTC") if cron else None
) as dag:
    deployment.task("maintain", "maintain", deployment.wait)
