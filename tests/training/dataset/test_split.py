"""The split by time, at equality: half-open everywhere."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.errors import TrainingError
from conf.model import Split
from training.dataset.columns import BETWEEN, HOLDOUT, TRAINING
from training.dataset.spark.labels import build_part
from training.dataset.split import place_split

AS_OF = datetime(2020, 2, 1, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


def test_the_length_of_the_holdout_places_the_split_before_the_wait() -> None:
    bounds = place_split(Split(holdout="14d", gap="1d", label_wait="2d"), AS_OF)
    assert bounds.holdout_until == AS_OF - 2 * DAY
    assert bounds.split_at == AS_OF - 16 * DAY
    assert bounds.train_until == AS_OF - 17 * DAY


def test_a_fixed_split_stays_where_it_is() -> None:
    bounds = place_split(Split(split_at="2020-01-10", gap="12h"), AS_OF)
    assert (bounds.split_at, bounds.holdout_until) == (datetime(2020, 1, 10, tzinfo=UTC), AS_OF)
    assert bounds.train_until == datetime(2020, 1, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize("split_at", ["2020-02-01", "2020-02-02"])
def test_a_split_that_leaves_no_holdout_is_refused(split_at: str) -> None:
    with pytest.raises(TrainingError, match="holdout is empty"):
        place_split(Split(split_at=split_at), AS_OF)


def test_each_part_is_half_open(spark: SparkSession) -> None:
    bounds = place_split(Split(split_at="2020-01-10", gap="1d", label_wait="2d"), AS_OF)
    split_at, train_until, until = bounds.split_at, bounds.train_until, bounds.holdout_until
    early = datetime(2020, 1, 1, tzinfo=UTC)
    expected = [
        (train_until - TICK, early, TRAINING),
        (train_until, early, BETWEEN),
        (early, split_at, TRAINING),
        (early, split_at + TICK, BETWEEN),
        (split_at - TICK, split_at, BETWEEN),
        (split_at, AS_OF, HOLDOUT),
        (until - TICK, AS_OF, HOLDOUT),
        (until, AS_OF, BETWEEN),
    ]
    rows = [(n, asked, known) for n, (asked, known, _) in enumerate(expected)]
    frame = spark.createDataFrame(rows, "n int, asked timestamp, known timestamp")
    part = build_part(bounds, F.col("asked"), F.col("known"))
    found = [row.part for row in frame.select("n", part.alias("part")).orderBy("n").collect()]
    assert found == [name for _, _, name in expected]
