"""What scoring refuses: intervals, questions and answers, and champions that cannot answer."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.errors import DataError, GrainError, NoChampion, TrainingError, UsageError
from conf.model import ModelDeclaration
from tests.projects.small_lake import RUN, SALES, SmallLake, make_lake
from training.dataset.engine import Choice, Engine
from training.dataset.inputs import Inputs
from training.dataset.pins import TablePin
from training.model_job import ModelJob
from training.registry.compatibility import FINGERPRINT_TAG
from training.registry.tracking import open_tracking
from training.registry.versions import Version, set_champion
from training.scoring.plan import Interval, ScoringPlan, place_interval
from training.scoring.score import score
from training.scoring.spark.answers import check_answers
from training.scoring.spark.questions import open_questions

SPINE = {"table": "orders", "key": ["id"], "prediction_at": "ordered_at + INTERVAL 3 DAYS"}
SPARK = Choice(Engine.SPARK, "for this test")
LABEL = {"table": "orders", "expr": "amount_eur", "happened_at": "ordered_at"}
MODEL = {"task": "regression", "label": LABEL, "features": "inputs", "split": {"holdout": "1d"}}


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Orders 1 and 2 can be asked about on 4 January; 3 has no time, and 4 was known only after its question."""
    small = make_lake(spark, tmp_path_factory.mktemp("shop"), SALES)
    ordered = {1: "2024-01-01T10:00:00Z", 2: "2024-01-01T11:00:00Z", 3: "", 4: "2023-12-01T10:00:00Z"}
    small.orders("2024-01-02T00-00", *(f"{order},north,9.5,{at},1" for order, at in ordered.items()))
    small.load()
    return small


def make_plan(shop: SmallLake, model: str = "paid", since: datetime | None = None, **spine: Any) -> ScoringPlan:
    declared = ModelDeclaration.model_validate({**MODEL, "name": model, "spine": {**SPINE, **spine}})
    job = ModelJob(replace(shop.project, models={model: declared}), shop.lake, model, RUN)
    tracking, pin = open_tracking(shop.project.settings, declared), TablePin.of(shop.lake, "silver", "orders")
    return ScoringPlan(job, tracking, Version(7, "r1", {}), place_interval(day(5), since, None), pin, (), SPARK)


def test_an_interval_ends_after_it_begins_and_by_as_of() -> None:
    assert place_interval(day(5), None, None) == Interval(day(5), day(5), None)
    assert place_interval(day(5), day(2), day(2)) == Interval(day(5), day(2), day(2))
    with pytest.raises(UsageError, match="--to 2024-01-06T00:00:00Z is after as-of 2024-01-05"):
        place_interval(day(5), None, day(6))
    with pytest.raises(UsageError, match="--from 2024-01-06T00:00:00Z is after --to 2024-01-05"):
        place_interval(day(5), day(6), None)


def test_questions_that_cannot_be_asked_are_named(shop: SmallLake) -> None:
    with pytest.raises(DataError, match=r"silver\.orders has rows") as error, open_questions(make_plan(shop)):
        pass
    assert "id=3, prediction_at=None, _known_at=2024-01-02 00:00:00" in error.value.what
    assert "id=4, prediction_at=2023-12-04 10:00:00, _known_at=2024-01-02 00:00:00" in error.value.what
    with open_questions(make_plan(shop, since=day(4), where="id <> 3")) as questions:
        assert questions.rows == 2  # the question about order 4 lies before the interval


def test_a_spine_that_repeats_its_key_is_named(shop: SmallLake) -> None:
    plan = make_plan(shop, key=["shop"], where="id < 3")
    with pytest.raises(GrainError, match=r"silver\.orders has more than one row.* shop=north"), open_questions(plan):
        pass


def test_every_question_gets_one_finite_answer(shop: SmallLake) -> None:
    plan, scores = make_plan(shop), (0.5, None, float("nan"), float("inf"), -float("inf"))
    answers = shop.lake.spark.createDataFrame([(score,) for score in scores], "score double")
    with pytest.raises(DataError, match="champion v7 of paid gave no number for 4 rows"):
        check_answers(plan, answers, 5)
    for questions in (4, 6):
        with pytest.raises(GrainError, match=f"made 5 rows out of {questions}"):
            check_answers(plan, answers, questions)
    check_answers(plan, answers.where("score = 0.5"), 1)


def test_nobody_answers_before_a_version_has_passed_the_gate(shop: SmallLake) -> None:
    with pytest.raises(NoChampion, match="the model untrained has no champion yet"):
        score(make_plan(shop, "untrained").job)


def test_a_champion_trained_on_another_meaning_cannot_answer(shop: SmallLake) -> None:
    plan = make_plan(shop, where="id < 3")
    plan.tracking.client.create_registered_model("paid")
    tags = {f"{FINGERPRINT_TAG}sales": "another"}
    plan.tracking.client.create_model_version("paid", "runs:/none/model", tags=tags)
    set_champion(plan.tracking, 1)
    with pytest.raises(TrainingError, match=r"champion v1 cannot score: it was trained .* sales"):
        score(plan.job, as_of=day(5))
    assert not shop.lake.exists("gold", "paid_scores")


def test_a_champion_needs_the_inputs_that_it_was_trained_on() -> None:
    inputs = Inputs({"km": "double", "line": "string"})
    assert inputs.incompatibility_with({"line": "string"}) == ""
    assert inputs.incompatibility_with({"km": "double", "gone": "double"}).startswith("it takes gone, which")
    assert inputs.incompatibility_with({"km": "string"}) == "km changed between number and text since"
