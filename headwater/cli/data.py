"""The commands about data: validate, load, query, history, trace."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from conf.errors import ConfigError, UsageError
from conf.instants import parse_instant
from headwater.answer_files import check_output, save_answer
from headwater.cli.app import Json, SkipUnchanged, Tables, Wait, app, exit_if_unchanged, read_project
from headwater.options import Options
from headwater.output import print_csv, print_json, print_table, say, stderr
from pipelines.delta.layers import LAYERS
from pipelines.project.project import Project

if TYPE_CHECKING:
    from pipelines.reading.query import Answer

GROUP = "Data"
TABLE_HINT = "write layer.name, as in silver.flights; the layers are " + ", ".join(LAYERS)


@app.command(rich_help_panel=GROUP)
def validate(context: typer.Context, is_json: Json = False) -> None:
    """Check every declaration: settings, contracts, views, models, and each expression on an empty frame.

    Example: headwater validate --project ~/shop
    """
    try:
        options, project = read_project(context)
    except ConfigError as error:
        problems = error.problems
    else:
        from headwater.lake_job import open_for_reading
        from pipelines.project.expressions import find_mistakes

        with open_for_reading(options, project, "validate", bytes_to_read=0) as job:
            problems = tuple(find_mistakes(job.spark_lake.spark, project))
    if is_json:
        print_json({"ok": not problems, "problems": problems})
    if problems:
        raise ConfigError(problems)
    if not is_json:
        stderr.print("[green]all declarations are valid[/green]")


@app.command(rich_help_panel=GROUP)
def load(
    context: typer.Context,
    tables: Tables = None,
    only: Annotated[str | None, typer.Option(help="bronze or silver: one stage alone.")] = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Load the files that landed into bronze and silver. Running it again changes nothing.

    Example: headwater load flights weather --json
    """
    if only not in (None, "bronze", "silver"):
        raise UsageError(f"--only {only} is not a stage", "write --only bronze or --only silver")
    options, project = read_project(context, wait)
    contracts = [project.contract(name) for name in tables or sorted(project.contracts)]
    from headwater import reports
    from pipelines.delta.commit import Outcome, combine_outcomes
    from pipelines.delta.lake import LakeTables
    from pipelines.load_plan import most_bytes_to_read, plan_loads, report_nothing
    from pipelines.load_report import Stage
    from pipelines.operations.readiness import find_failed_loads

    stage, lake, names = (
        cast(Stage | None, only),
        LakeTables(project.settings),
        [contract.name for contract in contracts],
    )
    plans = plan_loads(lake, contracts)
    # After a failed load the next one runs in full: only its row in the journal makes the data clean again.
    if not any(plan.has_work(stage) for plan in plans) and not find_failed_loads(lake, names):
        loads = [report_nothing(lake, plan, stage) for plan in plans]
        print_json(reports.load_json(loads)) if is_json else reports.print_loads(loads)
        exit_if_unchanged(Outcome.UNCHANGED, skip_unchanged)
        return
    from headwater import lake_job
    from pipelines.load import load_tables

    command = f"load {only}" if only else "load"
    bytes_to_read = most_bytes_to_read(lake, plans)
    with lake_job.open_for_writing(options, project, command, names, bytes_to_read) as job:
        loads = load_tables(job.spark_lake, contracts, stage, job.run, say)
        job.outcome = combine_outcomes([done.outcome for done in loads])
    print_json(reports.load_json(loads)) if is_json else reports.print_loads(loads)
    exit_if_unchanged(job.outcome, skip_unchanged)


def _version_or_instant(text: str) -> int | datetime:
    return int(text) if text.isdecimal() else parse_instant(text)


