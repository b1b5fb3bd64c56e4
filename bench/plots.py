"""One plot for each benchmark: the CPU seconds of every engine in every case, on a logarithmic scale."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib.figure import Figure

from bench.results import Report

COLOURS_OF_OURS = ("#1f5fa8", "#6aa5e0")
COLOURS_OF_PEERS = ("#e08a3c", "#b9b9b9", "#7a9a54", "#a3739e", "#c9b458")
BAR, INCHES_PER_BAR, WIDTH = 0.8, 0.17, 8.5


def draw(report: Report, target: Path) -> None:
    """Write the plot as SVG; the same results give the same file."""
    engines = list(dict.fromkeys(engine for case in report.cases for engine in case.engines))
    ours = [engine for engine in engines if any(engine in case.ours for case in report.cases)]
    peers = [engine for engine in engines if engine not in ours]
    colours = dict(zip(ours, COLOURS_OF_OURS * len(ours), strict=False))
    colours |= dict(zip(peers, COLOURS_OF_PEERS * len(peers), strict=False))
    thickness = BAR / len(engines)
    height = 1.0 + INCHES_PER_BAR * (len(engines) + 1) * len(report.cases)
    with matplotlib.rc_context({"svg.hashsalt": report.benchmark, "svg.fonttype": "none", "font.size": 8.5}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        for place, engine in enumerate(engines):
            at = [row for row, case in enumerate(report.cases) if engine in case.engines]
            seconds = [report.cases[row].median(engine, "cpu_s") for row in at]
            bars = axes.barh(
                [row + (place + 0.5) * thickness - BAR / 2 for row in at], seconds, thickness, color=colours[engine],
                label=engine,
            )  # fmt: skip
            axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=7)
        axes.set_yticks(range(len(report.cases)), [case.name for case in report.cases])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.margins(x=0.12)
        axes.set_xlabel("CPU seconds, logarithmic")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None})
