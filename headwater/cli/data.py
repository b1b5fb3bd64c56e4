"""The commands about data: validate, load, materialize, query, features, history, doctor."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from conf.errors import ConfigError, UsageError
from conf.instants import parse_instant
from features.definitions import FeatureView
from headwater.cli.app import Json, SkipUnchanged, Wait, app, exit_if_unchanged
from headwater.lake_job import Options, Work, leased, reading, writing
from headwater.output import print_csv, print_json, print_table, stderr
from pipelines.delta.commit import Commit, worst
from pipelines.gold.materialize import GoldReport, is_complete, materialize
from pipelines.ledger.ledger import data_clock
from pipelines.load import Stage, TableLoad, load_tables
from pipelines.project.expressions import find_mistakes
from pipelines.project.project import Project
from pipelines.reading.features import read_features
from pipelines.reading.history import read_history
from pipelines.reading.query import build_query

COMMANDS = ("validate", "load", "materialize", "query", "features", "history")
Tables = Annotated[list[str] | None, typer.Argument(help="Tables; all when none is named.")]
Views = Annotated[list[str] | None, typer.Argument(help="Feature views; all when none is named.")]


@app.command()
def validate(context: typer.Context, is_json: Json = False) -> None:
    """Check every declaration: settings, contracts, views, models, and each expression on an empty frame.

    Example: headwater validate --project ~/shop
    """
    options: Options = context.obj
    problems: list[Any] = []
    try:
        with reading(options, "validate") as work:
            problems = find_mistakes(work.lake.spark, work.project)
    except ConfigError as error:
        problems = list(error.problems)
    if is_json:
        print_json({"ok": not problems, "problems": problems})
    if problems:
        raise ConfigError(problems)
    if not is_json:
        stderr.print("[green]all declarations are valid[/green]")


@app.command()
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
    stage: Stage | None = only  # type: ignore[assignment]
    with writing(replace(context.obj, wait_seconds=wait), f"load {only}" if only else "load") as work:
        contracts = [work.project.contract(name) for name in tables or sorted(work.project.contracts)]
        work.tables = [contract.name for contract in contracts]
        loads = load_tables(work.lake, contracts, stage, work.run, work.say)
        work.outcome = worst([done.outcome for done in loads])
    if is_json:
        print_json(load_json(loads))
    else:
        print_loads(loads)
    exit_if_unchanged(work.outcome, skip_unchanged)


def load_json(loads: Sequence[TableLoad]) -> dict[str, Any]:
    """Return what a load did, by table."""
    tables: dict[str, Any] = {}
    ledgers: list[Commit] = []
    for done in loads:
        ledgers.append(done.ledger)
        if done.bronze is not None:
            b = done.bronze
            tables[f"bronze.{done.table}"] = _versions(b.commit) | {
                "files_seen": b.files_seen, "files_new": b.files_new, "files_duplicate": b.files_duplicate,
                "files_failed": b.files_failed, "rows": b.rows, "failures": b.failures,
            }  # fmt: skip
        if done.silver is not None:
            s = done.silver
            tables[f"silver.{done.table}"] = _versions(s.commit) | {
                "rows_accepted": s.rows_accepted, "rows_quarantined": s.rows_quarantined,
                "rows_superseded": s.rows_superseded, "rows_repeated": s.rows_repeated, "rows_warned": s.rows_warned,
                "heaviest_key_share": s.heaviest_key_share, "seconds": done.seconds,
            }  # fmt: skip
            tables[f"quarantine.{done.table}"] = _versions(s.quarantine)
    if ledgers:
        whole = Commit(worst([c.outcome for c in ledgers]), ledgers[0].version_before, ledgers[-1].version_after)
        tables["ops.files"] = _versions(whole)
    return {"outcome": worst([done.outcome for done in loads]), "tables": tables}


def _versions(commit: Commit) -> dict[str, Any]:
    return {
        "version_before": commit.version_before,
        "version_after": commit.version_after,
        "outcome": commit.outcome,
    }


def print_loads(loads: Sequence[TableLoad]) -> None:
    """Print one row for each table that was loaded."""
    columns = ("table", "files seen/new/dup/failed", "accepted", "quarantined", "superseded", "repeated", "bronze",
               "silver", "outcome", "seconds", "heaviest key")  # fmt: skip
    rows = []
    for done in loads:
        b, s = done.bronze, done.silver
        files = f"{b.files_seen}/{b.files_new}/{b.files_duplicate}/{b.files_failed}" if b else None
        counts = [s.rows_accepted, s.rows_quarantined, s.rows_superseded, s.rows_repeated] if s else [None] * 4
        share = f"{s.heaviest_key_share:.2%}" if s and s.heaviest_key_share is not None else None
        versions = [_arrow(b.commit) if b else None, _arrow(s.commit) if s else None]
        rows.append((done.table, files, *counts, *versions, done.outcome, done.seconds, share))
    print_table(columns, rows)
    for failure in (failure for done in loads if done.bronze for failure in done.bronze.failures):
        stderr.print(f"[yellow]not loaded:[/yellow] {failure}", soft_wrap=True)


def _arrow(commit: Commit) -> str:
    return f"{max(commit.version_before, 0)} → {max(commit.version_after, 0)}"


@app.command("materialize")
def materialize_command(
    context: typer.Context,
    views: Views = None,
    full: Annotated[bool, typer.Option("--full", help="Make every row anew; the result is the same.")] = False,
    through: Annotated[str | None, typer.Option(help="Complete the tables through this instant (UTC).")] = None,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Bring feature views up to date in gold, at a cost that follows what changed.

    Example: headwater materialize carrier_delays --through 2013-11-05
    """
    with writing(replace(context.obj, wait_seconds=wait), "materialize") as work:
        chosen = chosen_views(work.project, views)
        work.say(f"materializing {', '.join(view.name for view in chosen)}")
        until = parse_instant(through) if through else None
        work.tables = [view.name for view in chosen]
        reports = materialize(work.project, work.lake, chosen, until, work.run, is_full=full)
        work.outcome = worst([report.commit.outcome for report in reports])
    if is_json:
        print_json(gold_json(reports))
    else:
        print_gold(reports)
    exit_if_unchanged(work.outcome, skip_unchanged)


