"""The gate's verdict over numbers."""

import json
import math

import pytest

from conf.model import Gate
from training.registry.gate import Champion, Measured, Verdict, judge

NAN = math.nan


def auc(challenger: float, baseline: float = 0.5) -> Measured:
    return Measured("roc_auc", True, challenger, baseline)


def test_the_first_that_beats_the_baseline_is_promoted() -> None:
    verdict = judge(Gate(), auc(0.6), None)
    assert verdict.is_promoted
    assert "no champion yet" in verdict.reason


@pytest.mark.parametrize("challenger", [0.5, 0.4, NAN, math.inf])
def test_the_first_that_does_not_beat_the_baseline_is_not(challenger: float) -> None:
    assert not judge(Gate(), auc(challenger), None).is_promoted


@pytest.mark.parametrize("champion", [0.6, 0.7])
def test_only_better_than_the_champion_is_better(champion: float) -> None:
    verdict = judge(Gate(), auc(0.6), Champion(3, champion))
    assert not verdict.is_promoted
    assert "champion v3" in verdict.reason
    assert judge(Gate(), auc(0.6), Champion(3, 0.599)).is_promoted


def test_a_champion_that_has_seen_the_holdout_is_said_to_have() -> None:
    assert "was trained on" in judge(Gate(), auc(0.6), Champion(3, 0.7, has_seen_holdout=True)).reason
    assert "was trained on" not in judge(Gate(), auc(0.6), Champion(3, 0.7)).reason


def test_a_challenger_that_is_no_number_never_wins_not_even_against_one_that_is_none_either() -> None:
    assert not judge(Gate(), auc(NAN), Champion(1, NAN)).is_promoted
    assert not judge(Gate(), auc(NAN), Champion(1, NAN, "it lacks a column")).is_promoted


def test_a_baseline_that_is_no_number_lets_nobody_pass() -> None:
    assert not judge(Gate(), auc(0.9, NAN), None).is_promoted


def test_a_champion_that_is_no_number_or_cannot_answer_loses_to_one_that_beats_the_baseline() -> None:
    assert judge(Gate(), auc(0.6), Champion(1, NAN)).is_promoted
    verdict = judge(Gate(), auc(0.6), Champion(1, NAN, "it takes the column x"))
    assert verdict.is_promoted
    assert "it takes the column x" in verdict.reason
    assert not judge(Gate(), auc(0.4), Champion(1, NAN, "it takes the column x")).is_promoted


def test_smaller_is_better_for_errors() -> None:
    assert judge(Gate(), Measured("rmse", False, 1.0, 2.0), Champion(1, 1.5)).is_promoted
    assert not judge(Gate(), Measured("rmse", False, 1.6, 2.0), Champion(1, 1.5)).is_promoted
    assert not judge(Gate(), Measured("rmse", False, 2.1, 2.0), None).is_promoted


def test_a_margin_must_be_reached() -> None:
    gate = Gate(min_gain_over_baseline=0.25, min_gain_over_champion=0.125)
    assert judge(gate, auc(0.75), None).is_promoted
    assert not judge(gate, auc(0.74), None).is_promoted
    assert judge(gate, auc(0.875), Champion(1, 0.75)).is_promoted
    assert not judge(gate, auc(0.87), Champion(1, 0.75)).is_promoted


def test_the_verdict_is_json_whatever_its_numbers() -> None:
    document = judge(Gate(), auc(NAN), Champion(2, math.inf)).as_json()
    assert Verdict.from_json(document).champion_version == 2
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "is_promoted": False, "reason": "roc_auc of the challenger is not a number on this holdout",
        "metric": "roc_auc", "challenger": None, "baseline": 0.5, "champion": None, "champion_version": 2,
    }  # fmt: skip
