"""The commands that demonstrate: demo, airflow-demo, cluster-demo. Each runs only in its own environment."""

from typing import Annotated

import typer

from headwater.cli.app import app

GROUP = "Demonstrations"


@app.command(rich_help_panel=GROUP)
def demo(context: typer.Context) -> None:
    """Empty lake/demo, then run the whole loop there on real flights.

    Example: headwater --env demo demo
    """
    from headwater.demonstrations.flights import run_demo

    run_demo(context.obj)


@app.command("airflow-demo", rich_help_panel=GROUP)
def airflow_demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", envvar="KEEP", help="Leave Airflow up until Ctrl-C.")] = False,
) -> None:
    """Land three more days of flights. Airflow loads them and, because gold changed, starts a retraining.

    If `headwater demo` has not run yet, it runs first.

    Example: headwater --env demo airflow-demo
    """
    from headwater.demonstrations.airflow import run_airflow_demo

    run_airflow_demo(context.obj, keep)


@app.command("cluster-demo", rich_help_panel=GROUP)
def cluster_demo(context: typer.Context) -> None:
    """Start a Spark master and two workers, let Airflow load a month of flights there, and kill a worker midway.

    Example: headwater --env cluster cluster-demo
    """
    from headwater.demonstrations.cluster import run_cluster_demo

    run_cluster_demo(context.obj)
