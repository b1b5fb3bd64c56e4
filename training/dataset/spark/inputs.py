"""The inputs of a model as columns of a Spark frame."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, NumericType, StringType

from training.dataset.inputs import NUMBER, TEXT, Inputs, make_inputs


def describe_inputs(frame: DataFrame, names: Sequence[str]) -> Inputs:
    """Find out from the column types of a frame which inputs are numbers and which are texts.

    Raises
    ------
    ConfigError : names every column whose type a model cannot take as it is
    """
    types = {name: frame.schema[name].dataType for name in names}
    kinds = {name: _kind_of(kind) for name, kind in types.items()}
    return make_inputs(kinds, {name: kind.simpleString() for name, kind in types.items()})


def input_columns(inputs: Inputs) -> list[Column]:
    """Return the columns to select from a frame: every number is cast to double, every text to string."""
    return [F.col(name).cast(kind).alias(name) for name, kind in inputs.kinds.items()]


def _kind_of(kind: DataType) -> str | None:
    if isinstance(kind, StringType):
        return TEXT
    return NUMBER if isinstance(kind, NumericType | BooleanType) else None
