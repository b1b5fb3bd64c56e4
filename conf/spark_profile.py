"""How an embedded Spark is sized by how much there is to read. This is the only table of these numbers.

A short job ends before Java's optimizing compiler (C2) has earned its cost: with the quick compiler (C1) alone, a load
of one day takes half of the CPU seconds. C1 needs a larger code cache than Java gives it, or it throws code away and
compiles it again. Adaptive execution plans a query anew after each shuffle, as jobs of their own; for a few megabytes
that costs more than any plan can save. A long job wants both, C2 and adaptive execution.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Asked = Literal["auto", "small", "large"]


@dataclass(frozen=True)
class SparkProfile:
    """The flags of the JVM and the properties of Spark for jobs of one size."""

    name: str
    shuffle_partitions: int
    java_options: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


SMALL = SparkProfile(
    "small",
    shuffle_partitions=2,
    java_options="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m -XX:+UseSerialGC",
    properties={"spark.sql.adaptive.enabled": "false"},
)
LARGE = SparkProfile("large", shuffle_partitions=8)
MOST_BYTES_OF_SMALL = 48 * 1024**2


@dataclass(frozen=True)
class ChosenProfile:
    """The profile that was taken, and why."""

    profile: SparkProfile
    reason: str

    def __str__(self) -> str:
        return f"Spark is {self.profile.name}: {self.reason}"


def choose_profile(asked: Asked, bytes_to_read: int | None) -> ChosenProfile:
    """Choose the profile of a job.

    Parameters
    ----------
    asked : the setting ``spark.profile``
    bytes_to_read : at most so many bytes of files and tables will be read; None when that is not known
    """
    if asked != "auto":
        return ChosenProfile(SMALL if asked == "small" else LARGE, "by the setting spark.profile")
    if bytes_to_read is None:
        return ChosenProfile(LARGE, "how much there is to read is not known")
    profile = SMALL if bytes_to_read <= MOST_BYTES_OF_SMALL else LARGE
    return ChosenProfile(profile, f"{_in_words(bytes_to_read)} to read")


def _in_words(number: int) -> str:
    """Write a number of bytes: 12 MB, 3 GB."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number = round(number / 1000)
    return f"{number:,.0f} GB"
