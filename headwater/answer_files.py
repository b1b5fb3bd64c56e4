"""The answer to a query as a file: CSV, JSON or Parquet, by the ending of its name."""

from pathlib import Path
from typing import TYPE_CHECKING

from conf.errors import UsageError
from headwater.output import print_csv, print_json

if TYPE_CHECKING:
    from pipelines.reading.query import Answer

ENDINGS = (".csv", ".json", ".parquet")


def check_output(path: Path) -> None:
    """Check, before the query is answered, that its answer can be written there.

    Raises
    ------
    UsageError : when the ending names no format, or there is no such folder
    """
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path} names no format", f"end it in one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "make it first")


def save_answer(answer: "Answer", path: Path) -> None:
    """Write an answer. An existing file is replaced, once the new one is whole."""
    beside = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            _write_parquet(answer, beside)
        else:
            with beside.open("w", encoding="utf-8", newline="") as stream:
                if path.suffix == ".csv":
                    print_csv(answer.columns, answer.rows(), stream)
                else:
                    print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows()], stream)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _write_parquet(answer: "Answer", path: Path) -> None:
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(path, answer.schema) as writer:
        for batch in answer.batches:
            writer.write_batch(batch)
