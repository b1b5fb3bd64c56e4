"""One more day of flights, after histories of growing length: load and materialize, against a script written by hand.

Each command is a process of its own, from its start to its end. Every turn brings another day.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bench.flights_lake import TABLE, VIEWS, FlightsLake
from bench.measure import Engine, take_turns
from bench.results import Case, Usage
from bench.scratch import scratch_folder

TITLE = "One more day"
ABOUT = (
    "A day of flights lands on a lake that has the days before. Headwater loads it into bronze and silver, and then "
    "completes four views with windows of 1, 7 and 28 days; whole processes. The script written by hand merges the "
    "day's rows into bronze and silver, with the same Spark properties, jars and class archive; both must hold the "
    "same rows. It keeps no ledger, quarantine, row numbers, hashes or change feed, and has no features: materialize "
    "is set beside its load."
)
LOAD, MATERIALIZE, HAND = "Headwater load", "Headwater materialize", "by hand: bronze, silver"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--histories", type=int, nargs="+", default=[36, 108, 360], help="days before the new day")
    parser.add_argument("--turns", type=int, default=2, help="2 is A B B A; each brings a day")


def run(options: argparse.Namespace) -> Iterator[Case]:
    for days in options.histories:
        with scratch_folder("increments") as folder:
            yield _add_days(folder, days, options.turns)


def _add_days(folder: Path, days: int, turns: int) -> Case:
    lake = FlightsLake(folder)
    history = lake.land(days)
    lake.run_headwater("load", TABLE)
    lake.run_headwater("materialize", *VIEWS)
    lake.run_by_hand(history)
    materialized: list[Usage] = []
    loaded_by_hand = 0

    def load_and_materialize() -> Usage:
        lake.land(days + len(materialized) + 1)
        used = lake.run_headwater("load", TABLE)
        materialized.append(lake.run_headwater("materialize", *VIEWS))
        return used

    def load_by_hand() -> Usage:
        nonlocal loaded_by_hand
        loaded_by_hand += 1
        return lake.run_by_hand(lake.land(days + loaded_by_hand)[-1:])

    engines = [Engine(LOAD, load_and_materialize, lake.digests), Engine(HAND, load_by_hand, lake.digests_by_hand)]
    used = take_turns(f"{days} days", engines, turns)
    rows = lake.digests()[1][0]
    in_order = {LOAD: used[LOAD], MATERIALIZE: materialized, HAND: used[HAND]}
    return Case(f"after {days} days", in_order, {"silver rows": rows})
