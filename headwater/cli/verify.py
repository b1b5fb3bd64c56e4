"""The commands that verify: verify consistency."""

from typing import Annotated

import typer

from conf.errors import Inconsistent, UsageError, did_you_mean
from headwater.cli.app import Json, app, read_project
from headwater.output import print_json, print_table, say

GROUP = "Operations"

verify_app = typer.Typer(no_args_is_help=True, help="Check that what must be equal is equal.")


@verify_app.command("consistency")
def consistency(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL|VIEW]...", help="Models and views; all when none is named.")
    ] = None,
    is_json: Json = False,
) -> None:
    """Make the same training set, or a view's values, by both engines and compare every cell; exit 4 if one differs.

    Example: headwater verify consistency late_arrival
    """
    options, project = read_project(context)
    known = [*sorted(project.models), *sorted(project.views)]
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no model or feature view {name!r}", did_you_mean(name, known))
    from headwater.lake_job import open_for_reading
    from training.consistency import compare_model, compare_view

    found = []
    with open_for_reading(options, project, "verify consistency") as job:
        for name in names or known:
            say(f"comparing {name}")
            is_model = name in project.models
            found.append(
                compare_model(job.on_model(name)) if is_model else compare_view(job.spark_lake, project.view(name))
            )
    if is_json:
        print_json(found)
    else:
        rows = [(one.name, one.rows, one.columns, one.not_compared or f"{one.differing} cells differ") for one in found]
        print_table(("model or view", "rows", "columns", "found"), rows)
    wrong = [one for one in found if one.differing]
    if wrong:
        shown = "; ".join(
            f"{one.name}: {cell.column} at {cell.where} is {cell.local} locally and {cell.spark} in Spark"
            for one in wrong
            for cell in one.examples[:1]
        )
        raise Inconsistent(f"the engines differ: {shown}", "use --engine spark, and report it with this message")


app.add_typer(verify_app, name="verify", rich_help_panel=GROUP)
