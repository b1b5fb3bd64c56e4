"""``headwater cluster-demo``: Airflow loads a month of flights on a Spark cluster that loses a worker midway."""

import time
from datetime import date
from pathlib import Path
from threading import Thread

from conf.errors import HeadwaterError
from headwater.demonstrations.afresh import begin_afresh
from headwater.demonstrations.dag_runs import START_SECONDS, follow_run, one_interval
from headwater.demonstrations.feeds import delivery_time, land_history
from headwater.options import Options
from headwater.output import print_table, stderr
from headwater.servers.airflow import announce_airflow, make_airflow, running_airflow
from headwater.servers.airflow_api import AirflowApi
from headwater.servers.airflow_home import airflow_home
from headwater.servers.cluster import Cluster, running_cluster
from headwater.servers.in_use import mark_in_use
from headwater.servers.ports import require_port
from headwater.servers.wait_for import wait_for
from pipelines.delta.lake import LakeTables
from pipelines.reading.query import answer_query

FIRST_DAY, LAST_DAY = date(2013, 10, 1), date(2013, 10, 31)
RUNS = "select job, status, outcome, try_number, spread from ops.runs order by started_at"
POLL_SECONDS = 0.05


def run_cluster_demo(options: Options) -> None:
    """Run the demonstration in the environment ``cluster``, which is emptied first.

    It fails if the load did not succeed, or ended before a worker was killed.
    """
    require_port(options.settings().airflow, "airflow")
    settings = begin_afresh(options, "cluster")
    landed = land_history(Path(settings.landing), LAST_DAY, FIRST_DAY)
    stderr.print(f"landed {len(landed.files)} files: {landed.description}", soft_wrap=True)
    with running_cluster(settings) as cluster, mark_in_use(settings):
        workers = f"{len(cluster.workers)} workers; logs in {cluster.folder}"
        stderr.print(f"Spark master at {settings.spark.master}, {workers}", soft_wrap=True)
        environment = make_airflow(settings, is_paused=True) | one_interval(delivery_time(LAST_DAY))
        with running_airflow(settings, environment):
            api = AirflowApi(settings)
            wait_for("Airflow to answer", api.is_up, START_SECONDS)
            wait_for("the DAG to be parsed", lambda: api.has_dag("incremental_load"), START_SECONDS)
            announce_airflow(settings)
            api.unpause("incremental_load")
            silver = Path(settings.lake) / "silver" / "flights"
            killer = Thread(target=_kill_worker, args=(cluster, silver), daemon=True)
            killer.start()
            loaded = follow_run(api, "incremental_load")
        runs = answer_query(LakeTables(settings), RUNS)
        print_table(runs.columns, runs.rows())
    if loaded.state != "success" or killer.is_alive():
        raise HeadwaterError("the load did not end as it should", f"read the logs in {airflow_home(settings)}/logs")


def _kill_worker(cluster: Cluster, table: Path) -> None:
    """Kill the second worker as soon as the table has its first file."""
    while not any(table.rglob("*.parquet")):
        time.sleep(POLL_SECONDS)
    cluster.kill_worker(1)
    stderr.print("silver is being written: killed the second worker and its executor")
