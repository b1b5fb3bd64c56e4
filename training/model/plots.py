"""Plots of how a model does on its holdout, as matplotlib figures. Nothing is shown or saved here."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from training.model.scores import Numbers

SHOWN_FEATURES = 30


def draw_plots(task: str, labels: Numbers, scores: Numbers, importance: dict[str, float]) -> dict[str, Figure]:
    """Draw the plots of a task, by file name. A plot is left out where its data is missing, such as a second class."""
    figures: dict[str, Figure] = {}
    if task == "regression":
        figures = {"predicted_vs_actual": _predicted(labels, scores), "residuals": _residuals(labels, scores)}
    elif len(np.unique(labels)) == 2:
        figures = {
            "roc": _roc(labels, scores),
            "precision_recall": _precision_recall(labels, scores),
            "calibration": _calibration(labels, scores),
        }
    if importance:
        figures["feature_importance"] = _importance(importance)
    return {f"{name}.png": figure for name, figure in figures.items()}


def _axes(title: str, x: str, y: str, height: float = 4.5) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.0, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _roc(labels: Numbers, scores: Numbers) -> Figure:
    figure, axes = _axes("ROC on the holdout", "false positive rate", "true positive rate")
    false_rate, true_rate, _ = roc_curve(labels, scores)
    axes.plot(false_rate, true_rate)
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey")
    return figure


def _precision_recall(labels: Numbers, scores: Numbers) -> Figure:
    figure, axes = _axes("Precision and recall on the holdout", "recall", "precision")
    precision, recall, _ = precision_recall_curve(labels, scores)
    axes.plot(recall, precision)
    axes.axhline(float(np.mean(labels)), linestyle="--", color="grey")
    return figure


def _calibration(labels: Numbers, scores: Numbers) -> Figure:
    figure, axes = _axes("Calibration on the holdout", "predicted probability", "share of positives")
    share, predicted = calibration_curve(labels, np.clip(scores, 0.0, 1.0), n_bins=10, strategy="quantile")
    axes.plot(predicted, share, marker="o")
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey")
    return figure


def _predicted(labels: Numbers, scores: Numbers) -> Figure:
    figure, axes = _axes("Predicted and actual on the holdout", "actual", "predicted")
    axes.scatter(labels, scores, s=6, alpha=0.4)
    axes.axline((float(np.mean(labels)), float(np.mean(labels))), slope=1, linestyle="--", color="grey")
    return figure


def _residuals(labels: Numbers, scores: Numbers) -> Figure:
    figure, axes = _axes("Residuals on the holdout", "actual - predicted", "rows")
    axes.hist(labels - scores, bins=50)
    return figure


def _importance(importance: dict[str, float]) -> Figure:
    ranked = sorted(importance.items(), key=lambda pair: (pair[1], pair[0]))[-SHOWN_FEATURES:]
    figure, axes = _axes("Feature importance", "weight", "", height=1.5 + 0.22 * len(ranked))
    axes.barh([name for name, _ in ranked], [weight for _, weight in ranked])
    return figure
