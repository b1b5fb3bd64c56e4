"""The floor of a bulk load: landed CSV files as text into one Parquet file, by pyarrow alone.

usage: files_by_pyarrow.py TARGET.parquet FILE...
"""

import sys

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq


def main(target: str, *files: str) -> None:
    with open(files[0], encoding="utf-8") as first:  # noqa: PTH123 (nothing but pyarrow is imported here)
        names = first.readline().rstrip("\n").split(",")
    schema = pa.schema([(name, pa.string()) for name in names])
    convert = pc.ConvertOptions(column_types=schema, strings_can_be_null=False)
    with pq.ParquetWriter(target, schema) as writer:
        for file in files:
            writer.write_table(pc.read_csv(file, convert_options=convert))


if __name__ == "__main__":
    main(*sys.argv[1:])
