"""A naive oracle of feature values: the rules about time, written as loops over lists. It knows no Spark, no tiles.

Instants and durations are integers in microseconds. Numbers are added exactly, as fractions, so no order of addition
can show in a result; tests that compare doubles use values whose sums are exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

from conf.durations import to_micros
from features.definitions import FeatureView

Entity = tuple[Any, ...]
Gold = dict[tuple[Entity, int], tuple[Any, ...]]


@dataclass(frozen=True)
class Delivery:
    """One version of one source row, as it was delivered."""

    key: int
    order: int | None
    known_at: int
    entity: Entity
    event_at: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """The version of a source row that stands. Grain (key)."""

    key: int
    known_at: int
    entity: Entity
    event_at: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Spec:
    """What a feature view says, in numbers: (column, function, window) each, or fields."""

    hop: int
    available_after: int
    aggregations: Sequence[tuple[str, str, int]] = ()
    fields: Sequence[str] = ()
    ttl: int | None = None
    windows: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "windows", sorted({window for _, _, window in self.aggregations}))

    @classmethod
    def of(cls, view: FeatureView) -> Self:
        parts = [(a.column, a.function, to_micros(window)) for a in view.aggregations for window in a.durations]
        return cls(view.hop_micros, view.available_after_micros, parts, view.fields, view.ttl_micros)


def stand(deliveries: Iterable[Delivery]) -> dict[int, Row]:
    """Reduce a latest-only table: per key the last version in the total order, known since any of them was."""
    rows: dict[int, Row] = {}
    ranked = sorted(deliveries, key=_rank)
    for last in ranked:
        known_at = min(version.known_at for version in ranked if version.key == last.key)
        rows[last.key] = Row(last.key, known_at, last.entity, last.event_at, last.values)
    return rows


def _rank(version: Delivery) -> tuple[Any, ...]:
    is_ordered = version.order is not None
    content = repr((version.entity, version.event_at, sorted(version.values.items())))
    return is_ordered, version.order if is_ordered else 0, version.known_at, content


def counted(spec: Spec, rows: Iterable[Row], entity: Entity, feature_at: int) -> list[Row]:
    """The events of an entity that a value at ``feature_at`` may be made of, oldest first."""
    usable_at = feature_at + spec.available_after
    mine = [row for row in rows if row.entity == entity and row.event_at is not None]
    seen = [row for row in mine if row.event_at < feature_at and row.known_at <= usable_at]
    return sorted(seen, key=lambda row: (row.event_at, row.key))


def value(spec: Spec, rows: Iterable[Row], entity: Entity, feature_at: int) -> tuple[Any, ...]:
    """The features at a grid point; of a latest-value view, the event's time before its fields."""
    seen = counted(spec, rows, entity, feature_at)
    if spec.fields:
        if not seen:
            return (None,) * (1 + len(spec.fields))
        return (seen[-1].event_at, *(seen[-1].values[name] for name in spec.fields))
    found = []
    for column, function, window in spec.aggregations:
        inside = [row.values[column] for row in seen if row.event_at >= feature_at - window]
        found.append(aggregate(function, [number for number in inside if number is not None]))
    return tuple(found)


def aggregate(function: str, numbers: list[Any]) -> Any:
    if function == "count":
        return len(numbers)
    if not numbers:
        return None
    if function in ("min", "max"):
        return min(numbers) if function == "min" else max(numbers)
    total = sum(Fraction(number) for number in numbers)
    if function == "mean":
        return float(total / len(numbers))
    kind = type(numbers[0])
    return Decimal(total.numerator) / Decimal(total.denominator) if kind is Decimal else kind(total)


def gold(spec: Spec, rows: Sequence[Row], through: int) -> Gold:
    """The sparse table by its definition: a row where a value is made of other events than one hop before."""
    table: Gold = {}
    events = [row for row in rows if row.event_at is not None and None not in row.entity]
    for entity in {row.entity for row in events}:
        mine = [row for row in events if row.entity == entity]
        first = min(row.event_at for row in mine) // spec.hop * spec.hop
        reach = spec.windows[-1] if spec.windows else 0
        last = max(max(row.event_at, row.known_at) for row in mine) + reach + 2 * spec.hop
        before: set[tuple[int, int]] = set()
        for point in range(first, last + 1, spec.hop):
            now = makers(spec, mine, entity, point)
            if now != before and point + spec.available_after <= through:
                table[entity, point] = value(spec, mine, entity, point)
            before = now
    return table


def makers(spec: Spec, rows: Sequence[Row], entity: Entity, feature_at: int) -> set[tuple[int, int]]:
    """Which event counts in which window."""
    seen = counted(spec, rows, entity, feature_at)
    if spec.fields:
        return {(0, row.key) for row in seen[-1:]}
    return {(w, row.key) for w in spec.windows for row in seen if row.event_at >= feature_at - w}


def lookup(spec: Spec, rows: Sequence[Row], entity: Entity, prediction_at: int | None, as_of: int) -> tuple[Any, ...]:
    """What a prediction row gets; of a latest-value view without the event's time."""
    nothing = (None,) * (len(spec.fields) or len(spec.aggregations))
    if prediction_at is None or None in entity:
        return nothing
    point = (min(prediction_at, as_of) - spec.available_after) // spec.hop * spec.hop
    found = value(spec, rows, entity, point)
    if not spec.fields:
        return found
    event_at, *fields = found
    is_old = spec.ttl is not None and event_at is not None and prediction_at - event_at > spec.ttl
    return nothing if is_old else tuple(fields)
