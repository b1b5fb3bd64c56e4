"""The commands that demonstrate: demo, airflow-demo, cluster-demo. Each runs in an environment of its own."""

from typing import Annotated

import typer

from headwater.cli.app import DEMONSTRATIONS, app


@app.command(rich_help_panel=DEMONSTRATIONS)
def demo(context: typer.Context) -> None:
    """Run the whole loop on real flights, begun afresh in lake/demo.

    Example: headwater --env demo demo
    """
    from headwater.demonstrations.flights import run_demo

    run_demo(context.obj)


@app.command("airflow-demo", rich_help_panel=DEMONSTRATIONS)
def airflow_demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", envvar="KEEP", help="Leave Airflow up until Ctrl-C.")] = False,
) -> None:
    """Land three more days and watch Airflow load them, and the change of gold start a retraining.

    Runs `headwater demo` first where its lake is empty.

    Example: headwater --env demo airflow-demo
    """
    from headwater.demonstrations.airflow import run_airflow_demo

    run_airflow_demo(context.obj, keep)


@app.command("cluster-demo", rich_help_panel=DEMONSTRATIONS)
def cluster_demo(context: typer.Context) -> None:
    """Start a Spark master and two workers, let Airflow load a month of flights there, and lose a worker midway.

    Example: headwater --env cluster cluster-demo
    """
    from headwater.demonstrations.cluster import run_cluster_demo

    run_cluster_demo(context.obj)
