"""The command that runs Airflow on this machine, or one of Airflow's own commands in its home."""

import subprocess
import sys

import typer

from conf.errors import HeadwaterError
from conf.settings import Settings
from headwater.cli.app import app
from headwater.doctor import require_port
from headwater.output import stderr
from headwater.servers.airflow import USER, airflow_environment, airflow_home, password, prepare, running
from headwater.servers.mlflow import serving


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow(context: typer.Context) -> None:
    """Run Airflow on loopback with the project's DAGs; Ctrl-C stops it and leaves no process.

    With words after it, run that command of Airflow's own in this home instead.

    Example: headwater --env local airflow
    Example: headwater airflow backfill create --dag-id incremental_load --from-date 2013-11-01 --to-date 2013-11-05
    """
    settings = context.obj.load().settings
    if context.args:
        command = [sys.executable, "-m", "airflow", *context.args]
        raise typer.Exit(subprocess.run(command, env=airflow_environment(settings), check=False).returncode)
    environment = prepared(settings, is_paused=True)
    with serving(settings), running(settings, environment) as server:
        announce(settings)
        stderr.print("The DAGs begin paused: switch them on in the UI. Ctrl-C stops it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            stderr.print("stopping")
            return
        raise HeadwaterError("Airflow ended by itself", f"read {airflow_home(settings) / 'standalone.log'}")


def prepared(settings: Settings, is_paused: bool) -> dict[str, str]:
    """Return the environment of an Airflow whose database is at its version and whose pool is there."""
    require_port(settings.airflow, "airflow")
    environment = airflow_environment(settings, is_paused)
    with stderr.status("preparing Airflow's database"):
        prepare(settings, environment)
    return environment


def announce(settings: Settings) -> None:
    """Say where Airflow is, and the login."""
    address = f"http://{settings.airflow.host}:{settings.airflow.port}"
    login = f"user {USER}, password {password(settings)}"
    stderr.print(f"Airflow of the environment [bold]{settings.env}[/bold]: {address}  {login}", soft_wrap=True)
