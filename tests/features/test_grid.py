"""The hop grid: floor and ceiling at and beside the points, on both sides of 1970."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.definitions import Entity, FeatureView
from features.grid import last_point, slice_micros
from features.spark.grid_columns import ceil_to_hop, floor_to_hop, micros

HOUR = 3_600_000_000
INSTANTS = [n * HOUR + beside for n in (-25, -1, 0, 1, 385_000) for beside in (-1, 0, 1)]
far = st.integers(min_value=-(10**17), max_value=10**17)


def view(hop: str, available_after: str = "0") -> FeatureView:
    return FeatureView("v", Entity("e", ["k"]), "things", fields=["x"], hop=hop, available_after=available_after)


def test_floor_and_ceiling_in_spark_are_those_of_exact_fractions(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(us,) for us in INSTANTS], "us bigint")
    found = frame.select("us", floor_to_hop(F.col("us"), HOUR), ceil_to_hop(F.col("us"), HOUR)).collect()
    expected = [(us, floor(Fraction(us, HOUR)) * HOUR, ceil(Fraction(us, HOUR)) * HOUR) for us in INSTANTS]
    assert sorted(tuple(row) for row in found) == sorted(expected)


def test_a_literal_is_exact_beyond_doubles(spark: SparkSession) -> None:
    assert spark.range(1).select(micros(2**53 + 1)).collect()[0][0] == 2**53 + 1


@given(through=far, hop=st.sampled_from(["1m", "10m", "1h", "1d"]), after=st.sampled_from(["0", "25m", "12h", "31h"]))
def test_the_last_point_is_available_and_the_next_is_not(through: int, hop: str, after: str) -> None:
    declared = view(hop, after)
    point = last_point(declared, through)
    assert point % declared.hop_micros == 0
    assert point + declared.available_after_micros <= through
    assert point + declared.hop_micros + declared.available_after_micros > through


@pytest.mark.parametrize("reach", [None, 0, 1, HOUR, 1023 * HOUR, 1024 * HOUR, 1024 * HOUR + 1, 99_999 * HOUR])
def test_a_slice_is_whole_hops_and_holds_the_reach_and_a_hop(reach: int | None) -> None:
    length = slice_micros(view("1h"), reach)
    assert length % HOUR == 0
    assert length >= max(1024 * HOUR, (reach or 0) + HOUR)
