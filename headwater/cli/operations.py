"""The commands a scheduler runs, and those that look back: retrain, clean-data, maintain, trace."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.tree import Tree

from conf.errors import DataNotClean, UsageError
from conf.instants import format_instant
from headwater.cli.app import Json, SkipUnchanged, Wait, app, exit_if_unchanged
from headwater.cli.models import Model, job_of, print_training
from headwater.lake_job import reading, writing
from headwater.output import print_json, print_table
from pipelines.delta.commit import Outcome
from pipelines.delta.lake import LAYERS
from pipelines.operations.maintenance import Compaction, maintain_tables
from pipelines.operations.readiness import find_unclean
from pipelines.reading.trace import Trace, trace_table
from training.registry.model_trace import ModelTrace, trace_version
from training.registry.runs import mark_dead_runs
from training.registry.tracking import open_tracking
from training.retrain import Decision, decide
from training.train import TrainReport, train

SHOWN_FILES = 5
TREE_WIDTH = 220  # a tree cut off at the edge of a narrow window would lose the Airflow run


@dataclass(frozen=True)
class RetrainReport:
    """What was decided, and the training that followed from it, if any."""

    decision: Decision
    training: TrainReport | None


@app.command("clean-data")
def clean_data(context: typer.Context, model: Model, is_json: Json = False) -> None:
    """Fail unless the data is fit to train on: the last loads succeeded, and no layer lags behind its source.

    Example: headwater clean-data late_arrival
    """
    with reading(context.obj, "clean-data") as work:
        job = job_of(work, model)
        declared = job.declaration
        tables = dict.fromkeys((declared.spine.table, declared.label.table, *(view.source for view in job.views)))
        reasons = find_unclean(work.project, work.lake, list(tables), job.views)
    if is_json:
        print_json({"model": model, "is_clean": not reasons, "reasons": reasons})
    if reasons:
        raise DataNotClean(
            "the data is not clean: " + "; ".join(reasons),
            'mend it, run `headwater load` and `headwater materialize`; `headwater query "select * from ops.runs"`'
            " shows the loads",
        )
    if not is_json:
        print_table(("model", "tables", "data"), [(model, ", ".join(tables), "clean")])


@app.command()
def retrain(
    context: typer.Context,
    model: Model,
    is_check: Annotated[bool, typer.Option("--check", help="Only decide; train nothing.")] = False,
    skip_unchanged: SkipUnchanged = False,
    wait: Wait = 0,
    is_json: Json = False,
) -> None:
    """Train a model again, and gate it, when its data has moved enough; the reason is kept in ops.retraining.

    Example: headwater retrain late_arrival --check
    """
    with writing(replace(context.obj, wait_seconds=wait), "retrain") as work:
        job = job_of(work, model)
        decision = decide(job)
        work.outcome = Outcome.APPLIED if decision.is_due else Outcome.UNCHANGED
        report = RetrainReport(decision, train(job) if decision.is_due and not is_check else None)
    if is_json:
        print_json(report)
    else:
        word = "due" if decision.is_due else "not due"
        print_table(("model", "as of", "retraining", "reason"), [(model, decision.as_of, word, decision.reason)])
        if report.training is not None:
            print_training(report.training)
    exit_if_unchanged(work.outcome, skip_unchanged)


@app.command()
def maintain(context: typer.Context, wait: Wait = 0, is_json: Json = False) -> None:
    """Compact the tables that have gathered small files, and mark MLflow runs whose process is gone.

    Example: headwater maintain --json
    """
    with writing(replace(context.obj, wait_seconds=wait), "maintain") as work:
        work.say("looking at the files of each table")
        compactions = maintain_tables(work.project, work.lake, work.run)
        settings, models = work.project.settings, work.project.models.values()
        dead = {model.name: mark_dead_runs(open_tracking(settings, model)) for model in models}
        work.outcome = Outcome.APPLIED if any(dead.values()) or _compacted(compactions) else Outcome.UNCHANGED
    if is_json:
        print_json({"outcome": work.outcome, "compacted": _compacted(compactions), "killed_runs": dead})
        return
    rows = [(done.table, done.files_before, done.files_after) for done in _compacted(compactions)]
    print_table(("table", "files before", "files after"), rows, f"{len(rows)} of {len(compactions)} tables compacted")
    for model, runs in dead.items():
        print_table(("model", "runs marked KILLED"), [(model, run) for run in runs]) if runs else None


def _compacted(compactions: list[Compaction]) -> list[Compaction]:
    return [done for done in compactions if done.commit.version_after > done.commit.version_before]


@app.command()
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
        raise UsageError(f"{name!r} names no table", f"the layers are {', '.join(LAYERS)}")
    with reading(context.obj, "trace") as work:
        if table:
            found: Trace | ModelTrace = trace_table(work.lake, layer, table, version)
        else:
            found = trace_version(job_of(work, name), version)
    if is_json:
        print_json(found)
    else:
        tree = _model_tree(found) if isinstance(found, ModelTrace) else _tree(found)
        Console(highlight=False, width=TREE_WIDTH).print(tree)


def _model_tree(found: ModelTrace) -> Tree:
    champion = " (champion)" if found.is_champion else ""
    tree = Tree(f"[bold]{found.model}[/bold] version {found.version}{champion}, MLflow run {found.run_id}")
    for name, value in found.facts.items():
        tree.add(f"{name}: {value}")
    tree.add(f"training set: {found.training_set_hash}")
    for table in found.tables:
        tree.add(_tree(table))
    return tree


def _tree(found: Trace) -> Tree:
    tree = Tree(
        f"[bold]{found.table}[/bold] version {found.version}, {format_instant(found.committed_at)}, {found.operation}"
    )
    if found.run:
        tree.add(_maker(found.run))
    if found.through:
        tree.add(f"complete through {found.through}")
    if found.files_through is not None:
        files = tree.add(f"{len(found.files)} files came with it; {found.files_through} until then")
        for file in found.files[:SHOWN_FILES]:
            files.add(f"{file.file}, {file.rows_in_file} rows, sha256 {file.file_hash[:12]}")
        if len(found.files) > SHOWN_FILES:
            files.add(f"and {len(found.files) - SHOWN_FILES} more; --json lists them all")
    for source in found.sources:
        tree.add(_tree(source))
    return tree


def _maker(run: Any) -> str:
    by = f"job `{run['job']}` run {run['run']}, code {run['code']}"
    if "dag_run" in run:
        by += f"; Airflow {run['dag']} / {run['dag_run']} / {run['task']}, try {run['try']}"
    return by
