"""How an embedded Spark is sized: by what there is to read, unless a setting says otherwise."""

from pathlib import Path
from typing import Any

import pytest

from conf.settings import ROOT, load_settings
from conf.spark_profile import LARGE, MOST_BYTES_OF_SMALL, SMALL, choose_profile
from conf.spark_properties import spark_properties

JAVA, SHUFFLE, ADAPTIVE = (
    "spark.driver.extraJavaOptions",
    "spark.sql.shuffle.partitions",
    "spark.sql.adaptive.enabled",
)


@pytest.mark.parametrize(
    ("asked", "bytes_to_read", "said"),
    [
        ("auto", 0, "Spark is small: 0 bytes to read"),
        ("auto", 12_345_678, "Spark is small: 12 MB to read"),
        ("auto", MOST_BYTES_OF_SMALL, "Spark is small: 50 MB to read"),
        ("auto", MOST_BYTES_OF_SMALL + 1, "Spark is large: 50 MB to read"),
        ("auto", 3_000_000_000_000, "Spark is large: 3,000 GB to read"),
        ("auto", None, "Spark is large: how much there is to read is not known"),
        ("small", None, "Spark is small: by the setting spark.profile"),
        ("large", 0, "Spark is large: by the setting spark.profile"),
    ],
)
def test_the_profile_is_chosen_by_what_there_is_to_read(asked: Any, bytes_to_read: int | None, said: str) -> None:
    assert str(choose_profile(asked, bytes_to_read)) == said


def properties(profile: Any, **overrides: str) -> dict[str, str]:
    variables = {f"HEADWATER__SPARK__{name}": value for name, value in overrides.items()}
    return spark_properties(load_settings(Path(ROOT), "local", variables), None, profile)


def test_a_profile_sets_flags_and_properties() -> None:
    small, large = properties(SMALL), properties(LARGE)
    assert "-XX:TieredStopAtLevel=1" in small[JAVA].split()
    assert "-XX:" not in large[JAVA]
    assert (small[SHUFFLE], large[SHUFFLE]) == ("2", "8")
    assert (small[ADAPTIVE], large.get(ADAPTIVE)) == ("false", None)
    assert properties(LARGE) == spark_properties(load_settings(Path(ROOT), "local", {}))  # what spark-submit gets


def test_what_the_settings_say_wins_over_the_profile() -> None:
    chosen = properties(
        SMALL, DRIVER_JAVA_OPTIONS="-XX:+UseZGC", SHUFFLE_PARTITIONS="5", PROPERTIES=f"{{{ADAPTIVE}: true}}"
    )
    flags = [flag for flag in chosen[JAVA].split() if flag.startswith("-XX")]
    assert (flags, chosen[SHUFFLE], chosen[ADAPTIVE]) == (["-XX:+UseZGC"], "5", "true")
