"""The DAG ``retrain`` runs when gold changed and on a schedule: clean_data → decide → train → promote → score.

``clean_data`` fails when the last load failed or a table has not read all of its source. ``decide`` skips itself and
the tasks after it when the data does not call for a retraining. ``promote`` compares the new model with the champion.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

from dags.factory import GOLD, THIS_RUN, read_deployment

deployment = read_deployment()
cron = deployment.settings.airflow.retrain
timetable = CronTriggerTimetable(cron, timezone="UTC") if cron else None

for model in deployment.models:
    with deployment.dag(
        deployment.named("retrain", model),
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(timetable=timetable, assets=[GOLD]) if timetable else [GOLD],
    ) as dag:
        clean_data = deployment.task("clean_data", "clean-data", model)
        decide = deployment.task("decide", "retrain", model, "--check", "--skip-unchanged", deployment.wait)
        train = deployment.task("train", "train", model, "--no-promote", deployment.wait)
        promote = deployment.task("promote", "promote", model, f"--airflow-run={THIS_RUN}", deployment.wait)
        score = deployment.task("score", "score", model, "--skip-unchanged", deployment.wait)
        clean_data >> decide >> train >> promote >> score
    globals()[dag.dag_id] = dag
