"""The command that stays: watch."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from conf.durations import parse_duration
from conf.errors import UsageError
from headwater.cli.app import Wait, app, read_project
from headwater.output import print_json, print_line

if TYPE_CHECKING:
    from headwater.increment import Increment

GROUP = "Data"


def _pause(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--every {text}: {error}") from None
    if not duration:
        raise UsageError(f"--every {text} is no pause", "write --every 1s or more")
    return duration


@app.command(rich_help_panel=GROUP)
def watch(
    context: typer.Context,
    every: Annotated[
        timedelta, typer.Option(help="The pause between two looks: 1s, 5m.", metavar="DURATION", parser=_pause)
    ] = "5s",  # type: ignore[assignment]
    no_score: Annotated[bool, typer.Option("--no-score", help="Only load and materialize.")] = False,
    wait: Wait = 0,
    is_json: Annotated[bool, typer.Option("--json", help="Print each increment as one line of JSON.")] = False,
) -> None:
    """Load, materialize and score what lands, as soon as it lands; SIGTERM or Ctrl-C ends it.

    To look costs about a tenth of a second. Spark starts once, at the first need, and the lake is held only while a
    job writes. Declarations are read once, at the start. After a failure the next try comes when another file lands,
    or after a pause that doubles up to 10 minutes. A running job is finished before the end; a second signal ends at
    once.

    Example: headwater --env demo watch --every 5s
    """
    options, project = read_project(context, wait)
    if "://" in project.settings.landing:
        hint = "schedule `headwater load` instead, as the DAG incremental_load does"
        raise UsageError(f"watch looks at a folder of this machine, and {project.settings.landing} is none", hint)
    from headwater.watch import watch as watch_lake

    def show(increment: "Increment") -> None:
        print_json(increment.to_json()) if is_json else print_line(increment.to_line())
        sys.stdout.flush()  # a pipe gets each line when it is made

    watch_lake(options, project, every, () if no_score else tuple(sorted(project.models)), show)
