"""Parquet, with every value as the text that Spark's cast to string gives.

So a column may change its type in the files and keep its meaning, and the steps after this one need not know the
format. Instants are written in UTC, without zeros at the end of the fraction; doubles as Java writes them; decimals
without an exponent. Structs, lists and maps become JSON, because the text that Spark's cast gives for them cannot be
parsed again.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.errors import FileRejected
from pipelines.landing.parse_csv import Arrange
from pipelines.landing.parse_json import encode_json

BATCH_ROWS = 65_536
_TRAILING_ZEROS = r"\.?0+$"
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_HINT = "write the file again, or land it in another format"
_UNREADABLE = (pa.ArrowException, OSError, ValueError)


def read_parquet(file: IO[bytes], check: Callable[[Sequence[str]], None], arrange: Arrange) -> Iterator[pa.RecordBatch]:
    """Read the rows of a seekable file in batches of text columns, which go through ``arrange``.

    Raises
    ------
    FileRejected : when the file is damaged, ``check`` refuses its columns, or a type has no text; names the column
    """
    try:
        parquet = pq.ParquetFile(
            file, pre_buffer=False, coerce_int96_timestamp_unit="us", page_checksum_verification=True
        )
        names = parquet.schema_arrow.names
    except _UNREADABLE as error:
        raise FileRejected(f"is not Parquet, or is damaged: {_first_line(error)}", _HINT) from None
    check(names)
    rows = 0
    for batch in _batches(parquet):
        columns = [_named_text(name, column) for name, column in zip(names, batch.columns, strict=True)]
        numbers = pa.array(np.arange(rows + 1, rows + 1 + batch.num_rows, dtype=np.int64))
        rows += batch.num_rows
        yield arrange(pa.RecordBatch.from_arrays(columns, names=names), numbers)
    if rows != parquet.metadata.num_rows:
        raise FileRejected(f"holds {rows} rows, but its footer says {parquet.metadata.num_rows}", _HINT)


def _batches(parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    try:
        yield from parquet.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    except _UNREADABLE as error:
        raise FileRejected(f"is damaged: {_first_line(error)}", _HINT) from None


def _named_text(name: str, column: pa.Array) -> pa.Array:
    try:
        column.validate(full=True)
        return to_text(column)
    except _UNREADABLE as error:
        raise FileRejected(f"column {name!r} of type {column.type}: {_first_line(error)}", _HINT) from None


def to_text(column: pa.Array) -> pa.Array:
    """Return the values as text; NULL stays NULL.

    Raises
    ------
    pyarrow.ArrowException, ValueError : when a value or the type has no text; bytes must be UTF-8
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return to_text(column.storage)
    if pa.types.is_dictionary(kind):
        return to_text(column.dictionary_decode())
    if pa.types.is_nested(kind):
        return pa.array([None if text == "null" else text for text in _json_texts(column)], pa.string())
    if pa.types.is_floating(kind):
        return _floating_text(column)
    if pa.types.is_decimal(kind):
        text = column.cast(pa.string())
        return _rewrite(text, pc.match_substring(text, "E"), lambda spelling: f"{Decimal(spelling):f}")
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _clock_text(column)
    if pa.types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.string())
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        raise ValueError("a duration has no text")
    if pa.types.is_fixed_size_binary(kind):
        column = column.cast(pa.binary())
    return column.cast(pa.string())


def _clock_text(column: pa.Array) -> pa.Array:
    """Write instants and times of day to the microsecond, without zeros at the end of the fraction."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.unit == "ns":
            column = pc.floor_temporal(column, unit="microsecond")
        if kind.tz is not None:
            column = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, "UTC")))
        column = column.cast(pa.timestamp("us"))
    else:
        column = column.cast(pa.time64("us"), safe=False)
    return pc.replace_substring_regex(column.cast(pa.string()), _TRAILING_ZEROS, "")


def _floating_text(column: pa.Array) -> pa.Array:
    """Write the shortest digits that give the number back, in the notation of Java's Double.toString."""
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    text = column.cast(pa.string())
    size = pc.abs(column)
    is_plain = pc.or_(pc.equal(size, 0), pc.and_(pc.greater_equal(size, 1e-3), pc.less(size, 1e7)))
    text = pc.if_else(pc.match_substring(text, "."), text, pc.binary_join_element_wise(text, ".0", ""))
    return _rewrite(text, pc.invert(is_plain), _java_scientific)


def _java_scientific(spelling: str) -> str:
    spelling = spelling.removesuffix(".0")
    if spelling in _NOT_FINITE:
        return _NOT_FINITE[spelling]
    sign, digits, exponent = Decimal(spelling).as_tuple()
    text = "".join(map(str, digits))
    power = int(exponent) + len(text) - 1
    return f"{'-' if sign else ''}{text[0]}.{text[1:].rstrip('0') or '0'}E{power}"


def _rewrite(text: pa.Array, where: pa.Array, rewrite: Callable[[str], str]) -> pa.Array:
    """Rewrite the texts where ``where`` holds, which are usually few, one by one in Python."""
    where = pc.fill_null(where, False)
    if not pc.any(where).as_py():
        return text
    new = pa.array([rewrite(spelling) for spelling in text.filter(where).to_pylist()], pa.string())
    return pc.replace_with_mask(text, where, new)


def _json_texts(column: pa.Array) -> list[str]:
    """Return each value as compact JSON. A value of a type that JSON does not have is the string of its text."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _json_texts(column.storage)
    if pa.types.is_dictionary(kind):
        return _json_texts(column.dictionary_decode())
    if pa.types.is_struct(kind):
        return _struct_texts(column)
    if pa.types.is_fixed_size_list(kind):
        return _json_texts(column.cast(pa.list_(kind.value_type)))
    if pa.types.is_nested(kind):
        first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
        if not pa.types.is_map(kind):
            return _join_parts(column, _json_texts(column.values[first:last]), "[]")
        keys, items = to_text(column.keys[first:last]).to_pylist(), _json_texts(column.items[first:last])
        pairs = [f"{encode_json(key)}:{item}" for key, item in zip(keys, items, strict=True)]
        return _join_parts(column, pairs, "{}")
    is_number = pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind)
    is_bare = is_number or pa.types.is_boolean(kind)
    return [_json_leaf(text, is_bare) for text in to_text(column).to_pylist()]


def _json_leaf(text: str | None, is_bare: bool) -> str:
    if text is None:
        return "null"
    return text if is_bare and not text.endswith(("NaN", "Infinity")) else encode_json(text)


def _struct_texts(column: pa.Array) -> list[str]:
    names = [encode_json(field.name) for field in column.type.fields]
    children = [_json_texts(child) for child in column.flatten()]
    rows = zip(*children, strict=True) if children else [()] * len(column)
    texts = ["{" + ",".join(map("{}:{}".format, names, row)) + "}" for row in rows]
    return [text if is_valid else "null" for text, is_valid in zip(texts, column.is_valid().to_pylist(), strict=True)]


def _join_parts(column: pa.Array, parts: list[str], brackets: str) -> list[str]:
    """Put the parts of each row, which the column's offsets tell, between brackets."""
    offsets = column.offsets.to_pylist()
    offsets = [offset - offsets[0] for offset in offsets]
    spans = zip(offsets, offsets[1:], column.is_valid().to_pylist(), strict=False)
    return [brackets[0] + ",".join(parts[a:b]) + brackets[1] if is_valid else "null" for a, b, is_valid in spans]


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
