"""The DAG ``maintenance``: compact what has gathered small files, mark MLflow runs that nobody will end."""

from airflow.sdk import CronTriggerTimetable

from dags.factory import read_deployment

deployment = read_deployment()
cron = deployment.settings.airflow.maintenance

with deployment.dag(
    "maintenance", doc_md=__doc__, schedule=CronTriggerTimetable(cron, timezone="UTC") if cron else None
) as dag:
    deployment.task("maintain", "maintain", deployment.wait)
