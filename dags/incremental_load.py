"""The DAG ``incremental_load``: landing → bronze → silver → gold → scores, one Spark job each, by Airflow's schedule.

Load and materialize take all that is unread, whatever the interval: a missed day heals itself. The interval selects
only what is scored. An asset event says that gold changed; a gold that did not change is skipped, and says nothing.
"""

from airflow.sdk import CronDataIntervalTimetable

from dags.factory import GOLD, INTERVAL_END, read_deployment

FIRST = 100  # in the queue for the pool's one slot: what is loaded is scored before anything is trained

deployment = read_deployment()
settings = deployment.settings.airflow

with deployment.dag(
    "incremental_load",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(settings.incremental_load, timezone="UTC")
    if settings.incremental_load
    else None,
    start_date=settings.start_at,
    end_date=settings.end_at,
    catchup=settings.catchup,
) as dag:
    bronze = deployment.task("bronze", "load", "--only=bronze", deployment.wait, priority_weight=FIRST)
    silver = deployment.task("silver", "load", "--only=silver", deployment.wait, priority_weight=FIRST)
    gold = deployment.task(
        "gold", "materialize", "--skip-unchanged", deployment.wait, outlets=[GOLD], priority_weight=FIRST
    )
    bronze >> silver >> gold
    for model in deployment.models:
        gold >> deployment.task(
            deployment.named("score", model),
            "score",
            model,
            f"--as-of={INTERVAL_END}",
            "--skip-unchanged",
            deployment.wait,
            trigger_rule="none_failed",
            priority_weight=FIRST,
        )
