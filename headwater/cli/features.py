"""The commands about features: materialize, features get."""

from datetime import datetime
from typing import Annotated

import typer

from conf.errors import UsageError
from headwater.cli.app import Json, SkipUnchanged, View, Views, Wait, app, exit_if_unchanged, instant, read_project
from headwater.output import print_json, print_table

GROUP = "Features"

features_app = typer.Typer(no_args_is_help=True, help="Feature values as the point-in-time join gives them.")


@app.command(rich_help_panel=GROUP)
def materialize(
    context: typer.Context,
    views: Views = None,
    full: Annotated[bool, typer.Option("--full", help="Make every row anew; the result is the same.")] = False,
    through: Annotated[datetime | None, instant("Complete the tables through this instant (UTC).")] = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Bring feature views up to date in gold. Only the rows that new data can change are computed again.

    Example: headwater materialize carrier_delays --through 2013-11-05
    """
    options, project = read_project(context, wait)
    chosen = [project.view(name) for name in views or sorted(project.views)]
    from headwater import reports
    from headwater.complete_views import complete_views
    from pipelines.delta.commit import combine_outcomes

    done = complete_views(options, project, chosen, through, is_full=full)
    print_json(reports.gold_json(done)) if is_json else reports.print_gold(done)
    exit_if_unchanged(combine_outcomes([report.commit.outcome for report in done]), skip_unchanged)


@features_app.command("get")
def get(
    context: typer.Context,
    view: View,
    keys: Annotated[list[str], typer.Argument(help="Join keys as key=value.")],
    at: Annotated[datetime | None, instant("The instant asked about (UTC); default: the data clock.")] = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Show an entity's features as they were known at an instant.

    Example: headwater features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z
    """
    for pair in keys:
        if "=" not in pair:
            raise UsageError(f"{pair!r} is not key=value", "write, say, carrier=UA")
    options, project = read_project(context, wait)
    declared = project.view(view)
    contract = project.contract(declared.source)
    from headwater.complete_views import complete_views
    from pipelines.delta.lake import LakeTables
    from pipelines.ledger.data_clock import data_clock
    from pipelines.reading.features import parse_entity, read_features

    entity = parse_entity(declared, contract, dict(pair.split("=", 1) for pair in keys))
    lake = LakeTables(project.settings)
    moment = at or data_clock(lake, declared.source)
    if moment is None:
        raise UsageError(f"{declared.source} has never been loaded", "run `headwater load`")
    complete_views(options, project, [declared], moment, command="features get")
    found = read_features(lake, declared, entity, moment)
    if is_json:
        print_json(found)
    else:
        print_table(("feature", "value"), list(found.values.items()), f"{view} {entity} at {found.feature_at}")


app.add_typer(features_app, name="features", rich_help_panel=GROUP)
