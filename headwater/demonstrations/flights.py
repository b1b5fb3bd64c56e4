"""``headwater demo``: the whole loop on the flights that ship, with the functions that the commands call.

The history until 2013-10-31 lands, and a model is trained. Then the first week of November comes in three increments:
one day is late, one file comes twice, and one has damaged rows. The model is trained and gated again, and scores the
flights of 2013-11-08.
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
from pipelines.reading.query import answer_query
from training.scoring.score import score
from training.train import train

MODEL = "late_arrival"
HISTORY_UNTIL = date(2013, 10, 31)
SCORED_FROM = datetime(2013, 11, 8, tzinfo=UTC)
AS_OF = datetime(2013, 11, 9, 3, tzinfo=UTC)
ACCOUNTING = """
select table_name as "table", count(*) as files, count(*) filter (where status = 'duplicate') as again,
  sum(rows_in_file) as rows, sum(rows_accepted) as accepted, sum(rows_quarantined) as quarantined,
  sum(rows_superseded) as superseded, sum(rows_repeated) as repeated,
  sum(abs(rows_in_file - rows_accepted - rows_quarantined - rows_superseded - rows_repeated)) as unaccounted
from ops.files group by table_name order by table_name"""
WHERE_TO_LOOK = (
    'headwater --env demo query "select * from gold.late_arrival_scores order by score desc"',
    "headwater --env demo features get carrier_delays carrier=UA --at 2013-11-05T12:00:00Z",
    "headwater --env demo history gold.carrier_delays",
    "headwater --env demo ui     # compare the two runs, see the champion",
)


def run_demo(options: Options) -> None:
    """Run the demonstration in its own environment, which is emptied first."""
    landing = Path(begin_afresh(options, "demo").landing)
    started = time.monotonic()
    with open_for_writing(options, options.load(), "demo") as job:
        _print_step("history lands")
        _take_in(job, land_history(landing, HISTORY_UNTIL))
        _print_step("training the first model")
        print_training(train(job.on_model(MODEL)))
        for number, land in enumerate(INCREMENTS, 1):
            _print_step(f"increment {number} of {len(INCREMENTS)}")
            _take_in(job, land(landing))
        _print_step("training again, with a week more")
        print_training(train(job.on_model(MODEL)))
        _print_step("scoring the flights of 2013-11-08, before their outcomes come")
        print_score(score(job.on_model(MODEL), since=SCORED_FROM, until=AS_OF, as_of=AS_OF))
        _print_step("every row of every file is accounted for")
        files = answer_query(job.lake, ACCOUNTING)
        rows = files.rows()
        print_table(*without_empty_columns(files.columns, rows, kept=("table", "files", "rows", "accepted")))
        stderr.print(f"rows that are not accounted for: {sum(row[-1] for row in rows)}")
    _print_step(f"done in {time.monotonic() - started:.0f} s")
    for line in WHERE_TO_LOOK:
        stderr.print(f"  .venv/bin/{line}", markup=False, soft_wrap=True)


def _take_in(job: LakeJob, delivery: Delivery) -> None:
    """Load what has landed into bronze and silver, and bring all features up to date."""
    stderr.print(f"landed {len(delivery.files)} files with {sum(file.rows for file in delivery.files)} rows")
    stderr.print(f"  {delivery.description}", soft_wrap=True)
    project = job.project
    contracts = [project.contracts[name] for name in sorted(project.contracts)]
    print_loads(load_tables(job.spark_lake, contracts, None, job.run, say))
    say("materializing features")
    views = [project.views[name] for name in sorted(project.views)]
    print_gold(materialize(project, job.spark_lake, views, None, job.run))


def _print_step(message: str) -> None:
    stderr.rule(f"[bold]{message}", align="left")
