"""Raw rows of bronze become typed rows, each with the rules that it breaks.

No row is dropped here. A cast that fails is a broken rule and never a silent NULL. So is a number that is not finite,
and a text such as ``1d`` or ``NaN`` that Spark would take for a number.
"""

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from conf.contract import Contract, KnownColumn, Lag
from conf.durations import to_micros
from conf.expressions import words_of

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
PROVENANCE = ("_file_hash", "_row_number", "_file", "_delivered_at", "_load", "_row_hash", "_ingested_at")
TYPED = "_typed_"


def build_typed_rows(bronze: DataFrame, contract: Contract, first_delivered: Column | None = None) -> DataFrame:
    """Make typed columns of raw ones, lazily.

    Parameters
    ----------
    bronze : grain (_file_hash, _row_number)
    first_delivered : when the row's content was first delivered; None for ``_delivered_at``, as bronze has it

    Returns
    -------
    grain (_file_hash, _row_number); the contract's columns, ``_known_at``, the columns that say where the row came
    from, and: ``_broken``, the rules by which the row goes to quarantine (array of struct rule, reason); ``_text``,
    the raw row, where a rule is broken; ``_failed`` and ``_warned``, the names of broken rules of these two actions
    """
    delivered = F.col("_delivered_at") if first_delivered is None else first_delivered
    frame = bronze.withColumns({"_delivered_at": delivered, "_raw_row": F.struct(*contract.raw_names)})
    nulls = contract.landing.null_texts
    if nulls:
        frame = frame.withColumns({n: F.when(~F.col(n).isin(*nulls), F.col(n)) for n in contract.raw_names})
    frame = frame.withColumns({name: map_column(values) for name, values in contract.maps.items()})
    frame, casts = _evaluate(frame, contract)
    typed = [F.col(f"{TYPED}{name}").alias(name) for name in contract.column_names]
    broken_casts = F.array_compact(F.array(*casts)).alias("_casts")
    frame = frame.select(*typed, *PROVENANCE, "_raw", "_raw_row", "_problem", broken_casts)
    frame = frame.withColumn("_known_at", _known_at(contract))
    is_readable = F.col("_problem").isNull()
    malformed = _rule(~is_readable, "malformed", F.col("_problem"))
    rules = F.array_compact(F.array(malformed, *_null_rules(contract), *_expectations(contract, "quarantine")))
    broken = F.when(is_readable, F.concat(rules, F.col("_casts"))).otherwise(F.array(malformed))
    frame = frame.withColumn("_broken", broken)
    text = F.coalesce(F.col("_raw"), F.to_json("_raw_row", {"ignoreNullFields": "false"}))
    return frame.select(
        *contract.column_names, "_known_at", *PROVENANCE, "_broken",
        F.when(F.size("_broken") > 0, text).alias("_text"),
        _broken_names(contract, "fail", is_readable).alias("_failed"),
        _broken_names(contract, "warn", is_readable).alias("_warned"),
    )  # fmt: skip


def map_column(values: Mapping[str, str | int | float | datetime]) -> Column:
    """Return a constant map as a column."""
    return F.create_map(*[F.lit(part) for pair in values.items() for part in pair])


def _evaluate(frame: DataFrame, contract: Contract) -> tuple[DataFrame, list[Column]]:
    """Add the typed columns. Also return, for each of them, the rule that a failed cast breaks.

    A column is added once the columns that its expression names are there, as many at a time as possible: each step
    costs Spark an analysis. Where a raw and a typed column have one name, expressions see the raw one.
    """
    raw = {name.lower() for name in contract.raw_names}
    casts: list[Column] = []
    pending = list(contract.columns)
    while pending:
        absent = {column.name for column in pending if column.name not in raw}
        needed = [absent & (words_of(column.expr) - {column.name}) for column in pending]
        count = next((position for position, names in enumerate(needed) if names), len(pending))
        ready = pending[: max(1, count)]
        added: dict[str, Column] = {}
        for column in ready:
            value = F.expr(column.expr)
            is_text = isinstance(frame.select(value).schema[0].dataType, StringType)
            typed, is_bad = _cast(value, column.type, is_text)
            added[f"{TYPED}{column.name}"] = typed
            if column.name not in raw:
                added[column.name] = typed
            reason = F.concat(F.lit(f"{column.name} is not a {column.type}: "), value.cast("string"))
            added[f"_cast_{column.name}"] = _rule(is_bad, f"cast:{column.name}", reason)
            casts.append(F.col(f"_cast_{column.name}"))
        frame = frame.withColumns(added)
        pending = pending[len(ready) :]
    return frame, casts


def _cast(value: Column, kind: str, is_text: bool) -> tuple[Column, Column]:
    """Return the value cast to a type, NULL where that fails, and whether it failed."""
    typed = value.try_cast(kind)
    is_bad = value.isNotNull() & typed.isNull()
    if kind == "double":
        typed = typed + F.lit(0.0)  # one zero: -0.0 becomes 0.0
        is_bad = is_bad | F.isnan(typed) | (F.abs(typed) == float("inf"))
    if is_text and (kind in ("int", "bigint", "double") or kind.startswith("decimal")):
        is_bad = is_bad | (value.isNotNull() & ~value.rlike(NUMBER))
    return F.when(~F.coalesce(is_bad, F.lit(False)), typed), is_bad


def _known_at(contract: Contract) -> Column:
    known_at = contract.known_at
    if isinstance(known_at, Lag):
        return F.timestamp_micros(F.unix_micros(contract.event_at) + F.lit(to_micros(known_at.after_event)))
    if isinstance(known_at, KnownColumn):
        return F.col(known_at.column)
    return F.col("_ingested_at" if known_at == "ingestion" else "_delivered_at")


def _null_rules(contract: Contract) -> list[Column]:
    keys = [_rule(F.col(name).isNull(), "null_key", F.lit(f"the key {name} is NULL")) for name in contract.key]
    return [*keys, _rule(F.col("_known_at").isNull(), "null_known_at", F.lit("_known_at is NULL"))]


def _expectations(contract: Contract, action: str) -> list[Column]:
    rules = [rule for rule in contract.expectations if rule.action == action]
    return [_rule(~_holds(rule.expr), rule.name, F.lit(f"does not hold: {rule.expr}")) for rule in rules]


def _broken_names(contract: Contract, action: str, is_readable: Column) -> Column:
    rules = [rule for rule in contract.expectations if rule.action == action]
    names = [F.when(~_holds(rule.expr) & is_readable, F.lit(rule.name)) for rule in rules]
    return F.array_compact(F.array(*names)) if names else F.array().cast("array<string>")


def _holds(expr: str) -> Column:
    return F.coalesce(F.expr(expr), F.lit(False))


def _rule(is_broken: Column, rule: str, reason: Column) -> Column:
    return F.when(is_broken, F.struct(F.lit(rule).alias("rule"), reason.alias("reason")))
