"""What a command on a lake needs: a Spark session and, if it writes, the lake's lease and a row in the journal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from conf.engine_profile import LARGE, choose_engine
from conf.errors import LeaseLost
from conf.settings import is_submitted
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
    """One run of a command on a lake. The command sets ``outcome``, and the journal records it with ``tables``."""

    project: Project
    lake: Lake
    run: RunFacts
    tables: Sequence[str] = ()  # the names of the tables, views or models that the command is for
    outcome: Outcome | None = None

    def on_model(self, model: str) -> ModelJob:
        return ModelJob(self.project, self.lake, model, self.run)


@contextmanager
def open_for_writing(
    options: Options, project: Project, command: str, tables: Sequence[str] = (), bytes_to_read: int | None = None
) -> Iterator[LakeJob]:
    """Open a session, hold the lake's lease while the body runs, and write to the journal how the job ended.

    Parameters
    ----------
    bytes_to_read : what the job will read at most, by which an embedded Spark is sized; None when that is not known

    Raises
    ------
    LakeBusy : when another process writes to the lake
    LeaseLost : when the JVM ended before the job did
    """
    check_free(project.settings, options.wait_seconds)
    with open_for_reading(options, project, command, bytes_to_read) as job, hold_lake(job, options.wait_seconds):
        job.tables = tables
        yield job


@contextmanager
def hold_lake(job: LakeJob, wait_seconds: float) -> Iterator[None]:
    """Hold the lease and write the journal as ``open_for_writing`` does, for a job whose session is open already."""
    lake = job.lake
    with hold_lease(lake.spark, lake.settings, wait_seconds, job.run) as dead_holder:
        killed = killed_run(dead_holder) if dead_holder else None
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
def open_for_reading(
    options: Options, project: Project, command: str, bytes_to_read: int | None = None
) -> Iterator[LakeJob]:
    """Open a session for a command that writes nothing. A session that was open before stays open afterwards."""
    is_ours = not has_session()
    run = RunFacts.begin(command)
    task = "/".join(fact for fact in (run.dag, run.dag_run, run.task) if fact)
    app_name = f"headwater {command}" + (f" · {task} · try {run.try_number}" if task else "")
    profile, asked = LARGE, project.settings.spark
    if is_ours and asked.is_local and not is_submitted():
        engine = choose_engine(asked.profile, bytes_to_read)
        profile = engine.profile
        say(str(engine))
    with stderr.status("starting Spark"):
        spark = open_session(project.settings, app_name, options.is_verbose, profile)
    try:
        run = replace(run, spark_app=spark.sparkContext.applicationId)
        yield LakeJob(project, Lake(project.settings, spark), run)
    finally:
        if is_ours:
            with suppress(LeaseLost):
                check_lease(spark)
                close_session()
