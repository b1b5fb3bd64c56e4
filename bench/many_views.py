"""What it costs to find that there is nothing to materialize, by the number of feature views."""

import argparse
from collections.abc import Iterator
from functools import partial

from bench.measure import Engine, take_turns
from bench.peers.reading import importing_deltalake
from bench.results import Case, Usage
from bench.scratch import scratch_folder
from bench.small_project import SmallProject, make_small_project

TITLE = "Many views"
ABOUT = (
    "`materialize` of the first views of a project, all of which are up to date: whole processes that find nothing to "
    "do. The peer is a script that only imports `deltalake`: the least that a process costs which reads a Delta log."
)
GROWS_BY = "feature views"
NOTHING_TO_DO = 99


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--views", type=int, nargs="+", default=[5, 50], help="numbers of views")
    parser.add_argument("--turns", type=int, default=6, help="runs of each")


def run(options: argparse.Namespace) -> Iterator[Case]:
    with scratch_folder("many_views") as folder:
        project = make_small_project(folder, max(options.views))
        for day in range(3):
            project.land_orders(day, 200)
        project.run("load")
        project.run("materialize")
        for number in options.views:
            names = [f"sales_{position}" for position in range(1, number + 1)]
            engines = [Engine("Headwater materialize", partial(_materialize, project, names))]
            engines.append(importing_deltalake())
            yield Case(f"{number} views", take_turns(f"{number} views", engines, options.turns), {GROWS_BY: number})


def _materialize(project: SmallProject, names: list[str]) -> Usage:
    return project.run("materialize", *names, "--skip-unchanged", codes=(NOTHING_TO_DO,))[0]