def chosen_views(project: Project, names: Sequence[str] | None) -> list[FeatureView]:
    """Return the views named, or all of the project."""
    return [project.view(name) for name in names or sorted(project.views)]


def gold_json(reports: Sequence[GoldReport]) -> dict[str, Any]:
    """Return what a materialization did, by table."""
    tables = {
        f"gold.{r.view}": _versions(r.commit) | {
            "through": r.through, "is_full": r.is_full, "rows_written": r.commit.rows_written,
            "rows_restated": r.rows_restated, "share_on_time": r.share_on_time, "share_too_late": r.share_too_late,
        }
        for r in reports
    }  # fmt: skip
    return {"outcome": worst([report.commit.outcome for report in reports]), "tables": tables}


def print_gold(reports: Sequence[GoldReport]) -> None:
    """Print one row for each view."""
    columns = ("view", "through", "rows written", "restated", "on time", "too late", "version", "outcome")
    shares = [[None if x is None else f"{x:.2%}" for x in (r.share_on_time, r.share_too_late)] for r in reports]
    rows = [
        (r.view, r.through, r.commit.rows_written, r.rows_restated, *pair, _arrow(r.commit), r.commit.outcome)
        for r, pair in zip(reports, shares, strict=True)
    ]
    print_table(columns, rows)


@app.command()
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
    with reading(context.obj, "query") as work:
        frame = build_query(work.lake, sql)
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


features_app = typer.Typer(no_args_is_help=True, help="Feature values as the point-in-time join gives them.")
app.add_typer(features_app, name="features")


@features_app.command("get")
def features_get(
    context: typer.Context,
    view: Annotated[str, typer.Argument(help="The feature view.")],
    keys: Annotated[list[str], typer.Argument(help="Join keys as key=value.")],
    at: Annotated[str | None, typer.Option(help="The instant asked about (UTC); default: the data clock.")] = None,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Show an entity's features as they were known at an instant.

    Example: headwater features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z
    """
    wrong = [pair for pair in keys if "=" not in pair]
    if wrong:
        raise UsageError(f"{wrong[0]!r} is not key=value", "write, say, carrier=UA")
    entity = dict(pair.split("=", 1) for pair in keys)
    with reading(context.obj, "features get") as work:
        declared = work.project.view(view)
        moment = parse_instant(at) if at else data_clock(work.lake, declared.source)
        _complete(work, declared, moment, wait)
        if moment is None:
            raise UsageError(f"{declared.source} has never been loaded", "run `headwater load`")
        found = read_features(work.project, work.lake, declared, entity, moment)
    if is_json:
        print_json(found)
    else:
        print_table(("feature", "value"), list(found.values.items()), f"{view} {entity} at {found.feature_at}")


def _complete(work: Work, view: FeatureView, moment: Any, wait: float) -> None:
    """Materialize the view through the moment, taking the lease only when there is something to do."""
    if not is_complete(work.project, work.lake, view, moment):
        with leased(work, wait):
            materialize(work.project, work.lake, [view], moment, work.run)


@app.command()
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
        raise UsageError(f"{table!r} names no table", "write layer.name, as in silver.flights")
    with reading(context.obj, "history") as work:
        versions = read_history(work.lake, layer, name, limit)
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
