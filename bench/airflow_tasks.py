"""What a task of Airflow costs beside the command that it runs: spark-submit's JVM, Airflow's operator, a SparkContext.

The operator runs as a task runs it, without Airflow's scheduler and database.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shutil import which

from bench.measure import Engine, run_process, take_turns
from bench.results import Case, Usage
from bench.scratch import scratch_folder
from bench.small_project import SmallProject, make_small_project
from conf.settings import ROOT, Settings, load_settings, project_variables
from conf.spark_properties import properties_file
from headwater.servers.airflow_home import airflow_environment

TITLE = "Airflow's tasks"
ABOUT = (
    "The same command as it is typed, by spark-submit, and by the operator of an Airflow task (with the imports of "
    "Airflow), on a small project. `load` has nothing to do and starts no SparkContext; `maintain` starts one, and "
    "compacts nothing. The empty script shows what spark-submit itself takes: its JVM, and a Python that it starts."
)
JOB = ROOT / "headwater" / "submit" / "job.py"
TASK = """
import sys
from dags.{dag} import dag
task = dag.get_task(sys.argv[1])
task.env_vars = {{name: value for name, value in task.env_vars.items() if "{{{{" not in value}}  # who runs: nobody
task.execute({{}})
"""
TASKS = {  # by case: the DAG, the task and its command
    "load, nothing to do": ("incremental_load", "bronze", ("load", "--only=bronze")),
    "maintain: a SparkContext, no job": ("maintenance", "maintain", ("maintain",)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--turns", type=int, default=4, help="runs of each")


def run(options: argparse.Namespace) -> Iterator[Case]:
    with scratch_folder("airflow_tasks") as folder:
        project = make_small_project(folder / "project")
        empty = folder / "empty.py"
        empty.touch()
        project.land_orders(0, 100)
        project.run("load")
        settings = load_settings(project.folder, "local")
        for name, (dag, task, words) in TASKS.items():
            engines = [
                Engine("Headwater, an Airflow task", partial(_execute, settings, dag, task)),
                Engine("Headwater, submitted", partial(_submit, settings, JOB, *words)),
                Engine("typed", partial(_type, project, *words)),
                Engine("an empty script, submitted", partial(_submit, settings, empty)),
            ]
            yield Case(name, take_turns(name, engines, options.turns))


def _type(project: SmallProject, *words: str) -> Usage:
    return project.run(*words)[0]


def _submit(settings: Settings, script: Path, *words: str) -> Usage:
    """Submit a script as Airflow's operator does."""
    submit = which("spark-submit", path=str(Path(sys.executable).parent)) or "spark-submit"
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with properties_file(settings) as properties:
        command = [submit, "--master", settings.spark.master, "--properties-file", str(properties), str(script), *words]
        return run_process(command, python | project_variables(settings))[0]


def _execute(settings: Settings, dag: str, task: str) -> Usage:
    environ = {name: value for name, value in airflow_environment(settings).items() if name != "PYTHONPATH"}
    return run_process([sys.executable, "-c", TASK.format(dag=dag), task], environ)[0]
