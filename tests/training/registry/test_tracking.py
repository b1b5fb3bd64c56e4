"""Runs, versions and the alias in a real MLflow store on SQLite."""

import math
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.errors import ConfigError, NotFound
from conf.model import Estimator, ModelDeclaration
from conf.settings import Settings
from training.dataset.pins import TablePin
from training.model.estimator import fit_pipeline, make_pipeline, predict, requirements
from training.model.plots import draw_plots
from training.model.scores import as_scores
from training.registry.predictions import build_scores, input_kinds, predict_scores
from training.registry.register import FittedModel, register_model
from training.registry.runs import PROCESS_TAG, RunRecord, hold_run, mark_dead_runs, read_metrics
from training.registry.store import prepare_store
from training.registry.tracking import Tracking, open_tracking, read_document
from training.registry.versions import (
    find_champion,
    find_version,
    find_versions,
    set_champion,
    tag_version,
)

ROWS = 400


@pytest.fixture(scope="module")
def place(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    base = tmp_path_factory.mktemp("tracking")
    paths = {"tracking_uri": f"sqlite:///{base}/mlflow.db", "artifacts": f"{base}/artifacts"}
    return Settings.model_validate(settings.model_dump() | paths)


def declare(name: str, task: str) -> ModelDeclaration:
    spine = {"table": "trips", "key": ["trip"], "prediction_at": "at"}
    label = {"table": "ends", "expr": "late", "happened_at": "at"}
    content = {"name": name, "task": task, "spine": spine, "label": label, "features": "f", "split": {"holdout": "1d"}}
    return ModelDeclaration.model_validate(content)


@pytest.fixture(scope="module")
def inputs() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    line = rng.choice(np.array(["red", "blue", None], dtype=object), ROWS)
    return pd.DataFrame({"line": line, "km": rng.normal(size=ROWS), "gap": np.where(np.arange(ROWS) % 3, 1.0, np.nan)})


def fit(inputs: pd.DataFrame, task: str, estimator: Estimator = Estimator()) -> FittedModel:  # noqa: B008
    labels = (inputs["km"] > 0).astype(float) if task == "classification" else inputs["km"] * 2.0
    pipeline = make_pipeline(estimator, task, ["km", "gap"], ["line"])
    fit_pipeline(pipeline, inputs, labels.to_numpy(), ["line"])
    return FittedModel(pipeline, ["line"], inputs.head(3), task == "classification", requirements(pipeline))


def log(tracking: Tracking, model: FittedModel, **record: Any) -> int:
    given = {"tags": {"as_of": "2020"}, "params": {"n": 1}, "metrics": {"holdout_roc_auc": 0.5}, **record}
    with hold_run(tracking, RunRecord(**given)) as run_id:
        return register_model(tracking, run_id, model, {"recipe": "r1"}).number


def test_many_first_starters_at_once_make_one_whole_store(place: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(prepare_store, [place] * 4)) == [None] * 4
    assert open_tracking(place, declare("first", "classification")).experiment_id


def test_a_migration_that_was_killed_is_begun_anew(place: Settings, tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.draft").write_bytes(b"half of a database")
    again = place.model_copy(update={"tracking_uri": type(place.tracking_uri)(f"sqlite:///{tmp_path}/mlflow.db")})
    prepare_store(again)
    assert (tmp_path / "mlflow.db").stat().st_size > 0
    assert not (tmp_path / ".mlflow.db.draft").exists()


def test_a_run_says_what_it_read_and_where_it_lies(place: Settings, inputs: pd.DataFrame, tmp_path: Path) -> None:
    tracking = open_tracking(place, declare("told", "classification"))
    pins = (TablePin("silver", "trips", 0, "t-1", "/lake/trips"), TablePin("gold", "v", 3, "t-2", "/lake/v"))
    plots = draw_plots("classification", np.array([0.0, 1.0]), np.array([0.2, 0.7]), {"km": 1.0})
    figures = {f"plots/{name}": figure for name, figure in plots.items()}
    number = log(
        tracking, fit(inputs, "classification"), tables=pins, figures=figures,
        documents={"training_set/spec.json": {"rows": 3}},
        metrics={"holdout_roc_auc": 0.75, "champion_roc_auc": math.nan},
    )  # fmt: skip
    version = find_version(tracking, number)
    run = tracking.client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith(place.artifacts)
    assert read_metrics(tracking, version.run_id)["holdout_roc_auc"] == 0.75
    assert read_document(tracking, version.run_id, "training_set/spec.json") == {"rows": 3}
    assert {item.path for item in tracking.client.list_artifacts(version.run_id, "plots")} == set(figures)
    sources = {item.dataset.name: item.dataset.source for item in run.inputs.dataset_inputs}
    assert set(sources) == {"silver.trips@v0", "gold.v@v3"}
    source = DeltaDatasetSource.from_json(sources["silver.trips@v0"])
    assert (source.path, source.delta_table_version) == ("/lake/trips", 0)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_registered_model_answers_alike_in_process_and_in_spark(
    place: Settings, inputs: pd.DataFrame, spark: SparkSession, task: str
) -> None:
    tracking = open_tracking(place, declare(f"served_{task}", task))
    model = fit(inputs, task)
    number = log(tracking, model)
    assert input_kinds(tracking, number) == {"line": "string", "km": "double", "gap": "double"}
    loaded = mlflow.pyfunc.load_model(tracking.uri(number))
    assert loaded.metadata.signature is not None
    assert loaded.input_example is not None
    asked = pd.DataFrame({"line": ["red", None, "never seen"], "km": [1.0, np.nan, -1.0], "gap": [1.0, 1.0, np.nan]})
    expected = as_scores(predict(model.pipeline, asked, task))
    assert predict_scores(tracking, number, asked).tolist() == expected.tolist()
    rows = [("red", 1.0, 1.0), (None, None, 1.0), ("never seen", -1.0, None)]
    frame = spark.createDataFrame(rows, "line string, km double, gap double").coalesce(1)
    scores = build_scores(spark, tracking, number, [F.col(name) for name in asked.columns])
    assert [row.score for row in frame.select(scores.alias("score")).collect()] == expected.tolist()


def test_the_same_rows_fit_the_same_model(inputs: pd.DataFrame) -> None:
    one, two = (
        predict(fit(inputs, "classification", Estimator(params={"n_jobs": jobs})).pipeline, inputs, "classification")
        for jobs in (1, 2)
    )
    assert (one == two).all()


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("regression", "sklearn.linear_model.Ridge"),
        ("classification", "sklearn.linear_model.LogisticRegression"),
        ("classification", "sklearn.ensemble.RandomForestClassifier"),
    ],
)
def test_an_estimator_named_by_its_path_is_stored(place: Settings, inputs: pd.DataFrame, task: str, path: str) -> None:
    tracking = open_tracking(place, declare("named", task))
    model = fit(inputs, task, Estimator(path=path))
    scores = predict_scores(tracking, log(tracking, model), inputs)
    assert np.isfinite(scores).all()
    assert scores.tolist() == as_scores(predict(model.pipeline, inputs, task)).tolist()


