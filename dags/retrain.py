"""The DAG ``retrain``: when gold changed, and by schedule: clean data? → worth it? → train → gate → score.

Airflow starts it for the asset; the data decides. ``clean_data`` fails when the last load failed or a layer lags
behind; ``decide`` ends as skipped, and all after it, when nothing that matters has changed.
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
