"""The hash of each row of a training set, computed by Spark. ``local.row_hash`` gives the same numbers."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, DateType, DecimalType, IntegerType, StringType, TimestampType

from training.dataset.columns import LABEL_KNOWN_AT, ROW_HASH


def build_hashed(frame: DataFrame) -> DataFrame:
    """Add ``_row_hash``, lazily. It also covers which values are NULL: (1, NULL) is not (NULL, 1)."""
    fields = [field for field in frame.schema.fields if field.name != LABEL_KNOWN_AT]
    numbers = [number for field in fields for number in _numbers(F.col(field.name), field.dataType)]
    return frame.select("*", F.xxhash64(*numbers).alias(ROW_HASH))


def _numbers(column: Column, kind: DataType) -> list[Column]:
    """Return one 64-bit number for whether the value is NULL, and one for the value."""
    match kind:
        case StringType():
            number = F.xxhash64(column)
        case BooleanType() | IntegerType():
            number = column.cast("bigint")
        case DateType():
            number = F.unix_date(column).cast("bigint")
        case TimestampType():
            number = F.unix_micros(column)
        case DecimalType():
            number = F.xxhash64(column.cast("string"))
        case _:
            number = column
    return [column.isNull().cast("bigint"), F.when(column.isNotNull(), number).otherwise(0)]
