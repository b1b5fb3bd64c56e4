"""The Typer application, and the options that many commands share."""

from typing import Annotated

import typer

from headwater.work import Options

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Files to Delta tables to point-in-time correct features to models, idempotently.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for another writer of the lake.", min=0)]


@app.callback()
def common(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="The project's directory.", envvar="HEADWATER_PROJECT")] = None,
    env: Annotated[str | None, typer.Option(help="The environment: conf/ENV.yml.", envvar="HEADWATER_ENV")] = None,
) -> None:
    """Headwater: a lakehouse ML feature pipeline with experiment tracking."""
    context.obj = Options(project, env)
