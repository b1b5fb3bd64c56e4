"""The fingerprint of a feature view: a hash of every declaration that decides the view's values.

It is stored with the feature table. When the declarations change so that the fingerprint differs, the table is built
anew, and rows of the two meanings are never mixed. From the contract it covers the event time, the known time, the
key, the order, and the expressions of the columns that the view reads, back to the raw columns and maps. It leaves
out what changes no value: file names, descriptions, and columns that the view does not read.
"""

import hashlib
import json
from typing import Any

from conf.contract import Contract, KnownColumn, Lag
from conf.durations import to_micros
from conf.expressions import words_of
from features.definitions import FeatureView

# Add 1 when a change of the code makes the same declarations give other rows.
MEANING = 1


def fingerprint(view: FeatureView, contract: Contract) -> str:
    """Return a SHA-256 as 64 hex digits."""
    text = json.dumps(_meaning(view, contract), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(view: FeatureView, contract: Contract) -> dict[str, Any]:
    event_at = view.event_at or contract.event_at
    where = (view.where or "").strip()
    read = {event_at, *view.entity.join_keys, *view.value_columns, *contract.key, *contract.order_by, *words_of(where)}
    if isinstance(contract.known_at, KnownColumn):
        read.add(contract.known_at.column)
    if isinstance(contract.known_at, Lag):
        read.add(contract.event_at)
    return {
        "meaning": MEANING,
        "source": view.source,
        "join_keys": sorted(view.entity.join_keys),
        "event_at": event_at,
        "where": where,
        "hop": view.hop_micros,
        "available_after": view.available_after_micros,
        "ttl": view.ttl_micros,
        "aggregations": sorted(
            [a.column, a.function, to_micros(window)] for a in view.aggregations for window in a.durations
        ),
        "fields": sorted(view.fields),
        "contract": _contract_meaning(contract, read),
    }


def _contract_meaning(contract: Contract, read: set[str]) -> dict[str, Any]:
    """Return the part of the contract that decides the columns in ``read``.

    An expression may use columns declared above it, so the columns are visited from the last to the first.
    """
    words = {word.lower() for word in read}
    columns: dict[str, list[str]] = {}
    for column in reversed(contract.columns):
        if column.name in words:
            columns[column.name] = [column.type, column.expr.strip()]
            words |= words_of(column.expr)
    return {
        "columns": columns,
        "maps": {name: entries for name, entries in contract.maps.items() if name in words},
        "raw": {raw.name: raw.header for raw in contract.raw if raw.name.lower() in words},
        "null_text": sorted(contract.landing.null_texts),
        "key": sorted(contract.key),
        "order_by": list(contract.order_by),
        "known_at": _known_at(contract),
    }


def _known_at(contract: Contract) -> list[str | int]:
    known_at = contract.known_at
    if isinstance(known_at, Lag):
        return ["after_event", contract.event_at, to_micros(known_at.after_event)]
    if isinstance(known_at, KnownColumn):
        return ["column", known_at.column]
    return [known_at, contract.landing.delivered] if known_at == "delivered" else [known_at]
