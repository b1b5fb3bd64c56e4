"""The Typer application, the arguments and options that several commands share, and the shell's completion."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from conf.errors import HeadwaterError
from conf.instants import parse_instant
from conf.settings import find_project
from headwater.options import Options
from pipelines.project.project import Project

if TYPE_CHECKING:
    from pipelines.delta.commit import Outcome

NOTHING_TO_DO = 99

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Files to Delta tables to point-in-time correct features to models, idempotently.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
SkipUnchanged = Annotated[bool, typer.Option("--skip-unchanged", help="Exit with 99 where there was nothing to do.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for another writer of the lake.", min=0)]


def instant(text: str, *names: str) -> Any:
    """Declare an option that takes an instant; ``text`` is its help.

    An empty value counts as not given: Airflow passes ``--as-of=`` when a DAG run has no data interval.
    """
    return typer.Option(*names, help=text, parser=lambda value: parse_instant(value) if value else None)


def _declared_in(folder: str) -> list[str]:
    """Name what is declared in a folder of conf/. Of these names, the shell shows those that begin as typed."""
    try:
        return sorted(file.stem for file in (find_project(None) / "conf" / folder).glob("*.yml"))
    except HeadwaterError:
        return []


def _declared_views() -> list[str]:
    try:
        return sorted(Options().load().views)
    except HeadwaterError:
        return []


Tables = Annotated[
    list[str] | None,
    typer.Argument(help="Tables; all when none is named.", autocompletion=lambda: _declared_in("tables")),
]
View = Annotated[str, typer.Argument(help="The feature view.", autocompletion=_declared_views)]
Views = Annotated[
    list[str] | None, typer.Argument(help="Feature views; all when none is named.", autocompletion=_declared_views)
]
Model = Annotated[
    str,
    typer.Argument(help="The model, declared in conf/models/MODEL.yml.", autocompletion=lambda: _declared_in("models")),
]
Engine = Annotated[
    Literal["auto", "local", "spark"] | None,
    typer.Option(help="What joins the features: this process, Spark, or auto, by size; default: the setting."),
]
AsOf = Annotated[datetime | None, instant("The instant to pretend it is (UTC).", "--as-of")]


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from pipelines.runtime.code_version import code_version

        Console(highlight=False).print(f"headwater {code_version()}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    project: Annotated[str | None, typer.Option(help="The project's directory.", envvar="HEADWATER_PROJECT")] = None,
    env: Annotated[str | None, typer.Option(help="The environment: conf/ENV.yml.", envvar="HEADWATER_ENV")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show all warnings, and the trace of an error.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and the commit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Headwater: a lakehouse ML feature pipeline with experiment tracking."""
    context.obj = Options(project, env, is_verbose=debug)


def read_project(
    context: typer.Context, wait: float = 0, model: str | None = None, engine: str | None = None
) -> tuple[Options, Project]:
    """Read the project that the options before the command name. A ``model`` it does not declare is an error.

    Parameters
    ----------
    engine : takes the place of the setting ``engine``
    """
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    if engine is not None:
        project = replace(project, settings=project.settings.model_copy(update={"engine": engine}))
    if model is not None:
        project.model(model)
    return options, project


def exit_if_unchanged(outcome: "Outcome | None", is_asked: bool) -> None:
    """If ``--skip-unchanged`` was given and no row was written, end with exit code 99."""
    if is_asked and outcome != "APPLIED":
        raise typer.Exit(NOTHING_TO_DO)
