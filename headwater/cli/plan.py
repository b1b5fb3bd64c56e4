"""The commands that say what a job would do, and why: plan, plan load, plan materialize, plan train, plan score."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from headwater.cli.app import AsOf, Json, Model, SkipUnchanged, Tables, Views, app, exit_if_unchanged, read_project
from headwater.output import print_json
from pipelines.delta.commit import Outcome

if TYPE_CHECKING:
    from features.definitions import FeatureView
    from pipelines.gold.plan import ViewPlan
    from pipelines.load_plan import LoadPlan

GROUP = "Data"

plan_app = typer.Typer(invoke_without_command=True)


@plan_app.callback()
def plan(context: typer.Context, skip_unchanged: SkipUnchanged = False, is_json: Json = False) -> None:
    """Say what `load`, `materialize`, `train` or `score` would do now, and why. Nothing is started or written.

    Without a further word: what `load` and `materialize` would do.

    Example: headwater plan --json
    Example: headwater plan train late_arrival
    """
    if context.invoked_subcommand is None:
        _, project = read_project(context)
        from headwater.plans import plan_all

        _show(*plan_all(project), skip_unchanged, is_json)


@plan_app.command()
def load(
    context: typer.Context, tables: Tables = None, skip_unchanged: SkipUnchanged = False, is_json: Json = False
) -> None:
    """Say which files are new for which table.

    Example: headwater plan load flights
    """
    _, project = read_project(context)
    from headwater.plans import plan_tables

    _show(plan_tables(project, tables), [], [], skip_unchanged, is_json)


@plan_app.command()
def materialize(
    context: typer.Context, views: Views = None, skip_unchanged: SkipUnchanged = False, is_json: Json = False
) -> None:
    """Say which views are behind their sources.

    Example: headwater plan materialize carrier_delays
    """
    _, project = read_project(context)
    from headwater.plans import plan_features

    _show([], *plan_features(project, views), skip_unchanged, is_json)


@plan_app.command()
def train(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    skip_unchanged: SkipUnchanged = False,
    is_json: Json = False,
) -> None:
    """Say what a version would be made from, and whether one was made from the same already.

    Example: headwater plan train late_arrival
    """
    _, project = read_project(context, model=model)
    from headwater import reports
    from headwater.model_commands import look
    from training.train_plan import plan_training

    planned = plan_training(look(project, "train", model), as_of)
    print_json(reports.train_plan_json(model, planned)) if is_json else reports.print_train_plan(model, planned)
    exit_if_unchanged(Outcome.APPLIED if planned.reason else Outcome.UNCHANGED, skip_unchanged)


@plan_app.command()
def score(
    context: typer.Context,
    model: Model,
    as_of: AsOf = None,
    skip_unchanged: SkipUnchanged = False,
    is_json: Json = False,
) -> None:
    """Say how many questions have no score yet, and which version would answer them.

    Example: headwater plan score late_arrival
    """
    _, project = read_project(context, model=model)
    from headwater import reports
    from headwater.model_commands import look
    from training.scoring.plan import plan_scoring
    from training.scoring.score import count_questions

    planned = plan_scoring(look(project, "score", model), as_of=as_of)
    count = count_questions(planned)
    print_json(reports.score_plan_json(planned, count)) if is_json else reports.print_score_plan(planned, count)
    exit_if_unchanged(Outcome.UNCHANGED if count == 0 else Outcome.APPLIED, skip_unchanged)


def _show(
    loads: "Sequence[LoadPlan]", views: "Sequence[ViewPlan]", waiting: "Sequence[FeatureView]", skip_unchanged: bool,
    is_json: bool,
) -> None:  # fmt: skip
    from headwater import reports

    if is_json:
        print_json(reports.plan_json(loads, views, waiting))
    else:
        reports.print_plan(loads, views, waiting)
    has_work = any(load.has_work(None) for load in loads) or not all(view.is_done for view in views)
    exit_if_unchanged(Outcome.APPLIED if has_work else Outcome.UNCHANGED, skip_unchanged)


app.add_typer(plan_app, name="plan", rich_help_panel=GROUP)
