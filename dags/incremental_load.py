"""The DAG ``incremental_load`` runs on a schedule: landing → bronze → silver → gold → scores, one Spark job each.

The loading tasks always take everything that was not read yet, so the next run makes up for a missed day. The data
interval only decides which rows are scored. When gold changed, its task emits an asset event, which starts ``retrain``;
when gold did not change, the task is skipped and emits none.
"""

from airflow.sdk import CronDataIntervalTimetable

from dags.factory import GOLD, INTERVAL_END, read_deployment

FIRST = 100  # the priority for the pool's slot: new data is loaded and scored before a waiting ``retrain`` goes on

deployment = read_deployment()
settings = deployment.settings.airflow
cron, wait = settings.incremental_load, deployment.wait

with deployment.dag(
    "incremental_load",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(cron, timezone="UTC") if cron else None,
    start_date=settings.start_at,
    end_date=settings.end_at,
    catchup=settings.catchup,
) as dag:
    bronze = deployment.task("bronze", "load", "--only=bronze", wait, priority_weight=FIRST)
    silver = deployment.task("silver", "load", "--only=silver", wait, priority_weight=FIRST)
    gold = deployment.task("gold", "materialize", "--skip-unchanged", wait, outlets=[GOLD], priority_weight=FIRST)
    bronze >> silver >> gold
    for model in deployment.models:
        gold >> deployment.task(
            deployment.named("score", model),
            "score",
            model,
            f"--as-of={INTERVAL_END}",
            "--skip-unchanged",
            wait,
            trigger_rule="none_failed",
            priority_weight=FIRST,
        )
