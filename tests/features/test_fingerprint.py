"""The fingerprint of a view: it changes with its meaning, and with nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from conf.contract import Contract
from conf.yaml_file import build
from features.definitions import Aggregation, Entity, FeatureView
from features.fingerprint import fingerprint

VIEW = FeatureView(
    "usage",
    Entity("meter", ["site", "meter"]),
    "readings",
    [Aggregation("kwh", "sum", ["7d", "1d"]), Aggregation("kwh", "max", ["1d"])],
    where="Status <> 'test'",
    available_after="12h",
)
CONTRACT: dict[str, Any] = {
    "name": "readings",
    "landing": {"path": "readings", "format": "csv", "delivered": "delivered=%Y-%m-%dT%H-%M"},
    "raw": ["site", "meter", "status", {"name": "wh", "header": "Watt hours"}, "taken", "seen", "note"],
    "columns": [
        {"name": "site", "type": "string"},
        {"name": "meter", "type": "string"},
        {"name": "status", "type": "string", "expr": "status_names[status]"},
        {"name": "joules", "type": "double", "expr": "cast(WH as double) * 3600"},
        {"name": "kwh", "type": "double", "expr": "joules / 3.6e6", "unit": "kWh", "description": "Used."},
        {"name": "taken_at", "type": "timestamp", "expr": "taken"},
        {"name": "seen_at", "type": "timestamp", "expr": "seen"},
        {"name": "note", "type": "string"},
    ],
    "maps": {"status_names": {"t": "test", "l": "live"}, "unread": {"a": 1}},
    "key": ["site", "meter", "taken_at"],
    "event_at": "taken_at",
}


def of(view: FeatureView = VIEW, **changes: Any) -> str:
    return fingerprint(view, build(Contract, {**CONTRACT, **changes}, "readings.yml"))


def columns(**exprs: str) -> list[dict[str, Any]]:
    return [{**c, "expr": exprs.get(c["name"], c.get("expr", c["name"]))} for c in CONTRACT["columns"]]


def landing(**changes: Any) -> dict[str, Any]:
    return {"landing": {**CONTRACT["landing"], **changes}}


SAME_VIEWS = {
    "another order": replace(VIEW, aggregations=VIEW.aggregations[::-1]),
    "the windows in another order": replace(
        VIEW, aggregations=[Aggregation("kwh", "sum", ["1d", "7d"]), VIEW.aggregations[1]]
    ),
    "a window in hours": replace(VIEW, aggregations=[Aggregation("kwh", "sum", ["168h", "24h"]), VIEW.aggregations[1]]),
    "a name": replace(VIEW, name="other"),
    "a description": replace(VIEW, description="How much."),
    "the contract's event time, said again": replace(VIEW, event_at="taken_at"),
}
OTHER_VIEWS = {
    "hop": replace(VIEW, hop="12h"),
    "available_after": replace(VIEW, available_after="13h"),
    "where": replace(VIEW, where="Status <> 'Test'"),
    "no where": replace(VIEW, where=None),
    "event_at": replace(VIEW, event_at="seen_at"),
    "keys": replace(VIEW, entity=Entity("meter", ["meter"])),
    "source": replace(VIEW, source="others"),
    "one window less": replace(VIEW, aggregations=VIEW.aggregations[:1]),
    "another function": replace(VIEW, aggregations=[Aggregation("kwh", "mean", ["7d", "1d"]), VIEW.aggregations[1]]),
    "latest": replace(VIEW, aggregations=(), fields=["kwh"]),
}
SAME_CONTRACTS: dict[str, dict[str, Any]] = {
    "a column no one reads": {"columns": columns(note="upper(note)")},
    "a map no one reads": {"maps": {**CONTRACT["maps"], "unread": {"a": 2}}},
    "a description": {"description": "Meters."},
    "a unit": {"columns": [{**c, "unit": "J"} for c in CONTRACT["columns"]]},
    "the default written out": landing(null_text=[""]),
    "another folder": landing(path="elsewhere"),
    "another order of the key": {"key": ["meter", "site", "taken_at"]},
    "an expectation": {"expectations": [{"name": "e", "expr": "kwh > 0", "action": "warn"}]},
}
OTHER_CONTRACTS: dict[str, dict[str, Any]] = {
    "a column that is read": {"columns": columns(kwh="joules / 3.7e6")},
    "a column below one that is read": {"columns": columns(joules="cast(wh as double) * 3601")},
    "a column of the where": {"columns": columns(status="lower(status_names[status])")},
    "a type": {"columns": [{**c, "type": "int" if c["name"] == "kwh" else c["type"]} for c in CONTRACT["columns"]]},
    "a map": {"maps": {"status_names": {"t": "test"}}},
    "the header of a raw column": {"raw": [*CONTRACT["raw"][:3], {"name": "wh", "header": "Wh"}, *CONTRACT["raw"][4:]]},
    "event_at": {"event_at": "seen_at"},
    "key": {"key": ["site", "meter"]},
    "order_by": {"order_by": ["seen_at"]},
    "known at ingestion": {"known_at": "ingestion"},
    "known after the event": {"known_at": {"after_event": "1h"}},
    "known by a column": {"known_at": {"column": "seen_at"}},
    "the delivery time's pattern": landing(delivered="at=%Y-%m-%d"),
    "what is NULL": landing(null_text=["NA"]),
}


@pytest.mark.parametrize("view", SAME_VIEWS.values(), ids=SAME_VIEWS)
def test_the_same_meaning_is_the_same_fingerprint(view: FeatureView) -> None:
    assert of(view) == of()


@pytest.mark.parametrize("view", OTHER_VIEWS.values(), ids=OTHER_VIEWS)
def test_another_meaning_is_another_fingerprint(view: FeatureView) -> None:
    assert of(view) != of()


@pytest.mark.parametrize("changes", SAME_CONTRACTS.values(), ids=SAME_CONTRACTS)
def test_what_decides_nothing_in_the_contract_changes_nothing(changes: dict[str, Any]) -> None:
    assert of(**changes) == of()


@pytest.mark.parametrize("changes", OTHER_CONTRACTS.values(), ids=OTHER_CONTRACTS)
def test_what_decides_the_rows_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert of(**changes) != of()


def test_the_event_time_counts_wherever_it_is_said() -> None:
    assert of(replace(VIEW, event_at="seen_at")) == of(event_at="seen_at")
    lagging = {"known_at": {"after_event": "1h"}}
    assert of(replace(VIEW, event_at="seen_at"), **lagging) != of(event_at="seen_at", **lagging)
