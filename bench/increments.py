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
    "completes four views with windows of 1, 7 and 28 days. Written by hand, one script merges the day's rows into "
    "bronze and silver, and another makes the four views anew. All are whole processes with the same Spark "
    "properties (the profile `small`), jars and class archive, and must hold the same rows after each day. The scripts "
    "check no file, keep no ledger, quarantine, row numbers, hashes or change feed, and would be wrong for rows that "
    "come late."
)
LAYERS = ("bronze", "silver", "gold")
GROWS_BY = "days before"
LOAD, MATERIALIZE = "Headwater load", "Headwater materialize"
LOAD_BY_HAND, FEATURES_BY_HAND = "by hand: bronze, silver", "by hand: features anew"


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
    lake.run_by_hand("flights_by_hand.py", *history)
    materialized: list[Usage] = []
    made_by_hand: list[Usage] = []

    def load_and_materialize() -> Usage:
        lake.land(days + len(materialized) + 1)
        used = lake.run_headwater("load", TABLE)
        materialized.append(lake.run_headwater("materialize", *VIEWS))
        return used

    def load_and_make_by_hand() -> Usage:
        newest = lake.land(days + len(made_by_hand) + 1)[-1]
        used = lake.run_by_hand("flights_by_hand.py", newest)
        made_by_hand.append(lake.run_by_hand("features_by_hand.py"))
        return used

    engines = [
        Engine(LOAD, load_and_materialize, lambda: lake.digests(lake.tables, *LAYERS)),
        Engine(LOAD_BY_HAND, load_and_make_by_hand, lambda: lake.digests(lake.by_hand, *LAYERS)),
    ]
    used = take_turns(f"{days} days", engines, turns)
    ours = {LOAD: used[LOAD], MATERIALIZE: materialized}
    peers = {LOAD_BY_HAND: used[LOAD_BY_HAND], FEATURES_BY_HAND: made_by_hand}
    facts = {GROWS_BY: days, "silver rows": lake.digests(lake.tables, "silver")[0][0]}
    return Case(f"one day after {days}", {**ours, **peers}, facts)
