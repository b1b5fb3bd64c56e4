"""JSON lines, strictly: one object a line, no key twice, no NaN; blank lines are no records.

Values become text: a string as it is, a number as the file spells it, ``true`` and ``false``, null as NULL, an object
or array as compact JSON. A line that is no such object is kept with its text and the reason, and does not spoil its
file. Bytes that are not UTF-8 do spoil it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import FileRejected

MAX_LINE_BYTES = 16 << 20
MAX_BATCH_ROWS = 20_000
_BLANK = " \t\r\n"
_IS_ESCAPED = np.array([code < 32 or code in b'"\\' for code in range(256)])
_TEXT_OR_NULL = frozenset((str, type(None)))
encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Number(str):
    """The spelling of a number, told apart from a string."""

    __slots__ = ()


def _reject_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return record


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_strict_decoder = partial(json.JSONDecoder, parse_constant=_reject_constant, object_pairs_hook=_reject_repeated_keys)
_DECODER = _strict_decoder(parse_int=str, parse_float=str)
_NESTED_DECODER = _strict_decoder(parse_int=_Number, parse_float=_Number)  # so that nested values can be written again


def read_json(
    stream: BinaryIO, headers: Sequence[str], schema: pa.Schema, check: Callable[[Sequence[str]], None]
) -> Iterator[pa.RecordBatch]:
    """Read the lines into batches of ``schema``, whose first columns are the keys ``headers``, in that order.

    Parameters
    ----------
    check : called at the end with the keys that occurred in the file, unless no line could be read

    Raises
    ------
    FileRejected : when no line begins an object, a line is too long, or ``check`` refuses
    """
    known, missing, others = frozenset(headers), set(headers), set[str]()
    has_object, has_record, first_problem = False, False, ""
    rows: list[tuple[object, ...]] = []
    size = 0
    for number, text in enumerate(_lines(stream), start=1):
        has_object = has_object or text.lstrip()[:1] == "{"
        try:
            record = _decode(text)
        except (ValueError, RecursionError) as error:
            problem = "nested too deep" if isinstance(error, RecursionError) else str(error)
            first_problem = first_problem or problem
            rows.append((*[None] * len(headers), number, None, text, problem))
        else:
            has_record = True
            if missing:
                missing -= record.keys()
            rescued = None
            if not record.keys() <= known:
                extra = sorted(record.keys() - known)
                others.update(extra[: 100 - len(others)])
                rescued = encode_json({name: record[name] for name in extra})
            rows.append((*map(record.get, headers), number, rescued, None, None))
        size += len(text)
        if len(rows) >= MAX_BATCH_ROWS or size >= MAX_LINE_BYTES:
            yield _to_batch(rows, schema)
            rows, size = [], 0
    if rows:
        yield _to_batch(rows, schema)
    if has_record:
        check([*(known - missing), *sorted(others)])
    elif first_problem and not has_object:
        hint = "JSON lines is one object a line, not an array, CSV or UTF-16"
        raise FileRejected(f"no line holds a JSON object; the first: {first_problem}", hint)


def _to_batch(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _lines(stream: BinaryIO) -> Iterator[str]:
    number = offset = 0
    while line := stream.readline(MAX_LINE_BYTES + 2):
        number += 1
        if len(line) > MAX_LINE_BYTES + 1:
            what = f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB"
            raise FileRejected(what, "JSON lines has one object a line")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            where = f"offset {offset + error.start} (line {number})"
            hint = "save it as UTF-8; it may be UTF-16, Latin-1, or gzip whose name must end with .gz"
            raise FileRejected(f"byte {line[error.start]:#04x} at {where} is not UTF-8", hint) from None
        offset += len(line)
        if text.strip(_BLANK):
            yield text


def to_json_strings(column: pa.Array) -> pa.Array:
    """Return each text as a JSON string, NULL as ``null``."""
    data = column.buffers()[2]
    if data is not None and _IS_ESCAPED[np.frombuffer(data, dtype=np.uint8)].any():
        return pa.array([encode_json(text) for text in column.to_pylist()], pa.string())
    return pc.fill_null(pc.binary_join_element_wise('"', column, '"', ""), "null")


def _decode(text: str) -> dict[str, str | None]:
    """Return the record with every value as text. A line that is not one object raises an error."""
    record = _DECODER.decode(text)
    if type(record) is not dict:
        raise ValueError("not a JSON object")
    kinds = set(map(type, record.values()))
    if not kinds <= _TEXT_OR_NULL:
        if dict in kinds or list in kinds:
            record = _NESTED_DECODER.decode(text)
        record = {name: value if type(value) in _TEXT_OR_NULL else _compact(value) for name, value in record.items()}
    if "\\u" in text:
        for name, value in record.items():
            try:
                f"{name}{value}".encode()
            except UnicodeEncodeError:
                raise ValueError(f"lone surrogate in {name!a}") from None
    return record


def _compact(value: object) -> str:
    """Write a value as JSON without blanks, its numbers as the file spells them."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_json(name)}:{_compact(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    return encode_json(value)