@app.command(rich_help_panel=GROUP)
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT over tables named layer.table.")],
    at: Annotated[
        Any,
        typer.Option(
            help="Read one table as of a version, or all as of an instant.",
            metavar="version|instant",
            parser=_version_or_instant,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows shown in a table; the other forms have all.", min=1)] = 50,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="spark speaks Spark SQL, and starts Spark.")
    ] = "local",
    output: Annotated[Path | None, typer.Option(help="Write FILE.csv, FILE.json or FILE.parquet.")] = None,
    is_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    is_json: Json = False,
) -> None:
    """Answer one SQL query over all layers, in this process.

    Example: headwater query "select carrier, count(*) from silver.flights group by carrier"
    Example: headwater query "select * from gold.carrier_delays" --at 2024-01-05 --output delays.parquet
    """
    from pipelines.reading.sql_tables import find_tables

    find_tables(sql, "spark" if engine == "spark" else "datafusion")  # what is no query is refused before all else
    if output is not None:
        check_output(output)
    if engine == "spark" and at is not None:
        raise UsageError("--at is for the local engine", "in Spark SQL write: FROM silver.x VERSION AS OF 3")
    options, project = read_project(context)
    from pipelines.delta.lake import LakeTables
    from pipelines.reading.query import answer_query

    wanted = None if output or is_csv or is_json else limit + 1  # one row more tells whether there are more
    if engine == "spark":
        answer = _ask_spark(options, project, sql, wanted)
    else:
        answer = answer_query(LakeTables(project.settings), sql, at)
    if output is not None:
        save_answer(answer, output)
        return
    rows = answer.rows(wanted)
    if is_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in rows])
    elif is_csv:
        print_csv(answer.columns, rows)
    else:
        print_table(answer.columns, rows[:limit])
        if len(rows) > limit:
            stderr.print(f"first {limit} rows; --limit shows more")


def _ask_spark(options: Options, project: Project, sql: str, limit: int | None) -> "Answer":
    from headwater.lake_job import open_for_reading
    from pipelines.reading.query import Answer
    from pipelines.reading.spark_query import build_query

    with open_for_reading(options, project, "query") as job:
        frame = build_query(job.spark_lake, sql)
        table = (frame if limit is None else frame.limit(limit)).toArrow()
        return Answer(table.schema, iter(table.to_batches()))


@app.command(rich_help_panel=GROUP)
def history(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="A table, as layer.name.")],
    limit: Annotated[int, typer.Option(help="Versions shown, newest first.", min=1)] = 50,
    is_json: Json = False,
) -> None:
    """Show a table's versions: when each was written, by which job, and what the job did.

    Example: headwater history silver.flights
    """
    layer, _, name = table.partition(".")
    if not name:
        raise UsageError(f"{table!r} names no table", TABLE_HINT)
    _, project = read_project(context)
    from pipelines.delta.lake import LakeTables
    from pipelines.reading.table_history import read_history

    versions = read_history(LakeTables(project.settings), layer, name, limit)
    if is_json:
        print_json(versions)
        return
    rows = [
        (v.version, v.committed_at, v.operation, v.metadata.get("job"), v.metadata.get("cursor"),
         v.metadata.get("through"), v.rows_inserted, v.rows_updated, v.rows_deleted)
        for v in versions
    ]  # fmt: skip
    print_table(("version", "at", "operation", "job", "cursor", "through", "inserted", "updated", "deleted"), rows)


@app.command(rich_help_panel=GROUP)
def trace(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, or a table as layer.name.")],
    version: Annotated[int, typer.Argument(help="Its version.", min=0)],
    is_json: Json = False,
) -> None:
    """Show from which files, and by which runs, a version of a model or a table was made.

    Example: headwater trace gold.carrier_delays 4
    """
    layer, _, table = name.partition(".")
    if table and layer not in LAYERS:
        raise UsageError(f"{name!r} names no table", TABLE_HINT)
    _, project = read_project(context, model=None if table else name)
    from headwater.trace_tree import print_trace
    from pipelines.delta.lake import LakeTables
    from pipelines.reading.table_trace import trace_table

    lake, found = LakeTables(project.settings), cast(Any, None)
    if table:
        found = trace_table(lake, layer, table, version)
    else:
        from training.registry.model_trace import trace_version

        found = trace_version(lake, project.model(name), version)
    print_json(found) if is_json else print_trace(found)