@pytest.mark.parametrize("path", ["nowhere.Model", "sklearn.linear_model.Nothing", "sklearn.svm.LinearSVC", "plain"])
def test_an_estimator_that_cannot_be_made_is_a_mistake_in_the_declaration(path: str) -> None:
    with pytest.raises(ConfigError, match=r"estimator\.path"):
        make_pipeline(Estimator(path=path), "classification", ["km"], [])


def test_the_alias_says_who_is_champion(place: Settings, inputs: pd.DataFrame) -> None:
    tracking = open_tracking(place, declare("ranked", "regression"))
    assert find_champion(tracking) is None
    model = fit(inputs, "regression", Estimator(path="sklearn.linear_model.Ridge"))
    first, second = log(tracking, model), log(tracking, model)
    assert find_champion(tracking) is None
    set_champion(tracking, first)
    tag_version(tracking, first, {"gate.reason": "it beats the baseline"})
    champion = find_champion(tracking)
    assert champion is not None
    facts = (champion.number, champion.tags["recipe"], champion.tags["gate.reason"])
    assert facts == (first, "r1", "it beats the baseline")
    assert [version.number for version in find_versions(tracking)] == [second, first]
    set_champion(tracking, second)
    assert find_champion(tracking) == find_version(tracking, second)
    with pytest.raises(NotFound, match="no version 7"):
        find_version(tracking, 7)


def test_a_run_that_raises_has_failed_and_one_whose_process_is_gone_was_killed(place: Settings) -> None:
    tracking = open_tracking(place, declare("broken", "regression"))
    record = RunRecord({}, {}, {})
    with pytest.raises(ZeroDivisionError), hold_run(tracking, record) as failed:
        _ = 1 / 0
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    client = tracking.client
    host = socket.gethostname()

    def leave(process: str) -> str:
        return str(client.create_run(tracking.experiment_id, tags={PROCESS_TAG: process}).info.run_id)

    dead, reused = leave(f"{host}:{gone.stdout.strip()}:1"), leave(f"{host}:{os.getpid()}:1")
    elsewhere = leave("elsewhere:1:1")
    with hold_run(tracking, record) as mine:
        assert set(mark_dead_runs(tracking)) == {dead, reused}
        assert mark_dead_runs(tracking) == []
    status = {run: client.get_run(run).info.status for run in (failed, dead, reused, elsewhere, mine)}
    assert status == {failed: "FAILED", dead: "KILLED", reused: "KILLED", elsewhere: "RUNNING", mine: "FINISHED"}
