"""The demonstration: the whole loop on the flights that ship, by the functions the public commands call.

History lands until 2013-10-31 and a model is trained; then the first week of November comes in three increments, with
a day that is late, a file that comes twice and one with damaged rows; then the model is trained again, gated, and
asked about the flights of 2013-11-08.
"""

import shutil
import time
from datetime import UTC, date, datetime
from pathlib import Path

import typer

from conf.errors import UsageError
from conf.settings import Settings
from headwater.cli.app import app
from headwater.cli.data import chosen_views, print_gold, print_loads
from headwater.cli.models import job_of, print_score, print_training
from headwater.demonstrations.feeds import INCREMENTS, Delivery, land_history
from headwater.lake_job import Options, Work, writing
from headwater.output import print_table, stderr
from headwater.servers.mlflow import check_not_served
from pipelines.gold.materialize import materialize
from pipelines.load import load_tables
from pipelines.operations.lease import check_free
from pipelines.reading.query import build_query
from training.scoring.score import score
from training.train import train

MODEL = "late_arrival"
HISTORY_UNTIL = date(2013, 10, 31)
SCORED_FROM = datetime(2013, 11, 8, tzinfo=UTC)
AS_OF = datetime(2013, 11, 9, 3, tzinfo=UTC)
ACCOUNTING = """
select table_name, count(*) files, count_if(status = 'duplicate') duplicates, sum(rows_in_file) rows_in_file,
  sum(rows_accepted) accepted, sum(rows_quarantined) quarantined, sum(rows_superseded) superseded,
  sum(rows_repeated) repeated,
  count_if(rows_in_file <> rows_accepted + rows_quarantined + rows_superseded + rows_repeated) files_that_do_not_close
from ops.files group by table_name order by table_name"""


@app.command()
def demo(context: typer.Context) -> None:
    """Run the whole loop on real flights, begun afresh in lake/demo.

    Example: headwater --env demo demo
    """
    options: Options = context.obj
    begin_afresh(options, "demo")
    started = time.monotonic()
    with writing(options, "demo") as work:
        _history(work)
        _november(work)
        _learn(work, "training again, with a week more")
        _score(work)
        _account(work)
    _where_to_look(time.monotonic() - started)


def begin_afresh(options: Options, env: str) -> Settings:
    """Remove all that a demonstration's own environment holds, and return its settings.

    Raises
    ------
    UsageError : in another environment, or when its landing folder does not lie in a folder of the environment's name
    LakeBusy : when a writer or a server uses it
    """
    if options.env != env:
        raise UsageError("the demonstration begins afresh, so it runs only in its own environment", f"use --env {env}")
    settings = options.load().settings
    check_free(settings)
    check_not_served(settings)
    root = Path(settings.landing).parent
    if root.name != env:
        hint = f"the landing folder of a demonstration lies in a folder `{env}`"
        raise UsageError(f"{root} would be removed", hint)
    shutil.rmtree(root, ignore_errors=True)
    return settings


def _history(work: Work) -> None:
    _say("history lands")
    _show(land_history(Path(work.project.settings.landing), HISTORY_UNTIL))
    _load(work)
    _materialize(work)
    _learn(work, "training the first model")


def _november(work: Work) -> None:
    for number, land in enumerate(INCREMENTS, 1):
        _say(f"increment {number} of {len(INCREMENTS)}")
        _show(land(Path(work.project.settings.landing)))
        _load(work)
        _materialize(work)


def _load(work: Work) -> None:
    contracts = [work.project.contracts[name] for name in sorted(work.project.contracts)]
    print_loads(load_tables(work.lake, contracts, None, work.run, work.say))


def _materialize(work: Work) -> None:
    work.say("materializing features")
    print_gold(materialize(work.project, work.lake, chosen_views(work.project, None), None, work.run))


def _learn(work: Work, message: str) -> None:
    _say(message)
    print_training(train(job_of(work, MODEL)))


def _score(work: Work) -> None:
    _say("scoring the flights of 2013-11-08, before their outcomes come")
    print_score(score(job_of(work, MODEL), since=SCORED_FROM, until=AS_OF, as_of=AS_OF))


def _account(work: Work) -> None:
    _say("every row of every file is accounted for")
    rows = build_query(work.lake, ACCOUNTING)
    print_table(rows.columns, [tuple(row) for row in rows.collect()])


def _say(message: str) -> None:
    stderr.rule(f"[bold]{message}", align="left")


def _show(delivery: Delivery) -> None:
    rows = sum(file.rows for file in delivery.files)
    stderr.print(f"landed {len(delivery.files)} files, {rows} rows: {delivery.description}")


def _where_to_look(seconds: float) -> None:
    stderr.rule(f"[bold]done in {seconds:.0f} s", align="left")
    for line in (
        'headwater --env demo query "select * from gold.late_arrival_scores order by score desc"',
        "headwater --env demo features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z",
        "headwater --env demo history gold.carrier_delays",
        "headwater --env demo ui     # compare the two runs, see the champion",
    ):
        stderr.print(f"  .venv/bin/{line}", markup=False, soft_wrap=True)
