"""A training set made in this process is the one that Spark makes, cell for cell and hash for hash."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from pyspark.sql import SparkSession

from conf.model import ModelDeclaration
from training.consistency import compare_frames
from training.dataset.columns import LABEL_KNOWN_AT, ROW_HASH
from training.dataset.inputs import Inputs
from training.dataset.local.labels import make_labelled_spine, make_labels, translate_label
from training.dataset.local.row_hash import add_row_hash
from training.dataset.local.spine import make_spine, translate_spine
from training.dataset.rows import order_rows
from training.dataset.spark.labels import build_labelled_spine, build_labels
from training.dataset.spark.row_hash import build_hashed
from training.dataset.spark.spine import build_spine
from training.dataset.split import place_split

START = datetime(1969, 12, 20, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")
KINDS = {
    "id": pl.Int32(), "part": pl.String(), "at": INSTANT, "on_day": pl.Date(), "paid": pl.Decimal(12, 4),
    "kg": pl.Float64(), "n": pl.Int64(), "ok": pl.Boolean(), "_known_at": INSTANT,
}  # fmt: skip


def invent(rng: random.Random, rows: int) -> pl.DataFrame:
    """Rows of a table with the key (id, part); every other column may be NULL but for ``_known_at``."""

    def maybe(value: Any) -> Any:
        return rng.choice((None, value, value, value))

    columns: dict[str, list[Any]] = {name: [] for name in KINDS}
    for number in range(rows):
        at = START + timedelta(hours=rng.randrange(700), microseconds=rng.choice((0, 0, 1)))
        values = (
            number // 2, "ab"[number % 2], maybe(at), maybe(date(1970, 1, rng.randint(1, 28))),
            maybe(Decimal(rng.randint(-10**11, 10**11)) / 10**4), maybe(rng.choice((0.0, -0.0, float("nan"), 1.5))),
            maybe(rng.randrange(2**62)), maybe(rng.random() < 0.5), at + timedelta(hours=rng.choice((0, -3, 5, 50))),
        )  # fmt: skip
        for name, value in zip(KINDS, values, strict=True):
            columns[name].append(value)
    return pl.DataFrame(columns, schema=KINDS)


def declare(label: str) -> ModelDeclaration:
    spine = {
        "table": "things", "key": ["id", "part"], "prediction_at": "at - INTERVAL 2 HOURS", "where": "n IS NOT NULL",
        "columns": {"hour_of_day": "hour(at)", "is_heavy": "kg > 1", "kind": "if(ok, part, 'none')"},
    }  # fmt: skip
    return ModelDeclaration.model_validate(
        {
            "name": "m", "task": "regression", "features": "f", "spine": spine,
            "label": {"table": "things", "expr": label, "happened_at": "at"},
            "split": {"holdout": "10d", "gap": "1d", "label_wait": "12h"},
        }
    )  # fmt: skip


@pytest.mark.parametrize("label", ["paid", "kg", "n", "ok", "n > 5"])
def test_spine_labels_and_fates_are_spark_s(spark: SparkSession, label: str) -> None:
    table, declared = invent(random.Random(label), 400), declare(label)
    bounds = place_split(declared.split, START + timedelta(days=28))
    key = declared.spine.key
    spine = make_spine(table, translate_spine(KINDS, declared.spine, ["on_day"]))
    labels = make_labels(table, translate_label(KINDS, declared.label), key)
    local = make_labelled_spine(spine, labels, key, bounds)
    frame = spark.createDataFrame(table.to_arrow())
    by_spark = build_labelled_spine(
        build_spine(frame, declared.spine, ["on_day"]), build_labels(frame, declared.label, key), key, bounds
    )
    found = compare_frames("labelled", local, pl.DataFrame(pl.from_arrow(by_spark.toArrow())), key)
    assert (found.rows, found.differing, found.examples) == (local.height, 0, ())
    assert local["_fate"].n_unique() > 5


def test_a_row_has_the_same_hash_in_both_engines(spark: SparkSession) -> None:
    table = invent(random.Random(7), 300).rename({"_known_at": LABEL_KNOWN_AT, "at": "prediction_at"})
    texts = ["", "é", "\U0001f600", "x" * 31, "x" * 32, "x" * 100, None]
    table = table.with_columns(part=pl.Series([texts[n % len(texts)] for n in range(300)]))
    hashed = add_row_hash(table)
    by_spark = pl.DataFrame(pl.from_arrow(build_hashed(spark.createDataFrame(table.to_arrow())).toArrow()))
    assert hashed[ROW_HASH].to_list() == by_spark[ROW_HASH].to_list()
    assert hashed[ROW_HASH].n_unique() == 300


def test_the_content_hash_knows_every_cell_but_no_order() -> None:
    table = invent(random.Random(8), 50).rename({"_known_at": LABEL_KNOWN_AT, "at": "prediction_at"})

    def content(rows: pl.DataFrame) -> str:
        return order_rows(add_row_hash(rows).to_arrow(), Inputs({}), {"training": rows.height}).content_hash

    assert content(table) == content(table.reverse())
    moved = table.with_columns(ok=pl.col("ok").shift(1, fill_value=None))
    assert content(table) != content(moved)
    assert content(table) != content(table.head(49))
