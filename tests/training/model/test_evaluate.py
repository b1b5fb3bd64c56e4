"""Metrics by hand, and the metrics that rows do not define."""

import math

import numpy as np
import pytest

from conf.model import CLASSIFICATION_METRICS, REGRESSION_METRICS
from training.model.evaluate import baseline_scores, evaluate
from training.model.plots import draw_plots
from training.model.scores import as_scores

LABELS = np.array([0.0, 0.0, 1.0, 1.0])
SCORES = np.array([0.1, 0.6, 0.4, 0.9])


def test_metrics_of_a_classification() -> None:
    measured = evaluate(CLASSIFICATION_METRICS, LABELS, SCORES)
    assert measured["roc_auc"] == pytest.approx(0.75)  # of the 4 pairs, (0.6, 0.4) is in the wrong order
    assert measured["accuracy"] == pytest.approx(0.5)
    assert measured["f1"] == pytest.approx(0.5)
    assert measured["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert measured["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.4)) / 2)
    assert measured["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


def test_metrics_of_a_regression() -> None:
    measured = evaluate(REGRESSION_METRICS, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert measured == pytest.approx({"rmse": math.sqrt(3), "mae": 1.0, "r2": 1 - 9 / 2})


def test_one_class_defines_no_ranking_but_the_rest() -> None:
    measured = evaluate(CLASSIFICATION_METRICS, np.zeros(3), np.full(3, 0.2))
    assert math.isnan(measured["roc_auc"])
    assert math.isnan(measured["average_precision"])
    assert measured["brier"] == pytest.approx(0.04)


@pytest.mark.parametrize("scores", [np.array([0.1, np.nan, 0.4, 0.9]), np.array([0.1, np.inf, 0.4, 0.9])])
def test_a_prediction_that_is_no_number_makes_every_metric_none(scores: np.ndarray) -> None:
    assert all(math.isnan(value) for value in evaluate(CLASSIFICATION_METRICS, LABELS, scores).values())


def test_no_rows_define_nothing() -> None:
    assert all(math.isnan(value) for value in evaluate(REGRESSION_METRICS, np.array([]), np.array([])).values())
    assert math.isnan(evaluate(("r2",), np.array([1.0]), np.array([1.0]))["r2"])


def test_the_trivial_baseline_says_the_mean_of_the_training_labels() -> None:
    scores = baseline_scores(np.array([0.0, 0.0, 0.0, 1.0]), 4)
    assert scores.tolist() == [0.25] * 4
    assert evaluate(("roc_auc",), LABELS, scores)["roc_auc"] == 0.5


def test_of_class_probabilities_the_positive_one_counts() -> None:
    assert as_scores([[0.9, 0.1], [0.2, 0.8]]).tolist() == [0.1, 0.8]
    assert as_scores([1, 2]).tolist() == [1.0, 2.0]


def test_plots_are_drawn_where_the_rows_define_them() -> None:
    importance = {f"f{n}": float(n) for n in range(40)}
    drawn = draw_plots("classification", LABELS, SCORES, importance)
    assert set(drawn) == {"roc.png", "precision_recall.png", "calibration.png", "feature_importance.png"}
    assert set(draw_plots("classification", np.zeros(4), SCORES, {})) == set()
    assert set(draw_plots("regression", LABELS, SCORES, {})) == {"predicted_vs_actual.png", "residuals.png"}
    for figure in drawn.values():
        figure.canvas.draw()
