"""What a command on the lake begins with: a Spark session, and for a writer the lease and a row in the journal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from conf.errors import LeaseLost
from headwater.options import Options
from headwater.output import say, stderr
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import Lake
from pipelines.operations.journal import end_run, killed_run, write_journal
from pipelines.operations.lease import check_free, check_lease, hold_lease
from pipelines.project.project import Project
from pipelines.runtime.executors import describe_executors
from pipelines.runtime.run_facts import RunFacts
from pipelines.runtime.session import close_session, has_session, open_session
from training.model_job import ModelJob


@dataclass
class LakeJob:
    """One command at work on a lake. What it did, ``outcome`` and ``tables``, it sets for the journal."""

    project: Project
    lake: Lake
    run: RunFacts
    outcome: Outcome | None = None
    tables: Sequence[str] = ()


@contextmanager
def open_for_reading(options: Options, project: Project, name: str) -> Iterator[LakeJob]:
    """Open a session for a command that writes nothing. ``name`` is the command."""
    with _open_session(options, project, name) as job:
        yield job


@contextmanager
def open_for_writing(options: Options, project: Project, name: str) -> Iterator[LakeJob]:
    """Open a session, hold the lake's lease while the body runs, and enter into the journal how the job ended.

    Raises
    ------
    LakeBusy : when another process writes to the lake
    LeaseLost : when the JVM ended before the job did
    """
    check_free(project.settings, options.wait_seconds)
    with _open_session(options, project, name) as job, hold_lake(job, options.wait_seconds):
        yield job


@contextmanager
def hold_lake(job: LakeJob, wait_seconds: float) -> Iterator[None]:
    """Hold the lake's lease while the body runs, and enter into the journal how the job ended.

    Raises
    ------
    LakeBusy : when another process writes to the lake
    LeaseLost : when the JVM ended before the job did
    """
    lake = job.lake
    with hold_lease(lake.spark, lake.settings, wait_seconds, job.run) as died:
        killed = killed_run(died) if died else None
        if killed is not None:
            write_journal(lake, killed, job.run)
        try:
            yield
        except BaseException as error:
            check_lease(lake.spark)
            reason = str(error).strip() or type(error).__name__
            write_journal(lake, end_run(job.run, None, job.tables, reason), job.run)
            raise
        check_lease(lake.spark)
        spread = None
        if not lake.settings.spark.is_local:
            spread = describe_executors(lake.spark)
            say(spread)
        write_journal(lake, end_run(job.run, job.outcome, job.tables, spread=spread), job.run)


@contextmanager
def _open_session(options: Options, project: Project, name: str) -> Iterator[LakeJob]:
    is_ours = not has_session()
    run = RunFacts.begin(name)
    task = "/".join(fact for fact in (run.dag, run.dag_run, run.task) if fact)
    app_name = f"headwater {name}" + (f" · {task} · try {run.try_number}" if task else "")
    with stderr.status("starting Spark"):
        spark = open_session(project.settings, app_name, options.is_verbose)
    try:
        run = replace(run, spark_app=spark.sparkContext.applicationId)
        yield LakeJob(project, Lake(spark, project.settings), run)
    finally:
        if is_ours:
            with suppress(LeaseLost):
                check_lease(spark)
                close_session()


@contextmanager
def open_model_job(options: Options, project: Project, model: str, name: str) -> Iterator[tuple[LakeJob, ModelJob]]:
    """Hold the lake's lease while the body runs; the journal will name the model. ``name`` is the command."""
    with open_for_writing(options, project, name) as lake_job:
        lake_job.tables = [model]
        yield lake_job, ModelJob(project, lake_job.lake, model, lake_job.run)
