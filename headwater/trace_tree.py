"""From which files and by which runs a version was made, printed as a tree for the terminal."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.tree import Tree

from conf.instants import format_instant
from pipelines.reading.table_trace import TableTrace

if TYPE_CHECKING:
    from training.registry.model_trace import ModelTrace

SHOWN_FILES = 5
TREE_WIDTH = 220  # in a narrow window the tree would be cut off, and the Airflow run at the end of a line lost


def print_trace(found: "TableTrace | ModelTrace") -> None:
    tree = _table_tree(found) if isinstance(found, TableTrace) else _model_tree(found)
    Console(highlight=False, width=TREE_WIDTH).print(tree)


def _model_tree(found: "ModelTrace") -> Tree:
    champion = " (champion)" if found.is_champion else ""
    tree = Tree(f"[bold]{found.model}[/bold] version {found.version}{champion}, MLflow run {found.run_id}")
    for name, value in found.facts.items():
        tree.add(f"{name}: {value}")
    tree.add(f"training set: {found.training_set_hash}")
    for table in found.tables:
        tree.add(_table_tree(table))
    return tree


def _table_tree(found: TableTrace) -> Tree:
    tree = Tree(
        f"[bold]{found.table}[/bold] version {found.version}, {format_instant(found.committed_at)}, {found.operation}"
    )
    if found.run:
        tree.add(_describe_run(found.run))
    if found.through:
        tree.add(f"complete through {found.through}")
    if found.files_through is not None:
        files = tree.add(f"{len(found.files)} files came with it; {found.files_through} until then")
        for file in found.files[:SHOWN_FILES]:
            files.add(f"{file.file}, {file.rows_in_file} rows, sha256 {file.file_hash[:12]}")
        if len(found.files) > SHOWN_FILES:
            files.add(f"and {len(found.files) - SHOWN_FILES} more; --json lists them all")
    for source in found.sources:
        tree.add(_table_tree(source))
    return tree


def _describe_run(run: Any) -> str:
    text = f"job `{run['job']}` run {run['run']}, code {run['code']}"
    if "dag_run" in run:
        text += f"; Airflow {run['dag']} / {run['dag_run']} / {run['task']}, try {run['try']}"
    return text
