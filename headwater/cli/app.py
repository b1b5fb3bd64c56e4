"""The Typer application, and the options that many commands share."""

from typing import Annotated

import typer

from headwater.lake_job import Options
from pipelines.delta.commit import Outcome

NOTHING_TO_DO = 99

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Files to Delta tables to point-in-time correct features to models, idempotently.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
SkipUnchanged = Annotated[bool, typer.Option("--skip-unchanged", help="Exit with 99 where there was nothing to do.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for another writer of the lake.", min=0)]


@app.callback()
def common(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="The project's directory.", envvar="HEADWATER_PROJECT")] = None,
    env: Annotated[str | None, typer.Option(help="The environment: conf/ENV.yml.", envvar="HEADWATER_ENV")] = None,
) -> None:
    """Headwater: a lakehouse ML feature pipeline with experiment tracking."""
    context.obj = Options(project, env)


def exit_if_unchanged(outcome: Outcome, is_asked: bool) -> None:
    """Where ``--skip-unchanged`` was given, end with 99 when no row was written."""
    if is_asked and outcome != Outcome.APPLIED:
        raise typer.Exit(NOTHING_TO_DO)
