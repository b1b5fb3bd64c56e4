"""What a command on a lake needs: a Spark session where it needs one, and if it writes, the lease and the journal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from conf.errors import LeaseLost
from conf.settings import is_submitted
from conf.spark_profile import LARGE, choose_profile
from headwater.options import Options
from headwater.output import say, stderr
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import Lake, LakeTables
from pipelines.operations.journal import end_run, killed_run, write_journal
from pipelines.operations.lease import check_free, hold_lease
from pipelines.operations.locks import Lock, ProcessLock, SparkLock
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts

if TYPE_CHECKING:
    from training.model_job import ModelJob


@dataclass
class LakeJob:
    """One run of a command on a lake. The command sets ``outcome``, and the journal records it with ``tables``."""

    project: Project
    lake: LakeTables
    run: RunFacts
    open_spark: Callable[[], Lake]
    tables: Sequence[str] = ()  # the names of the tables, views or models that the command is for
    outcome: Outcome | None = None

    @property
    def spark_lake(self) -> Lake:
        """The lake with a Spark session, which is opened if there is none."""
        return self.lake if isinstance(self.lake, Lake) else self.open_spark()

    def on_model(self, model: str) -> "ModelJob":
        from training.model_job import ModelJob

        return ModelJob(self.project, self.lake, model, self.run, self.open_spark)


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
def open_without_spark(
    options: Options, project: Project, command: str, tables: Sequence[str] = ()
) -> Iterator[LakeJob]:
    """Hold the lake's lease and write the journal, for a job in which this process commits what is written.

    Spark starts only if the job reads ``spark_lake``. Then Spark must not commit anything.
    """
    run = RunFacts.begin(command)
    with open_at_first_need(options, project, run) as open_spark:
        job = LakeJob(project, LakeTables(project.settings), run, open_spark, tables)
        with _hold(job, ProcessLock(), options.wait_seconds):
            yield job


@contextmanager
def hold_lake(job: LakeJob, wait_seconds: float) -> Iterator[None]:
    """Hold the lease and write the journal as ``open_for_writing`` does, for a job whose session is open already."""
    with _hold(job, SparkLock(job.spark_lake.spark), wait_seconds):
        yield


@contextmanager
def _hold(job: LakeJob, lock: Lock, wait_seconds: float) -> Iterator[None]:
    lake = job.lake
    with hold_lease(lock, lake.settings, wait_seconds, job.run) as dead_holder:
        killed = killed_run(dead_holder) if dead_holder else None
        if killed is not None:
            write_journal(lake, killed, job.run)
        try:
            yield
        except BaseException as error:
            lock.check()
            reason = str(error).strip() or type(error).__name__
            write_journal(lake, end_run(job.run, None, job.tables, reason), job.run)
            raise
        lock.check()
        spread = _describe_spread(job)
        write_journal(lake, end_run(job.run, job.outcome, job.tables, spread=spread), job.run)


def _describe_spread(job: LakeJob) -> str | None:
    """Say how a cluster's executors shared the work; None where Spark runs embedded or not at all."""
    lake = job.lake
    if not isinstance(lake, Lake) or lake.settings.spark.is_local:
        return None
    from pipelines.runtime.executors import describe_executors

    spread = describe_executors(lake.spark)
    say(spread)
    return spread


@contextmanager
def open_for_reading(
    options: Options, project: Project, command: str, bytes_to_read: int | None = None
) -> Iterator[LakeJob]:
    """Open a session for a command that writes nothing. A session that was open before stays open afterwards."""
    run = RunFacts.begin(command)
    with open_session_for(options, project, run, bytes_to_read) as lake:
        run = replace(run, spark_app=lake.spark.sparkContext.applicationId)
        yield LakeJob(project, lake, run, lambda: lake)


@contextmanager
def open_at_first_need(options: Options, project: Project, run: RunFacts) -> Iterator[Callable[[], Lake]]:
    """Yield what opens a session, at its first call; the session ends with the body."""
    with ExitStack() as sessions:
        yield cache(lambda: sessions.enter_context(open_session_for(options, project, run)))


@contextmanager
def open_session_for(
    options: Options, project: Project, run: RunFacts, bytes_to_read: int | None = None
) -> Iterator[Lake]:
    """Open a session, sized by what will be read at most; one that was open before stays open afterwards."""
    from pipelines.runtime.session import close_session, has_session, open_session

    is_ours = not has_session()
    task = "/".join(fact for fact in (run.dag, run.dag_run, run.task) if fact)
    app_name = f"headwater {run.job}" + (f" · {task} · try {run.try_number}" if task else "")
    profile, asked = LARGE, project.settings.spark
    if is_ours and asked.is_local and not is_submitted():
        chosen = choose_profile(asked.profile, bytes_to_read)
        profile = chosen.profile
        say(str(chosen))
    with stderr.status("starting Spark"):
        spark = open_session(project.settings, app_name, options.is_verbose, profile, options.is_shielded)
    try:
        yield Lake(project.settings, spark)
    finally:
        if is_ours:
            with suppress(LeaseLost):
                SparkLock(spark).check()
                close_session()
