"""The reports of jobs, printed as tables for the terminal or turned into JSON documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headwater.output import print_line, print_table, stderr, without_empty_columns
from pipelines.delta.commit import Commit, combine_outcomes

if TYPE_CHECKING:
    from features.definitions import FeatureView
    from pipelines.gold.plan import GoldReport, ViewPlan
    from pipelines.load_plan import LoadPlan
    from pipelines.load_report import TableLoad
    from pipelines.operations.maintenance import Compaction
    from training.registry.verdicts import PromoteReport
    from training.retrain import Decision
    from training.scoring.plan import ScoringPlan
    from training.scoring.score import ScoreReport
    from training.train_plan import TrainPlan
    from training.train_report import TrainReport

# What a training set does with a row of the spine.
FATES_IN_WORDS = {
    "training": "train the model",
    "holdout": "judge it (the holdout)",
    "between": "do neither: they lie in the gap, or their label came after the split",
    "without_label": "have no label",
    "label_not_yet_known": "have a label that was not known yet",
    "asked_after_as_of": "ask about a time after as-of",
    "known_after_prediction_at": "were known only after the time they ask about",
    "without_prediction_at": "have no prediction_at",
}


@dataclass(frozen=True)
class RetrainReport:
    """The decision, and the training that followed it, if any."""

    decision: "Decision"
    training: "TrainReport | None"


def plan_json(
    loads: Sequence["LoadPlan"], views: Sequence["ViewPlan"], waiting: Sequence["FeatureView"]
) -> dict[str, Any]:
    """Return what a load and a materialization would do; ``waiting`` are views whose source has no data yet."""
    tables = {
        plan.table: {
            "files_seen": plan.files_seen, "files_new": len(plan.new_files), "bytes_new": plan.bytes_new,
            "unread_loads": plan.unread_loads, "reason": plan.reason,
        }
        for plan in loads
    }  # fmt: skip
    materialized = {
        plan.view.name: {
            "cursor": plan.cursor, "source_version": plan.source_version, "complete_through": plan.previous,
            "through": plan.through, "reason": plan.reason,
        }
        for plan in views
    }  # fmt: skip
    materialized |= {view.name: {"reason": f"silver.{view.source} has no data yet"} for view in waiting}
    return {"load": tables, "materialize": materialized}


def print_plan(loads: Sequence["LoadPlan"], views: Sequence["ViewPlan"], waiting: Sequence["FeatureView"]) -> None:
    """Print one row for each table and each view: what is to be done, and why."""
    files = [
        (p.table, p.files_seen, len(p.new_files), f"{p.bytes_new / 1e6:.1f}", p.reason or "nothing") for p in loads
    ]
    print_table(("table", "files", "new", "MB", "to load"), files)
    rows = [(plan.view.name, _minute(plan.through), plan.reason or "nothing") for plan in views]
    rows += [(view.name, "", f"silver.{view.source} has no data yet") for view in waiting]
    print_table(("view", "through", "to materialize"), rows)


def train_plan_json(model: str, plan: "TrainPlan") -> dict[str, Any]:
    """Return what a training would do."""
    tables = {pin.full_name: pin.version for pin in plan.spec.tables} if plan.spec else {}
    return {
        "model": model, "as_of": plan.bounds.as_of, "split_at": plan.bounds.split_at, "tables": tables,
        "engine": plan.engine.engine, "engine_reason": plan.engine.reason,
        "made_already": plan.version.number if plan.version else None, "reason": plan.reason,
    }  # fmt: skip


def print_train_plan(model: str, plan: "TrainPlan") -> None:
    row = (model, _minute(plan.bounds.as_of), str(plan.engine), plan.reason or "nothing")
    print_table(("model", "as of", "engine", "to train"), [row])


def score_plan_json(plan: "ScoringPlan", questions: int | None) -> dict[str, Any]:
    """Return what a scoring would do; ``questions`` is None where only Spark can count them."""
    return {
        "model": plan.job.model, "version": plan.version.number, "as_of": plan.interval.as_of, "questions": questions,
        "engine": plan.engine.engine, "engine_reason": plan.engine.reason, "has_features": plan.views is not None,
    }  # fmt: skip


def print_score_plan(plan: "ScoringPlan", questions: int | None) -> None:
    counted = "only Spark can count them" if questions is None else questions
    row = (plan.job.model, plan.version.number, _minute(plan.interval.as_of), str(plan.engine), counted)
    print_table(("model", "version", "as of", "engine", "questions"), [row])


def load_json(loads: Sequence["TableLoad"]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    ledgers = [done.ledger for done in loads]
    for done in loads:
        if done.bronze is not None:
            b = done.bronze
            tables[f"bronze.{done.table}"] = commit_json(b.commit) | {
                "files_seen": b.files_seen, "files_new": b.files_new, "files_duplicate": b.files_duplicate,
                "files_failed": b.files_failed, "rows": b.rows, "failures": b.failures,
            }  # fmt: skip
        if done.silver is not None:
            s = done.silver
            tables[f"silver.{done.table}"] = commit_json(s.commit) | {
                "rows_accepted": s.rows_accepted, "rows_quarantined": s.rows_quarantined,
                "rows_superseded": s.rows_superseded, "rows_repeated": s.rows_repeated, "rows_warned": s.rows_warned,
                "heaviest_key_share": s.heaviest_key_share, "seconds": done.seconds,
            }  # fmt: skip
            tables[f"quarantine.{done.table}"] = commit_json(s.quarantine)
    if ledgers:
        outcome = combine_outcomes([commit.outcome for commit in ledgers])
        tables["ops.files"] = commit_json(Commit(outcome, ledgers[0].version_before, ledgers[-1].version_after))
    return {"outcome": combine_outcomes([done.outcome for done in loads]), "tables": tables}


def commit_json(commit: Commit) -> dict[str, Any]:
    return {"version_before": commit.version_before, "version_after": commit.version_after, "outcome": commit.outcome}


def print_loads(loads: Sequence["TableLoad"]) -> None:
    """Print one row for each table: how many files came, how many of their rows silver took, and the outcome."""
    columns = ("table", "files", "new", "again", "refused", "accepted", "quarantined", "superseded", "repeated",
               "outcome", "seconds")  # fmt: skip
    rows = []
    for done in loads:
        b, s = done.bronze, done.silver
        files = [b.files_seen, b.files_new, b.files_duplicate, b.files_failed] if b else [None] * 4
        counts = [s.rows_accepted, s.rows_quarantined, s.rows_superseded, s.rows_repeated] if s else [None] * 4
        rows.append((done.table, *files, *counts, done.outcome, done.seconds))
    print_table(*without_empty_columns(columns, rows, kept=("table", "files", "new", "accepted", "outcome")))
    for failure in (failure for done in loads if done.bronze for failure in done.bronze.failures):
        stderr.print(f"[yellow]not loaded:[/yellow] {failure}", soft_wrap=True)


def gold_json(reports: Sequence["GoldReport"]) -> dict[str, Any]:
    tables = {
        f"gold.{r.view}": commit_json(r.commit) | {
            "through": r.through, "is_full": r.is_full, "rows_written": r.commit.rows_written,
            "rows_restated": r.rows_restated, "share_on_time": r.share_on_time, "share_too_late": r.share_too_late,
        }
        for r in reports
    }  # fmt: skip
    return {"outcome": combine_outcomes([report.commit.outcome for report in reports]), "tables": tables}


def print_gold(reports: Sequence["GoldReport"]) -> None:
    """Print one row for each view. ``on time`` and ``too late`` are shares of the events that were counted."""
    columns = ("view", "through", "rows", "restated", "on time", "too late", "outcome")
    rows = []
    for r in reports:
        shares = [None if share is None else f"{share:.2%}" for share in (r.share_on_time, r.share_too_late)]
        rows.append((r.view, _minute(r.through), r.commit.rows_written, r.rows_restated, *shares, r.commit.outcome))
    print_table(*without_empty_columns(columns, rows, kept=("view", "through", "rows", "outcome")))


def print_training_set(document: Mapping[str, Any]) -> None:
    shown = {name: document[name] for name in ("as_of", "split_at", "train_until", "holdout_until", "content_hash")}
    tables = {f"{pin['layer']}.{pin['name']}": f"version {pin['version']}" for pin in document["tables"]}
    print_table(("training set", document["model"]), [*shown.items(), *tables.items()])
    _print_fates(document["rows"])


def print_training(report: "TrainReport") -> None:
    """Print what the training used each spine row for, the metrics side by side, and what the gate decided."""
    print_line(f"{report.model} version {report.version}")
    _print_fates(report.rows)
    sides = ("holdout", "baseline", "champion")
    names = [name.removeprefix("holdout_") for name in report.metrics if name.startswith("holdout_")]
    rows = [(name, *[report.metrics.get(f"{side}_{name}") for side in sides]) for name in names if name != "rows"]
    print_table(*without_empty_columns(("metric", *sides), rows, kept=("metric", "holdout", "baseline")))
    if report.gate is not None:
        print_gate(report.gate)


def _print_fates(rows: Mapping[str, int]) -> None:
    order = list(FATES_IN_WORDS)
    shown = [(rows[fate], FATES_IN_WORDS[fate]) for fate in sorted(rows, key=order.index)]
    print_table(("rows", "of the spine"), shown)


def print_gate(report: "PromoteReport") -> None:
    champion = f"champion is version {report.champion}" if report.champion is not None else "there is no champion"
    print_line(f"{report.model} version {report.version}: {report.step}; {champion}")
    if report.verdict:
        print_line(f"  {report.verdict.reason}")


def print_retraining(report: RetrainReport) -> None:
    decision = report.decision
    due = "due" if decision.is_due else "not due"
    print_table(("model", "as of", "retraining", "reason"), [(decision.model, decision.as_of, due, decision.reason)])
    if report.training is not None:
        print_training(report.training)


def score_json(report: "ScoreReport") -> dict[str, Any]:
    commit, interval = report.commit, report.interval
    return {
        "model": report.model, "outcome": commit.outcome, "version": report.version, "run_id": report.run_id,
        "from": interval.since, "to": interval.until, "as_of": interval.as_of, "rows_scored": commit.rows_inserted,
        "tables": {report.table: commit_json(commit)},
    }  # fmt: skip


def print_score(report: "ScoreReport") -> None:
    commit, interval = report.commit, report.interval
    print_line(f"{report.table}: scored by version {report.version}")
    since = None if interval.since is None else _minute(interval.since)
    row = (since, _minute(interval.until), _minute(interval.as_of), commit.rows_inserted, commit.outcome)
    print_table(("from", "to", "as of", "scored", "outcome"), [row])
    if commit.rows_inserted == 0:
        stderr.print("nothing to score that was not scored already")


def print_maintenance(compactions: Sequence["Compaction"], killed: Mapping[str, list[str]]) -> None:
    """Print the tables that were compacted, and by model the runs that were marked as KILLED."""
    rows = [(done.table, done.files_before, done.files_after) for done in compactions if done.is_compacted]
    print_table(("table", "files before", "files after"), rows, f"{len(rows)} of {len(compactions)} tables compacted")
    for model, runs in killed.items():
        if runs:
            print_table(("model", "runs marked KILLED"), [(model, run) for run in runs])


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
