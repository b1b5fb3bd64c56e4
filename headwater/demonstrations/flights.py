"""``headwater demo``: the whole loop on the flights that ship, by the functions that the commands call.

History lands until 2013-10-31, and a model is trained. Then the first week of November comes in three increments, with
a day that is late, a file that comes twice, and a file with damaged rows. Then the model is trained again, gated, and
asked about the flights of 2013-11-08.
"""

import time
from datetime import UTC, date, datetime
from pathlib import Path

from headwater.demonstrations.afresh import begin_afresh
from headwater.demonstrations.feeds import INCREMENTS, Delivery, land_history
from headwater.lake_job import LakeJob, open_for_writing
from headwater.options import Options
from headwater.output import print_table, say, stderr, without_empty_columns
from headwater.reports import print_gold, print_loads, print_score, print_training
from pipelines.gold.materialize import materialize
from pipelines.load import load_tables
from pipelines.reading.query import build_query
from training.model_job import ModelJob
from training.scoring.score import score
from training.train import train

MODEL = "late_arrival"
HISTORY_UNTIL = date(2013, 10, 31)
SCORED_FROM = datetime(2013, 11, 8, tzinfo=UTC)
AS_OF = datetime(2013, 11, 9, 3, tzinfo=UTC)
ACCOUNTING = """
select table_name `table`, count(*) files, count_if(status = 'duplicate') again, sum(rows_in_file) `rows`,
  sum(rows_accepted) accepted, sum(rows_quarantined) quarantined, sum(rows_superseded) superseded,
  sum(rows_repeated) repeated,
  count_if(rows_in_file <> rows_accepted + rows_quarantined + rows_superseded + rows_repeated) `unaccounted`
from ops.files group by table_name order by table_name"""


def run_demo(options: Options) -> None:
    """Run the demonstration in its own environment, which is emptied first."""
    begin_afresh(options, "demo")
    started = time.monotonic()
    with open_for_writing(options, options.load(), "demo") as job:
        _load_history(job)
        _load_november(job)
        _train(job, "training again, with a week more")
        _score(job)
        _account(job)
    _say_where_to_look(time.monotonic() - started)


def _load_history(job: LakeJob) -> None:
    _say_step("history lands")
    _show_delivery(land_history(Path(job.project.settings.landing), HISTORY_UNTIL))
    _load(job)
    _materialize(job)
    _train(job, "training the first model")


def _load_november(job: LakeJob) -> None:
    for number, land in enumerate(INCREMENTS, 1):
        _say_step(f"increment {number} of {len(INCREMENTS)}")
        _show_delivery(land(Path(job.project.settings.landing)))
        _load(job)
        _materialize(job)


def _load(job: LakeJob) -> None:
    contracts = [job.project.contracts[name] for name in sorted(job.project.contracts)]
    print_loads(load_tables(job.lake, contracts, None, job.run, say))


def _materialize(job: LakeJob) -> None:
    say("materializing features")
    views = [job.project.views[name] for name in sorted(job.project.views)]
    print_gold(materialize(job.project, job.lake, views, None, job.run))


def _train(job: LakeJob, message: str) -> None:
    _say_step(message)
    print_training(train(ModelJob(job.project, job.lake, MODEL, job.run)))


def _score(job: LakeJob) -> None:
    _say_step("scoring the flights of 2013-11-08, before their outcomes come")
    model_job = ModelJob(job.project, job.lake, MODEL, job.run)
    print_score(score(model_job, since=SCORED_FROM, until=AS_OF, as_of=AS_OF))


def _account(job: LakeJob) -> None:
    _say_step("every row of every file is accounted for")
    frame = build_query(job.lake, ACCOUNTING)
    rows = [tuple(row) for row in frame.collect()]
    print_table(*without_empty_columns(frame.columns, rows, kept=("table", "files", "rows", "accepted", "unaccounted")))


def _say_step(message: str) -> None:
    stderr.rule(f"[bold]{message}", align="left")


def _show_delivery(delivery: Delivery) -> None:
    rows = sum(file.rows for file in delivery.files)
    stderr.print(f"landed {len(delivery.files)} files with {rows} rows")
    stderr.print(f"  {delivery.description}", soft_wrap=True)


def _say_where_to_look(seconds: float) -> None:
    stderr.rule(f"[bold]done in {seconds:.0f} s", align="left")
    for line in (
        'headwater --env demo query "select * from gold.late_arrival_scores order by score desc"',
        "headwater --env demo features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z",
        "headwater --env demo history gold.carrier_delays",
        "headwater --env demo ui     # compare the two runs, see the champion",
    ):
        stderr.print(f"  .venv/bin/{line}", markup=False, soft_wrap=True)
