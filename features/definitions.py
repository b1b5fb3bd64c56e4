"""The objects with which a user declares features: entities, aggregations, feature views and feature services.

A *windowed* view (``aggregations``) aggregates the events of an entity over windows, such as the mean delay of the
last 7 days. A *latest-value* view (``fields``) takes columns of the entity's newest event. The values of both change
only at the points of a hop grid (``features.grid``). Durations are written ``7d``, ``12h``, ``15m``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from conf.durations import format_duration, parse_duration, to_micros

FUNCTIONS = ("count", "sum", "mean", "min", "max")
DAY = timedelta(days=1)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _check_name(kind: str, name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{kind} {name!r}: a name has lower-case letters, digits and _, and begins with a letter")


def _names(kind: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(f"{kind} is a list of names, not {values!r}")
    return tuple(values)


@dataclass(frozen=True)
class Entity:
    """A thing that features describe, such as an airline. The ``join_keys`` identify it in the source and the spine."""

    name: str
    join_keys: Sequence[str]

    def __post_init__(self) -> None:
        _check_name("entity", self.name)
        object.__setattr__(self, "join_keys", _names(f"entity {self.name}: join_keys", self.join_keys))
        if not self.join_keys or len(set(self.join_keys)) != len(self.join_keys):
            raise ValueError(f"entity {self.name}: join_keys are one or more different columns")


@dataclass(frozen=True)
class Aggregation:
    """One function of one column over several windows; each window gives one feature."""

    column: str
    function: str
    windows: Sequence[str]

    def __post_init__(self) -> None:
        _check_name("aggregation of column", self.column)
        if self.function not in FUNCTIONS:
            raise ValueError(f"aggregation of {self.column}: {self.function!r} is not one of {', '.join(FUNCTIONS)}")
        object.__setattr__(self, "windows", _names(f"aggregation of {self.column}: windows", self.windows))
        if not self.windows:
            raise ValueError(f"aggregation of {self.column}: give at least one window, such as '7d'")

    @property
    def durations(self) -> tuple[timedelta, ...]:
        return tuple(parse_duration(window) for window in self.windows)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.column}_{self.function}_{format_duration(duration)}" for duration in self.durations)


@dataclass(frozen=True)
class FeatureView:
    """Features of one entity from one silver table. Grain of its gold table: (join keys, feature_at).

    Parameters
    ----------
    source : the silver table
    event_at : the source's column that says when the event happened; by default the contract's
    where : a Spark SQL condition on the source's columns; only rows whose current version satisfies it are events
    aggregations, fields : exactly one of them; ``fields`` makes it a latest-value view
    hop : the distance between grid points; divides a day
    available_after : how long after ``feature_at`` a value may first be used
    ttl : in a latest-value view, how old the event may be when its value is used; older ones give NULL
    """

    name: str
    entity: Entity
    source: str
    aggregations: Sequence[Aggregation] = ()
    fields: Sequence[str] = ()
    event_at: str | None = None
    where: str | None = None
    hop: str = "1d"
    available_after: str = "0"
    ttl: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        view = f"feature view {self.name}"
        _check_name("feature view", self.name)
        _check_name(f"{view}: source", self.source)
        object.__setattr__(self, "aggregations", tuple(self.aggregations))
        object.__setattr__(self, "fields", _names(f"{view}: fields", self.fields))
        if bool(self.aggregations) == bool(self.fields):
            raise ValueError(f"{view}: give either aggregations or fields")
        hop = self._duration("hop", self.hop)
        self._duration("available_after", self.available_after)
        if hop <= timedelta(0) or DAY % hop:
            raise ValueError(f"{view}: hop {self.hop} does not divide a day")
        for window in self.windows:
            if window <= timedelta(0) or window % hop:
                raise ValueError(
                    f"{view}: window {format_duration(window)} is not a whole number of hops of {self.hop}"
                )
        if self.ttl is not None:
            self._duration("ttl", self.ttl)
            if self.aggregations:
                raise ValueError(f"{view}: ttl is for latest-value views; a windowed view forgets by its windows")
        names = self.feature_names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{view}: {', '.join(twice)} is declared twice")
        reserved = {"feature_at", "available_at", *self.entity.join_keys} & set(names)
        if reserved:
            raise ValueError(f"{view}: {', '.join(sorted(reserved))} cannot be a feature's name")

    def _duration(self, what: str, text: str) -> timedelta:
        try:
            return parse_duration(text)
        except ValueError as error:
            raise ValueError(f"feature view {self.name}: {what}: {error}") from None

    @property
    def is_latest_value(self) -> bool:
        return bool(self.fields)

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """All distinct windows, shortest first; empty for a latest-value view."""
        return tuple(sorted({window for aggregation in self.aggregations for window in aggregation.durations}))

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(self.fields) or tuple(n for aggregation in self.aggregations for n in aggregation.feature_names)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The source's columns that the view aggregates or takes, each once."""
        return tuple(self.fields) or tuple(dict.fromkeys(aggregation.column for aggregation in self.aggregations))

    @property
    def hop_micros(self) -> int:
        return to_micros(parse_duration(self.hop))

    @property
    def available_after_micros(self) -> int:
        return to_micros(parse_duration(self.available_after))

    @property
    def ttl_micros(self) -> int | None:
        return None if self.ttl is None else to_micros(parse_duration(self.ttl))

    @property
    def reach_micros(self) -> int | None:
        """How long an event still counts after the end of its hop: the longest window; None: for ever."""
        return to_micros(self.windows[-1]) if self.windows else None

    def column_of(self, feature: str) -> str:
        """Return the name of a feature's column in a training set, which joins the features of several views."""
        return f"{self.name}__{feature}"


@dataclass(frozen=True)
class FeatureService:
    """The feature views that a model uses. A training set's columns are named ``<view>__<feature>``."""

    name: str
    features: Sequence[FeatureView]
    description: str = ""

    def __post_init__(self) -> None:
        _check_name("feature service", self.name)
        object.__setattr__(self, "features", tuple(self.features))
        names = [view.name for view in self.features]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"feature service {self.name}: name one or more different views")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(view.column_of(name) for view in self.features for name in view.feature_names)
