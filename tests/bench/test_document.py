"""The page of the benchmarks holds what the results file holds, and nothing else."""

import re
from pathlib import Path

import pytest

from bench import commands, many_views
from bench.render import write_document
from bench.results import Case, Report, Usage, keep_report, read_reports

MACHINE = {
    "measured at": "2026-01-01T00:00:00Z", "code": "0.1.0+abc", "load average before": "0.1", "cores": "2",
    "duckdb": "2.0.1",
}  # fmt: skip


def usages(*seconds: float) -> list[Usage]:
    return [Usage(second, second / 2) for second in seconds]


VIEWS = Report(
    "many_views", "python -m bench many_views --turns 3", MACHINE,
    [
        Case("days", {"Headwater": usages(3, 4, 8), "DuckDB": usages(1, 2, 2)}, {"feature views": 9_000_000}),
        Case("hours", {"Headwater": usages(5, 5, 5)}, {"feature views": 7}),
    ],
)  # fmt: skip
COMMANDS = Report(
    "commands", "python -m bench commands", MACHINE,
    [
        Case("plan", {"Headwater": usages(0.5)}, {"before": "26", "to reach": 0.7}),
        Case("train", {"Headwater": usages(5)}, {"before": "99", "to reach": 3}),
    ],
)  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> str:
    results = tmp_path / "benchmarks" / "results.json"
    for report in (VIEWS, COMMANDS):
        keep_report(results, report)
    write_document(tmp_path / "benchmarks.md", read_reports(results), [commands, many_views])
    return (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_results_are_read_as_they_were_kept(tmp_path: Path) -> None:
    keep_report(tmp_path / "results.json", VIEWS)
    assert read_reports(tmp_path / "results.json") == {"many_views": VIEWS}
    assert read_reports(tmp_path / "none.json") == {}


def test_a_newer_report_takes_the_place_of_the_older_one_of_its_benchmark(tmp_path: Path) -> None:
    newer = Report("many_views", "another command", MACHINE, [])
    for report in (VIEWS, COMMANDS, newer):
        keep_report(tmp_path / "results.json", report)
    assert read_reports(tmp_path / "results.json") == {"commands": COMMANDS, "many_views": newer}


def test_a_ratio_is_the_median_of_the_ratios_within_a_turn(page: str) -> None:
    assert "| days | Headwater | 3.00 [2.00–4.00] (3.00) |" in page


def test_an_engine_that_did_not_run_in_a_case_leaves_its_cell_empty(page: str) -> None:
    assert "| days | 9,000,000 | 4.00 (2.00) | 2.00 (1.00) |" in page
    assert "| hours | 7 | 5.00 (2.50) |  |" in page


def test_figures_say_whether_they_were_reached(page: str) -> None:
    assert "| plan | 26 | ≤ 0.7 | 0.50 (0.25) | yes |" in page
    assert "| train | 99 | ≤ 3 | 5.00 (2.50) | **no** |" in page


def test_the_command_the_code_and_the_machine_are_named(page: str) -> None:
    assert "`python -m bench many_views --turns 3`, 2026-01-01T00:00:00Z, code 0.1.0+abc" in page
    assert page.count("| duckdb | 2.0.1 |") == 1


def test_the_page_shows_plots_that_exist_and_are_small(page: str, tmp_path: Path) -> None:
    plots = re.findall(r"\]\((benchmarks/\w+\.svg)\)", page)
    assert plots == ["benchmarks/commands.svg", "benchmarks/many_views.svg"]
    assert all(0 < (tmp_path / plot).stat().st_size < 60_000 for plot in plots)
