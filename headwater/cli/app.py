"""The Typer application, the options that many commands share, and what the shell can complete."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conf.errors import HeadwaterError
from conf.settings import find_project
from headwater.options import Options

if TYPE_CHECKING:
    from pipelines.delta.commit import Outcome

NOTHING_TO_DO = 99
# The groups in which `headwater --help` shows the commands.
DATA, FEATURES, MODELS = "Data", "Features", "Models"
OPERATIONS, DEMONSTRATIONS = "Operations", "Demonstrations"

app = typer.Typer(
    name="headwater",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Files to Delta tables to point-in-time correct features to models, idempotently.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
SkipUnchanged = Annotated[bool, typer.Option("--skip-unchanged", help="Exit with 99 where there was nothing to do.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for another writer of the lake.", min=0)]


def complete_tables(incomplete: str) -> list[str]:
    """Complete the name of a table by the contracts of the project."""
    return _complete_declared("tables", incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Complete the name of a model."""
    return _complete_declared("models", incomplete)


def complete_views(incomplete: str) -> list[str]:
    """Complete the name of a feature view."""
    try:
        return _beginning_with(incomplete, Options().load().views)
    except HeadwaterError:
        return []


Tables = Annotated[
    list[str] | None, typer.Argument(help="Tables; all when none is named.", autocompletion=complete_tables)
]
Views = Annotated[
    list[str] | None, typer.Argument(help="Feature views; all when none is named.", autocompletion=complete_views)
]
Model = Annotated[
    str, typer.Argument(help="The model, declared in conf/models/MODEL.yml.", autocompletion=complete_models)
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The instant to pretend it is (UTC).")]


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


def exit_if_unchanged(outcome: "Outcome | None", is_asked: bool) -> None:
    """Where ``--skip-unchanged`` was given, end with 99 when no row was written."""
    if is_asked and outcome != "APPLIED":
        raise typer.Exit(NOTHING_TO_DO)


def _complete_declared(folder: str, incomplete: str) -> list[str]:
    try:
        files: Iterable[Path] = (find_project(None) / "conf" / folder).glob("*.yml")
    except HeadwaterError:
        return []
    return _beginning_with(incomplete, [file.stem for file in files])


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
