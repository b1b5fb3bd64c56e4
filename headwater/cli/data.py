"""The commands about data: validate, load, query, history, trace."""

from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import typer

from conf.errors import ConfigError, UsageError
from headwater.cli.app import DATA, Json, SkipUnchanged, Tables, Wait, app, exit_if_unchanged
from headwater.options import Options
from headwater.output import print_csv, print_json, print_table, say, stderr
from pipelines.delta.layers import LAYERS

NAMES_TABLE = "write layer.name, as in silver.flights; the layers are " + ", ".join(LAYERS)


@app.command(rich_help_panel=DATA)
def validate(context: typer.Context, is_json: Json = False) -> None:
    """Check every declaration: settings, contracts, views, models, and each expression on an empty frame.

    Example: headwater validate --project ~/shop
    """
    options: Options = context.obj
    problems: list[Any] = []
    try:
        project = options.load()
    except ConfigError as error:
        problems = list(error.problems)
    else:
        from headwater.lake_job import open_for_reading
        from pipelines.project.expressions import find_mistakes

        with open_for_reading(options, project, "validate") as job:
            problems = find_mistakes(job.lake.spark, project)
    if is_json:
        print_json({"ok": not problems, "problems": problems})
    if problems:
        raise ConfigError(problems)
    if not is_json:
        stderr.print("[green]all declarations are valid[/green]")


@app.command(rich_help_panel=DATA)
def load(
    context: typer.Context,
    tables: Tables = None,
    only: Annotated[str | None, typer.Option(help="bronze or silver: one stage alone.")] = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Bring what landed into bronze and silver. Running it again changes nothing.

    Example: headwater load flights weather --json
    """
    if only not in (None, "bronze", "silver"):
        raise UsageError(f"--only {only}", "it is bronze or silver")
    stage = cast(Literal["bronze", "silver"] | None, only)
    options = replace(context.obj, wait_seconds=wait)
    project = options.load()
    contracts = [project.contract(name) for name in tables or sorted(project.contracts)]

    from headwater.lake_job import open_for_writing
    from headwater.reports import load_json, print_loads
    from pipelines.delta.commit import combine_outcomes
    from pipelines.load import load_tables

    with open_for_writing(options, project, f"load {only}" if only else "load") as job:
        job.tables = [contract.name for contract in contracts]
        loads = load_tables(job.lake, contracts, stage, job.run, say)
        job.outcome = combine_outcomes([done.outcome for done in loads])
    if is_json:
        print_json(load_json(loads))
    else:
        print_loads(loads)
    exit_if_unchanged(job.outcome, skip_unchanged)


@app.command(rich_help_panel=DATA)
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT over tables named layer.table.")],
    limit: Annotated[int, typer.Option(help="Rows shown in a table; --json and --csv print all.", min=1)] = 50,
    is_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    is_json: Json = False,
) -> None:
    """Answer one SQL query over all layers.

    Example: headwater query "select carrier, count(*) from silver.flights group by carrier"
    """
    from pipelines.reading.sql_tables import find_tables

    find_tables(sql)  # text that is no query is refused before Spark starts
    project = context.obj.load()

    from headwater.lake_job import open_for_reading
    from pipelines.reading.query import build_query

    with open_for_reading(context.obj, project, "query") as job:
        frame = build_query(job.lake, sql)
        is_whole = is_csv or is_json
        rows = [tuple(row) for row in (frame if is_whole else frame.limit(limit + 1)).collect()]
        columns = frame.columns
    if is_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif is_csv:
        print_csv(columns, rows)
    else:
        print_table(columns, rows[:limit])
        if len(rows) > limit:
            stderr.print(f"first {limit} rows; --limit shows more")


@app.command(rich_help_panel=DATA)
def history(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="A table, as layer.name.")],
    limit: Annotated[int, typer.Option(help="Versions shown, newest first.", min=1)] = 50,
    is_json: Json = False,
) -> None:
    """Show a table's versions: when, by which run, what it did.

    Example: headwater history silver.flights
    """
    layer, _, name = table.partition(".")
    if not name:
        raise UsageError(f"{table!r} names no table", NAMES_TABLE)
    project = context.obj.load()

    from headwater.lake_job import open_for_reading
    from pipelines.reading.table_history import read_history

    with open_for_reading(context.obj, project, "history") as job:
        versions = read_history(job.lake, layer, name, limit)
    if is_json:
        print_json(versions)
        return
    counted = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
    rows = [
        (v.version, v.committed_at, v.operation, v.metadata.get("job"), v.metadata.get("cursor"),
         v.metadata.get("through"), *[v.metrics.get(name) for name in counted])
        for v in versions
    ]  # fmt: skip
    print_table(("version", "at", "operation", "job", "cursor", "through", "inserted", "updated", "deleted"), rows)


@app.command(rich_help_panel=DATA)
def trace(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, or a table as layer.name.")],
    version: Annotated[int, typer.Argument(help="Its version.", min=0)],
    is_json: Json = False,
) -> None:
    """Print the way back from a model's or a table's version to its files and the runs that made it.

    Example: headwater trace gold.carrier_delays 4
    """
    layer, _, table = name.partition(".")
    if table and layer not in LAYERS:
        raise UsageError(f"{name!r} names no table", NAMES_TABLE)
    project = context.obj.load()
    if not table:
        project.model(name)

    from headwater.lake_job import open_for_reading
    from headwater.trace_tree import print_trace
    from pipelines.reading.table_trace import trace_table

    with open_for_reading(context.obj, project, "trace") as job:
        found: Any
        if table:
            found = trace_table(job.lake, layer, table, version)
        else:
            from training.model_job import ModelJob
            from training.registry.model_trace import trace_version

            found = trace_version(ModelJob(project, job.lake, name, job.run), version)
    if is_json:
        print_json(found)
    else:
        print_trace(found)
