"""Spine and labels on literal rows: one row for every reason to train, to judge, or to be left out."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.errors import ConfigError
from conf.model import Label, Spine, Split
from training.dataset.spark.labels import build_labelled_spine, build_labels
from training.dataset.spark.spine import build_spine
from training.dataset.split import place_split
from training.scoring.spark.questions import build_questions

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def day(number: int) -> datetime:
    return datetime(2020, 1, number, tzinfo=UTC)


SPINE = Spine(
    table="trips",
    key=("driver", "trip"),
    prediction_at="starts_at - INTERVAL 1 HOUR",
    where="km > 0",
    columns={"driver": "driver", "km": "km * 2"},
)
LABEL = Label(table="ends", expr="late_min > 15", happened_at="ended_at")


@pytest.fixture(scope="module")
def trips(spark: SparkSession) -> DataFrame:
    asked = {  # by trip: starts_at, _known_at
        1: (day(2), day(1)),
        2: (day(11), day(1)),
        3: (None, day(1)),
        4: (day(2), day(2)),
        5: (day(2), day(1)),
        6: (day(2), day(1)),
        7: (day(2), day(1)),
        8: (day(9) + HOUR, day(1)),
        9: (day(20) + HOUR, day(1)),
        10: (day(20) + HOUR + TICK, day(1)),
        11: (day(2), day(2) - HOUR),
    }
    rows = [("ann", trip, 3.0, "red", starts, known) for trip, (starts, known) in asked.items()]
    rows.append(("ann", 99, 0.0, "red", day(2), day(1)))
    schema = "driver string, trip int, km double, line string, starts_at timestamp, _known_at timestamp"
    return spark.createDataFrame(rows, schema)


@pytest.fixture(scope="module")
def ends(spark: SparkSession) -> DataFrame:
    outcomes = {  # by trip: late_min, ended_at, _known_at
        1: (20.0, day(2), day(3)),
        2: (5.0, day(11), day(12)),
        4: (20.0, day(2), day(3)),
        5: (None, day(2), day(3)),
        6: (20.0, None, day(3)),
        7: (20.0, day(2), day(20) + TICK),
        8: (20.0, day(9), day(9)),
        9: (20.0, day(19), day(20)),
        10: (20.0, day(19), day(20)),
        11: (20.0, day(2), day(10)),
    }
    rows = [("ann", trip, *outcome) for trip, outcome in outcomes.items()]
    schema = "driver string, trip int, late_min double, ended_at timestamp, _known_at timestamp"
    return spark.createDataFrame(rows, schema)


def test_a_spine_row_has_key_time_request_columns_and_join_keys_each_once(trips: DataFrame) -> None:
    spine = build_spine(trips, SPINE, ["driver", "line"])
    assert spine.columns == ["driver", "trip", "prediction_at", "km", "line", "_known_at"]
    (first,) = spine.where("trip = 1").collect()
    assert (first["prediction_at"].replace(tzinfo=UTC), first["km"], first["line"]) == (day(2) - HOUR, 6.0, "red")
    assert spine.where("trip = 99").count() == 0


@pytest.mark.parametrize("columns", [{"trip": "trip + 1"}, {"prediction_at": "prediction_at"}])
def test_a_request_column_cannot_give_a_key_another_meaning(trips: DataFrame, columns: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="already the name"):
        build_spine(trips, SPINE.model_copy(update={"columns": columns}), [])


def test_a_label_is_known_when_it_has_happened_and_its_row_is_known(ends: DataFrame) -> None:
    labels = {row["trip"]: row for row in build_labels(ends, LABEL, SPINE.key).collect()}
    assert labels[1]["_label_known_at"].replace(tzinfo=UTC) == day(3)
    assert labels[6]["_label_known_at"] is None
    assert (labels[1]["_label"], labels[2]["_label"], labels[5]["_label"]) == (1.0, 0.0, None)
    early = LABEL.model_copy(update={"happened_at": "ended_at + INTERVAL 40 DAYS"})
    known = build_labels(ends.where("trip = 1"), early, SPINE.key).collect()[0]["_label_known_at"]
    assert known.replace(tzinfo=UTC) == day(2) + timedelta(days=40)


def test_a_label_is_a_number(ends: DataFrame) -> None:
    with pytest.raises(ConfigError, match="the label is of type string"):
        build_labels(ends, LABEL.model_copy(update={"expr": "driver"}), SPINE.key)
    nan = LABEL.model_copy(update={"expr": "double('NaN')"})
    assert {row["_label"] for row in build_labels(ends, nan, SPINE.key).collect()} == {None}


def test_every_spine_row_has_one_fate(trips: DataFrame, ends: DataFrame) -> None:
    bounds = place_split(Split(split_at="2020-01-10", gap="1d"), day(20))
    spine, labels = build_spine(trips, SPINE, ["line"]), build_labels(ends, LABEL, SPINE.key)
    labelled = build_labelled_spine(spine, labels, SPINE.key, bounds)
    assert {row["trip"]: row["_fate"] for row in labelled.collect()} == {
        1: "training",
        2: "holdout",
        3: "without_prediction_at",
        4: "known_after_prediction_at",
        5: "without_label",
        6: "label_not_yet_known",
        7: "label_not_yet_known",
        8: "between",  # asked just when the gap begins
        9: "between",  # asked at as_of: it enters, but the holdout has ended
        10: "asked_after_as_of",
        11: "training",  # known just when it was asked; its label just at the split
    }


def test_questions_are_half_open_and_those_that_cannot_be_asked_stand_apart(trips: DataFrame) -> None:
    spine = build_spine(trips, SPINE, [])
    questions, wrong = build_questions(spine, day(20), day(2) - HOUR, day(20))
    assert {row["trip"] for row in questions.collect()} == {1, 2, 5, 6, 7, 8, 11}
    assert {row["trip"] for row in wrong.collect()} == {3, 4}
    later, wrong_later = build_questions(spine, day(20), day(2) - HOUR + TICK, day(20) + TICK)
    assert {row["trip"] for row in later.collect()} == {2, 8, 9}
    assert {row["trip"] for row in wrong_later.collect()} == {3}


def test_a_row_known_after_as_of_does_not_exist_yet(trips: DataFrame) -> None:
    questions, wrong = build_questions(build_spine(trips, SPINE, []), day(2) - HOUR, None, day(2) - HOUR + TICK)
    assert {row["trip"] for row in questions.collect()} == {1, 5, 6, 7, 11}
    assert {row["trip"] for row in wrong.collect()} == {3}
