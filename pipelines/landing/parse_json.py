"""JSON lines, strictly: one object a line, no key twice, no NaN; blank lines are no records.

Values become text: a string as it is, a number in its own spelling, ``true`` and ``false``, null as NULL, an object
or array as compact JSON. A line that is not such an object is kept with its text and the reason; it does not spoil
the file; bytes that are not UTF-8 do.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import FileRejected

MAX_LINE_BYTES = 16 << 20
MAX_BATCH_ROWS = 20_000
_BLANK = " \t\r\n"
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_IS_ESCAPED = np.array([code < 32 or code in b'"\\' for code in range(256)])
_PLAIN = frozenset((str, type(None)))


class _Number(str):
    """The spelling of a number, told apart from a string."""

    __slots__ = ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return record


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse, object_pairs_hook=_unique)
_NUMBERS_APART = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_refuse, object_pairs_hook=_unique
)


def read_json(
    stream: BinaryIO, headers: Sequence[str], schema: pa.Schema, check: Callable[[Sequence[str]], None]
) -> Iterator[pa.RecordBatch]:
    """Read the lines into batches of ``schema``, whose first columns are the keys ``headers``, in that order.

    ``check`` is asked at the end whether the keys that occurred are enough; a file without a readable line has none
    to judge.

    Raises
    ------
    FileRejected : when no line begins an object, a line is too long, or ``check`` refuses
    """
    rows = _Rows(headers)
    size = 0
    for number, text in enumerate(_lines(stream), start=1):
        rows.add(number, text)
        size += len(text)
        if len(rows.pending) >= MAX_BATCH_ROWS or size >= MAX_LINE_BYTES:
            yield rows.flush(schema)
            size = 0
    if rows.pending:
        yield rows.flush(schema)
    rows.check_whole(check)


class _Rows:
    """Rows made of lines, in the order of the schema, and which keys were seen in the file."""

    def __init__(self, headers: Sequence[str]) -> None:
        self.pending: list[tuple[object, ...]] = []
        self._headers = tuple(headers)
        self._known = frozenset(headers)
        self._missing = set(headers)
        self._others: set[str] = set()
        self._first_problem = ""
        self._has_object = False
        self._has_record = False

    def add(self, number: int, text: str) -> None:
        self._has_object = self._has_object or text.lstrip()[:1] == "{"
        try:
            record = _decode(text)
        except (ValueError, RecursionError) as error:
            problem = "nested too deep" if isinstance(error, RecursionError) else str(error)
            self._first_problem = self._first_problem or problem
            self.pending.append((*[None] * len(self._headers), number, None, text, problem))
            return
        self._has_record = True
        if self._missing:
            self._missing -= record.keys()
        rescued = None
        if not record.keys() <= self._known:
            extra = sorted(record.keys() - self._known)
            self._others.update(extra[: 100 - len(self._others)])
            rescued = _ENCODE({name: record[name] for name in extra})
        self.pending.append((*map(record.get, self._headers), number, rescued, None, None))

    def flush(self, schema: pa.Schema) -> pa.RecordBatch:
        columns = zip(*self.pending, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        self.pending.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def check_whole(self, check: Callable[[Sequence[str]], None]) -> None:
        if self._has_record:
            check([*(self._known - self._missing), *sorted(self._others)])
        elif self._first_problem and not self._has_object:
            hint = "JSON lines is one object a line, not an array, CSV or UTF-16"
            raise FileRejected(f"no line holds a JSON object; the first: {self._first_problem}", hint)


def _lines(stream: BinaryIO) -> Iterator[str]:
    number = offset = 0
    while line := stream.readline(MAX_LINE_BYTES + 2):
        number += 1
        if len(line) > MAX_LINE_BYTES + 1:
            hint = "JSON lines has one object a line"
            raise FileRejected(f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB", hint)
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            where = f"offset {offset + error.start} (line {number})"
            hint = "save it as UTF-8; it may be gzip whose name must end with .gz, UTF-16 or Latin-1"
            raise FileRejected(f"byte {line[error.start]:#04x} at {where} is not UTF-8", hint) from None
        offset += len(line)
        if text.strip(_BLANK):
            yield text


def to_json_strings(column: pa.Array) -> pa.Array:
    """Return each text as a JSON string, NULL as ``null``."""
    data = column.buffers()[2]
    if data is not None and _IS_ESCAPED[np.frombuffer(data, dtype=np.uint8)].any():
        return pa.array([_ENCODE(text) for text in column.to_pylist()], pa.string())
    return pc.fill_null(pc.binary_join_element_wise('"', column, '"', ""), "null")


def _decode(text: str) -> dict[str, str | None]:
    """Return the record with every value as text.

    Raises
    ------
    ValueError, RecursionError : when the line is not one JSON object that can be written as text
    """
    record = _DECODER.decode(text)
    if type(record) is not dict:
        raise ValueError("not a JSON object")
    kinds = set(map(type, record.values()))
    if not kinds <= _PLAIN:
        if dict in kinds or list in kinds:
            record = _NUMBERS_APART.decode(text)
        record = {name: _as_text(value) for name, value in record.items()}
    if "\\u" in text:
        _refuse_lone_surrogates(record)
    return record


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value) if isinstance(value, str) else _compact(value)


def _compact(value: object) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_ENCODE(name)}:{_compact(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_compact, value)) + "]"
    return _ENCODE(value)


def _refuse_lone_surrogates(record: dict[str, str | None]) -> None:
    for name, text in record.items():
        try:
            f"{name}{text}".encode()
        except UnicodeEncodeError:
            raise ValueError(f"lone surrogate in {name!a}") from None
