"""An admitted file, read into rows of raw text, whatever its format.

The file is hashed once more while it is parsed, so that what is loaded is what was admitted.
"""

import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.byte_stream import CHUNK_BYTES, OpenStream, open_landed
from pipelines.landing.parse_csv import Arrange, read_csv
from pipelines.landing.parse_json import encode_json, read_json, to_json_strings
from pipelines.landing.parse_parquet import read_parquet

_MAX_BYTES_IN_MEMORY = 32 << 20


def bronze_schema(contract: Contract) -> pa.Schema:
    """Return the schema of parsed rows: the raw columns as text, then what is known of the row.

    Grain ``_row_number``, counted from 1. ``_rescued`` holds the columns that the contract does not name, as a JSON
    object. ``_problem`` says why a row cannot be used; then ``_raw`` is its text and the raw columns are NULL.
    """
    raw = [(name, pa.string()) for name in contract.raw_names]
    return pa.schema([*raw, ("_row_number", pa.int64()), *((n, pa.string()) for n in ("_rescued", "_raw", "_problem"))])


def parse(open_stream: OpenStream, contract: Contract, name: str, file_hash: str) -> Iterator[pa.RecordBatch]:
    """Read an admitted file into batches of ``bronze_schema``, in bounded memory.

    Raises
    ------
    FileRejected : at the end, when the content is not the one with ``file_hash``
    """
    with open_landed(open_stream, contract, name) as (stream, hashed):
        try:
            yield from read_batches(stream, contract, partial(_arrange, contract))
        except FileRejected as error:
            raise FileRejected(f"{name}: {error.what}", error.hint) from None
        if hashed.digest() != file_hash:
            raise FileRejected(f"{name} changed while it was loaded", "run again; land new content under a new name")


def read_batches(stream: io.BufferedReader, contract: Contract, arrange: Arrange) -> Iterator[pa.RecordBatch]:
    """Parse a stream in the contract's format. Batches under the file's own column names go through ``arrange``."""
    check, schema = partial(check_columns, contract), bronze_schema(contract)
    if contract.landing.format == "csv":
        yield from read_csv(stream, contract.landing.delimiter, schema, arrange)
    elif contract.landing.format == "json":
        yield from read_json(stream, [column.header for column in contract.raw], schema, check)
    elif stream.peek(1):
        with tempfile.SpooledTemporaryFile(max_size=_MAX_BYTES_IN_MEMORY) as file:
            shutil.copyfileobj(stream, file, CHUNK_BYTES)
            yield from read_parquet(file, check, arrange)


def _arrange(contract: Contract, batch: pa.RecordBatch, row_numbers: pa.Array) -> pa.RecordBatch:
    """Put the contract's columns, found by their headers, in the order of the schema. The others become JSON."""
    headers = [column.header for column in contract.raw]
    nulls = rescued = pa.nulls(batch.num_rows, pa.string())
    parts: list[str | pa.Array] = []
    for name in sorted(set(batch.schema.names) - set(headers)):
        parts += [f"{',' if parts else '{'}{encode_json(name)}:", to_json_strings(batch.column(name))]
    if parts:
        rescued = pc.binary_join_element_wise(*parts, "}", "")
    columns = [*(batch.column(header) for header in headers), row_numbers, rescued, nulls, nulls]
    return pa.RecordBatch.from_arrays(columns, schema=bronze_schema(contract))


def check_columns(contract: Contract, found: Sequence[str]) -> None:
    """Check that a file with the columns ``found`` has those of the contract.

    Raises
    ------
    FileRejected : when a column stands twice, or one of the contract's is missing
    """
    counts = Counter(found)
    twice = [name for name in counts if counts[name] > 1]
    if twice:
        raise FileRejected(f"column {_listed(twice)} stands twice", "a column name may stand once in a file")
    missing = [column.header for column in contract.raw if column.header not in counts]
    if not missing:
        return
    folded = {name.strip().casefold(): name for name in counts}
    similar = [folded[key] for key in (name.strip().casefold() for name in missing) if key in folded]
    delimiters = [mark for mark in ";\t|,:" if len(found) == 1 and set(missing) <= set(found[0].split(mark))]
    hint = f"the file has: {_listed(found)}"
    if similar:
        hint = f"{_listed(similar)} differs only in case or blanks"
    elif delimiters:
        hint = f"is its delimiter {delimiters[0]!r}? the contract says {contract.landing.delimiter!r}"
    raise FileRejected(f"missing column {_listed(missing)}", hint)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
