"""The raw rows of admitted files as bronze keeps them: parsed in parallel, with where each row came from."""

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.bronze.judge_files import JudgedFile
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.listing import LandedFile
from pipelines.landing.open_files import map_files
from pipelines.landing.parse import bronze_schema, parse

GRAIN = ("_file_hash", "_row_number")


def build_raw_rows(
    spark: SparkSession, contract: Contract, files: list[JudgedFile], load: int, now: datetime
) -> DataFrame:
    """Return the raw rows of admitted files, lazily. Grain (_file_hash, _row_number).

    Parameters
    ----------
    load : the number of the load, which every row carries as ``_load``
    now : every row's ``_ingested_at``
    """
    records = {judged.file.uri: judged.record for judged in files}
    schema = bronze_schema(contract)

    def each(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        record, rows = records[file.uri], 0
        for batch in parse(open_stream, contract, file.name, record.file_hash):
            rows += batch.num_rows
            extra = [
                pa.array([record.file_hash] * batch.num_rows, pa.string()),
                pa.array([file.name] * batch.num_rows, pa.string()),
                pa.array([record.delivered_at] * batch.num_rows, pa.timestamp("us", "UTC")),
            ]
            names = [*schema.names, "_file_hash", "_file", "_delivered_at"]
            yield pa.RecordBatch.from_arrays([*batch.columns, *extra], names=names)
        if rows != record.rows_in_file:
            raise FileRejected(f"{file.name} had {record.rows_in_file} rows and now has {rows}", "load again")

    kinds = {pa.string(): "string", pa.int64(): "bigint"}
    ddl = ", ".join(f"`{column.name}` {kinds[column.type]}" for column in schema)
    ddl += ", _file_hash string, _file string, _delivered_at timestamp"
    rows = map_files(spark, [judged.file for judged in files], each, ddl)
    content = [part for name in (*contract.raw_names, "_raw") for part in (F.col(name).isNull(), F.col(name))]
    return rows.select(
        *contract.raw_names, "_file_hash", "_row_number", "_file", "_delivered_at",
        F.lit(now).alias("_ingested_at"), F.lit(load).cast("bigint").alias("_load"),
        F.xxhash64(*content).alias("_row_hash"), "_rescued", "_raw", "_problem",
    )  # fmt: skip
