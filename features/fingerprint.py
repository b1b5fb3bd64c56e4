"""The fingerprint of a feature view: a hash of everything that its values follow from.

A feature table carries it; rows made under another fingerprint mean something else and are never mixed with it. Of
the contract it covers the event time, the known time, the key, the order, and how each column that is read is made,
back to the raw columns and the maps; not names of files, descriptions, or columns that no one reads.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from conf.contract import Contract, KnownColumn, Lag
from conf.durations import to_micros
from features.definitions import FeatureView

# Raised when the same declaration begins to give other rows.
MEANING = 1
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fingerprint(view: FeatureView, contract: Contract) -> str:
    """Return the SHA-256, as 64 hex digits, of the view's meaning as canonical JSON."""
    text = json.dumps(_meaning(view, contract), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _meaning(view: FeatureView, contract: Contract) -> dict[str, Any]:
    event_at = view.event_at or contract.event_at
    where = (view.where or "").strip()
    read = {event_at, *view.entity.join_keys, *view.value_columns, *contract.key, *contract.order_by, *_words(where)}
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
    """What decides the rows and the columns read; expressions see the columns above them, the maps, the raw columns."""
    words = {word.lower() for word in read}
    columns: dict[str, list[str]] = {}
    for column in reversed(contract.columns):
        if column.name in words:
            columns[column.name] = [column.type, column.expr.strip()]
            words |= _words(column.expr)
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
        lag: timedelta = known_at.after_event
        return ["after_event", contract.event_at, to_micros(lag)]
    if isinstance(known_at, KnownColumn):
        return ["column", known_at.column]
    return [known_at, contract.landing.delivered] if known_at == "delivered" else [known_at]


def _words(text: str) -> set[str]:
    """Return the words of an expression, a superset of the names it reads; Spark's names have no case."""
    found: Iterable[str] = _WORD.findall(text)
    return {word.lower() for word in found}
