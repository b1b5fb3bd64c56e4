"""docs/benchmarks.md, made of the results alone: a section for each benchmark with its tables and its plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from types import ModuleType

from bench.plots import draw
from bench.results import Case, Report

LINE = 120
MACHINE_FACTS_PER_RUN = ("measured at", "code", "load average before")
INTRODUCTION = """# Benchmarks

What Headwater costs, beside what a user would write by hand or take instead. Every number and plot on this page comes
from one results file, [benchmarks/results.json](benchmarks/results.json); `python -m bench` writes both.

    make bench-quick                            # the commands, on the lake that `make demo` leaves
    make bench                                  # everything
    make bench DOCS=1                           # everything, and this page is written from it
    .venv/bin/python -m bench windows --help    # the sizes of one benchmark

**How to read it.** The measure is CPU seconds of all processes: Python, the JVM that it starts, and their workers. Wall
seconds follow in parentheses; they depend more on what else the machine does. Engines take turns in the order A B B A.
A cell shows the median of the turns. A ratio is the median of the ratios within a turn, with the least and the greatest
in brackets and that of wall seconds in parentheses: above 1, Headwater took more than the peer. Results are compared
before any ratio is made: the number of rows and a hash over all columns of all rows, exactly, also for doubles; a run
with a difference ends with an error. Every engine gets two cores, and the Spark scripts written by hand get Headwater's
own Spark properties, jars and class archive.
"""


def write_document(path: Path, reports: Mapping[str, Report], benchmarks: Sequence[ModuleType]) -> None:
    """Write the page, and beside it, in the folder ``benchmarks``, the plots."""
    sections = [INTRODUCTION]
    for module in benchmarks:
        name = module.__name__.removeprefix("bench.")
        report = reports.get(name)
        if report is None:
            continue
        plot = path.with_name("benchmarks") / f"{name}.svg"
        draw(report, plot, getattr(module, "GROWS_BY", ""))
        picture = f"![{module.TITLE}: CPU seconds](benchmarks/{plot.name})"
        tables = _figures(report.cases) if name == "commands" else _comparison(report.cases)
        about = fill(module.ABOUT, LINE, break_on_hyphens=False)
        sections += [f"## {module.TITLE}", about, tables, picture, _origin(report)]
    sections += ["## Machine", _machine(list(reports.values()))]
    path.write_text("\n\n".join(section.strip("\n") for section in sections) + "\n", encoding="utf-8")


def print_case(case: Case) -> None:
    """Print what was found, as soon as it was."""
    print(case.name, flush=True)
    for engine in case.engines:
        against = "".join(f"   {_short(ours)} / it: {_ratio(case, ours, engine)}" for ours in case.ours)
        against = against if engine in case.peers else ""
        print(f"  {engine:32} {_seconds(case, engine):>18} CPU (wall) s{against}", flush=True)
    for fact, value in case.facts.items():
        print(f"  {fact}: {_number(value)}", flush=True)


def _figures(cases: Sequence[Case]) -> str:
    rows = []
    for case in cases:
        engine, *_ = case.ours
        reached, target = case.median(engine, "cpu_s"), float(case.facts["to reach"])
        met = "yes" if reached <= target else "**no**"
        peers = "; ".join(f"{peer}: {_seconds(case, peer)}" for peer in case.peers)
        rows.append([case.name, str(case.facts["before"]), f"≤ {target:g}", _seconds(case, engine), met, peers])
    return _table(["command", "before", "to reach", "reached", "met", "beside it"], rows)


def _comparison(cases: Sequence[Case]) -> str:
    """Return a table of seconds and, where there are peers, one of ratios."""
    engines = list(dict.fromkeys(engine for case in cases for engine in case.engines))
    facts = list(dict.fromkeys(fact for case in cases for fact in case.facts))
    seconds = [
        [case.name, *(_number(case.facts.get(fact, "")) for fact in facts), *(_seconds(case, name) for name in engines)]
        for case in cases
    ]
    peers = [engine for engine in engines if any(engine in case.peers for case in cases)]
    ratios = [[case.name, ours, *(_ratio(case, ours, peer) for peer in peers)] for case in cases for ours in case.ours]
    tables = ["CPU seconds (wall seconds):", _table(["", *facts, *engines], seconds)]
    if peers:
        tables += [
            "Headwater / peer, in CPU seconds [least–greatest] (in wall seconds):",
            _table(["", "", *peers], ratios),
        ]
    return "\n\n".join(tables)


def _seconds(case: Case, engine: str) -> str:
    if engine not in case.engines:
        return ""
    return f"{_figure(case.median(engine, 'cpu_s'))} ({_figure(case.median(engine, 'wall_s'))})"


def _ratio(case: Case, ours: str, peer: str) -> str:
    if peer not in case.engines:
        return ""
    ratios = case.ratios(ours, peer, "cpu_s")
    wall = median(case.ratios(ours, peer, "wall_s"))
    return f"{_figure(median(ratios))} [{_figure(min(ratios))}–{_figure(max(ratios))}] ({_figure(wall)})"


def _figure(value: float) -> str:
    """Write a number with two digits after the point when it is small, one when it is not, none when it is large."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _number(value: str | int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _short(engine: str) -> str:
    return engine.removeprefix("Headwater").strip(", ") or "Headwater"


def _origin(report: Report) -> str:
    turns = sorted({len(runs) for case in report.cases for runs in case.engines.values()})
    runs = " to ".join(str(number) for number in dict.fromkeys((turns[0], turns[-1])))
    facts = report.machine
    return (
        f"<sub>`{report.command}`, {facts['measured at']}, code {facts['code']}; turns: {runs};"
        f" load average before: {facts['load average before']}.</sub>"
    )


def _machine(reports: Sequence[Report]) -> str:
    """Return the facts of each machine that took part; mostly it is one."""
    machines = []
    for report in reports:
        facts = {name: value for name, value in report.machine.items() if name not in MACHINE_FACTS_PER_RUN}
        if facts not in machines:
            machines.append(facts)
    return "\n\n".join(_table(["", ""], [[name, value] for name, value in facts.items()]) for facts in machines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
