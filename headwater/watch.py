"""``headwater watch``: one process that stays warm loads, materializes and scores what came, as soon as it came.

To look costs no Spark: the plans of ``load``, ``materialize`` and ``score`` say whether there is anything to do. Spark
starts when rows must move for the first time, and then stays. Each job is the command's own: it holds the lease only
while it runs, and has its row in ``ops.runs``.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from conf.durations import format_duration
from conf.errors import ConfigError, EnvironmentProblem, HeadwaterError, LeaseLost, NotFound, UsageError
from headwater import lake_job
from headwater.increment import Increment
from headwater.options import Options
from headwater.output import say
from headwater.pause import Pause
from headwater.plans import plan_features, plan_tables
from headwater.stopping import StopRequest
from pipelines.delta.commit import Outcome, combine_outcomes
from pipelines.delta.lake import LakeTables
from pipelines.load_plan import LoadPlan
from pipelines.operations.readiness import find_failed_loads
from pipelines.project.project import Project
from pipelines.runtime.run_facts import RunFacts

# No later look can mend these: a declaration or the machine is wrong, or Spark's JVM is gone.
FINAL = (ConfigError, UsageError, EnvironmentProblem, LeaseLost)


def watch(
    options: Options, project: Project, every: timedelta, models: Sequence[str], show: Callable[[Increment], None]
) -> None:
    """Look until SIGTERM or Ctrl-C, and ``show`` each increment that changed something or failed.

    Raises
    ------
    ConfigError, UsageError, EnvironmentProblem : when no later look can go better
    LeaseLost : when Spark's JVM ended
    """
    stop, busy = StopRequest(), ""
    stop.listen()
    say(f"watching {project.settings.landing} every {format_duration(every)}")
    with warm_session(options, project, stop) as open_spark:
        watcher = Watcher(options, project, models, open_spark, Pause(every.total_seconds()))
        while not stop.is_made:
            increment = watcher.look()
            is_news = increment.outcome is not Outcome.UNCHANGED or increment.has_failed
            if is_news or increment.busy not in ("", busy):  # that the lake is still busy is no news
                show(increment)
            busy = increment.busy
            stop.wait(every.total_seconds())
    say("stopped")


@contextmanager
def warm_session(options: Options, project: Project, stop: StopRequest) -> Iterator[Callable[[], None]]:
    """Yield what starts Spark, at its first call; Spark ends with the body."""
    shielded = replace(options, is_shielded=True)
    with lake_job.open_at_first_need(shielded, project, RunFacts.begin("watch")) as open_session:

        def open_spark() -> None:
            open_session()
            stop.listen()

        yield open_spark


@dataclass
class Watcher:
    """Does the three jobs, each where its plan has work, and remembers what needs no second look."""

    options: Options
    project: Project
    models: Sequence[str]
    open_spark: Callable[[], None]
    pause: Pause
    _plans: Sequence[LoadPlan] = ()
    _is_load_due: bool = True  # at the start, because a load may have failed before, and then one must succeed
    _scored: dict[str, Any] = field(default_factory=dict)  # by model: from what it was scored last
    _said: dict[str, str] = field(default_factory=dict)  # by model: why it cannot be scored

    def look(self) -> Increment:
        """Do what there is to do now. A job that fails holds back those after it; a model holds back no other."""
        done = Increment()
        is_planned = self._attempt(done, self._plan)
        landed = frozenset(file for plan in self._plans for file in plan.new_files)
        if not self.pause.is_over(landed, time.monotonic()):
            return Increment()
        if is_planned and self._attempt(done, self._load) and self._attempt(done, self._materialize):
            for model in self.models:
                self._attempt(done, self._score, model)
        self.pause.note(landed, done.has_failed, time.monotonic())
        done.end()
        return done

    def _attempt(self, done: Increment, work: Callable[..., None], *arguments: Any) -> bool:
        try:
            work(done, *arguments)
        except FINAL:
            raise
        except HeadwaterError as error:
            done.errors.append(error)
            return False
        return True

    def _plan(self, _done: Increment) -> None:
        self._plans = plan_tables(self.project)

    def _load(self, done: Increment) -> None:
        names = [plan.table for plan in self._plans]
        has_failed = self._is_load_due and bool(find_failed_loads(LakeTables(self.project.settings), names))
        if not has_failed:
            names = [plan.table for plan in self._plans if plan.has_work(None)]
        if not names:
            self._is_load_due = False
            return
        from pipelines.load import load_tables

        self._is_load_due = True
        self.open_spark()
        with lake_job.open_for_writing(self.options, self.project, "load", names) as job:
            contracts = [self.project.contract(name) for name in names]
            done.loads = load_tables(job.spark_lake, contracts, None, job.run, say)
            job.outcome = combine_outcomes([load.outcome for load in done.loads])
        self._is_load_due = False

    def _materialize(self, done: Increment) -> None:
        plans, _ = plan_features(self.project)
        if all(plan.is_done for plan in plans):
            return
        from pipelines.gold.materialize import materialize

        views = [plan.view for plan in plans]
        self.open_spark()
        with lake_job.open_for_writing(self.options, self.project, "materialize", [v.name for v in views]) as job:
            done.views = materialize(self.project, job.spark_lake, views, None, job.run)
            job.outcome = combine_outcomes([report.commit.outcome for report in done.views])

    def _score(self, done: Increment, model: str) -> None:
        from headwater.model_commands import look, score_model
        from training.scoring.plan import plan_scoring

        try:
            plan = plan_scoring(look(self.project, "score", model))
        except NotFound as missing:
            if self._said.get(model) != missing.what:
                say(f"{model} is not scored: {missing.what}")
            self._said[model] = missing.what
            return
        made_from = (plan.version.number, plan.interval, plan.pins)
        if self._scored.get(model) == made_from:
            return
        if plan.needs_spark:
            self.open_spark()
        report = score_model(self.options, self.project, model, None, None, None)
        self._scored[model] = made_from
        if report.commit.outcome is not Outcome.UNCHANGED:
            done.scores.append(report)
