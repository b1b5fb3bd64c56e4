"""One plot for each benchmark: CPU seconds as points on a logarithmic scale, or as lines over a growing size."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.results import Report

COLOURS_OF_OURS = ("#1f5fa8", "#6aa5e0")
COLOURS_OF_PEERS = ("#e08a3c", "#8c8c8c", "#7a9a54", "#a3739e", "#c9b458")
MARKS = {"before": ("x", "#8c8c8c"), "to reach": ("|", "#b03030")}
WIDTH = 8.5


def draw(report: Report, target: Path, grows_by: str = "") -> None:
    """Write the plot as SVG; the same results give the same file.

    Parameters
    ----------
    grows_by : the fact that grows from case to case; '' when the cases are no series
    """
    engines = list(dict.fromkeys(engine for case in report.cases for engine in case.engines))
    ours = [engine for engine in engines if any(engine in case.ours for case in report.cases)]
    peers = [engine for engine in engines if engine not in ours]
    colours = dict(zip(ours, COLOURS_OF_OURS, strict=False)) | dict(zip(peers, COLOURS_OF_PEERS, strict=False))
    with matplotlib.rc_context({"svg.hashsalt": report.benchmark, "svg.fonttype": "none", "font.size": 8.5}):
        figure = Figure(figsize=(WIDTH, 3.4 if grows_by else 1.4 + 0.36 * len(report.cases)), layout="constrained")
        axes = figure.add_subplot()
        if grows_by:
            _draw_lines(axes, report, colours, grows_by)
        else:
            _draw_points(axes, report, colours)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None})


def _draw_lines(axes: Axes, report: Report, colours: Mapping[str, str], grows_by: str) -> None:
    for engine, colour in colours.items():
        cases = [case for case in report.cases if engine in case.engines]
        sizes = [float(case.facts[grows_by]) for case in cases]
        seconds = [case.median(engine, "cpu_s") for case in cases]
        axes.plot(sizes, seconds, marker="o", color=colour, label=engine)
    axes.set_xlabel(grows_by)
    axes.set_ylabel("CPU seconds")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)


def _draw_points(axes: Axes, report: Report, colours: Mapping[str, str]) -> None:
    for fact, (marker, colour) in MARKS.items():
        rows = [row for row, case in enumerate(report.cases) if fact in case.facts]
        if rows:
            values = [float(report.cases[row].facts[fact]) for row in rows]
            axes.scatter(values, rows, s=60, marker=marker, color=colour, label=fact)
    for engine, colour in colours.items():
        rows = [row for row, case in enumerate(report.cases) if engine in case.engines]
        seconds = [report.cases[row].median(engine, "cpu_s") for row in rows]
        axes.scatter(seconds, rows, s=36, color=colour, label=engine, zorder=3)
    axes.set_yticks(range(len(report.cases)), [case.name for case in report.cases])
    axes.set_ylim(len(report.cases) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="both", color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.set_xlabel("CPU seconds, logarithmic")
