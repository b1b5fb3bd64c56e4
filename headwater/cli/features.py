"""The commands about features: materialize, features get."""

from dataclasses import replace
from typing import Annotated

import typer

from conf.errors import UsageError
from conf.instants import parse_instant
from headwater.cli.app import FEATURES, Json, SkipUnchanged, Views, Wait, app, complete_views, exit_if_unchanged
from headwater.output import print_json, print_table, say


@app.command(rich_help_panel=FEATURES)
def materialize(
    context: typer.Context,
    views: Views = None,
    full: Annotated[bool, typer.Option("--full", help="Make every row anew; the result is the same.")] = False,
    through: Annotated[str | None, typer.Option(help="Complete the tables through this instant (UTC).")] = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Bring feature views up to date in gold, at a cost that follows what changed.

    Example: headwater materialize carrier_delays --through 2013-11-05
    """
    until = parse_instant(through) if through else None
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    chosen = [project.view(name) for name in views or sorted(project.views)]

    from headwater.lake_job import open_for_writing
    from headwater.reports import gold_json, print_gold
    from pipelines.delta.commit import combine_outcomes
    from pipelines.gold.materialize import materialize as materialize_views

    with open_for_writing(options, project, "materialize") as job:
        job.tables = [view.name for view in chosen]
        say(f"materializing {', '.join(job.tables)}")
        reports = materialize_views(project, job.lake, chosen, until, job.run, is_full=full)
        job.outcome = combine_outcomes([report.commit.outcome for report in reports])
    if is_json:
        print_json(gold_json(reports))
    else:
        print_gold(reports)
    exit_if_unchanged(job.outcome, skip_unchanged)


features_app = typer.Typer(no_args_is_help=True, help="Feature values as the point-in-time join gives them.")
app.add_typer(features_app, name="features", rich_help_panel=FEATURES)


@features_app.command("get")
def get(
    context: typer.Context,
    view: Annotated[str, typer.Argument(help="The feature view.", autocompletion=complete_views)],
    keys: Annotated[list[str], typer.Argument(help="Join keys as key=value.")],
    at: Annotated[str | None, typer.Option(help="The instant asked about (UTC); default: the data clock.")] = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Show an entity's features as they were known at an instant.

    Example: headwater features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z
    """
    wrong = [pair for pair in keys if "=" not in pair]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is not key=value", "write, say, carrier=UA")
    entity = dict(pair.split("=", 1) for pair in keys)
    asked = parse_instant(at) if at else None
    project = context.obj.load()
    declared = project.view(view)
    contract = project.contract(declared.source)

    from headwater.lake_job import hold_lake, open_for_reading
    from pipelines.gold.materialize import materialize as materialize_views
    from pipelines.gold.plan import is_complete
    from pipelines.ledger.data_clock import data_clock
    from pipelines.reading.features import read_features

    with open_for_reading(context.obj, project, "features get") as job:
        moment = asked or data_clock(job.lake, declared.source)
        if not is_complete(job.lake, declared, contract, moment):  # the lease is taken only where there is work
            with hold_lake(job, wait):
                materialize_views(project, job.lake, [declared], moment, job.run)
        if moment is None:
            raise UsageError(f"{declared.source} has never been loaded", "run `headwater load`")
        found = read_features(job.lake, declared, contract, entity, moment)
    if is_json:
        print_json(found)
    else:
        print_table(("feature", "value"), list(found.values.items()), f"{view} {entity} at {found.feature_at}")
