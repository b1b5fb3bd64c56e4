"""A CSV file on its way to a parser: every byte is checked, and the records are counted without the parser.

A record ends at each LF that stands outside quotes. That count is exact for a file without CR and without blank lines,
in which every quote begins or ends a field or stands beside another quote inside one. For any other file there is no
such count, and ``count_csv`` reads it a second time. The stream that comes in ends with a line end.
"""

import codecs
import io
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from conf.errors import FileRejected
from pipelines.landing.byte_stream import CHUNK_BYTES
from pipelines.landing.count_csv import MAX_RECORD_BYTES, reject_long

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Codes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_SIGNATURES = {b"\x1f\x8b": "gzip: its name must end with .gz", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class RecordScan(io.RawIOBase):
    """The bytes of a file as they are. What is wrong with them is raised at every read from there on.

    Raises
    ------
    FileRejected : when a byte is not UTF-8 or a line is longer than ``MAX_RECORD_BYTES``; names offset or line
    """

    def __init__(self, source: BinaryIO, delimiter: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_edge = np.zeros(256, bool)
        self._is_edge[list(b'\n"' + delimiter.encode())] = True
        self._problem: FileRejected | None = None
        self._first_bytes = b""
        self._last_byte = b"\n"
        self._size = self._lines = self._unended_bytes = 0
        self._is_exact = True
        self._records = self._unended_record_bytes = 0
        self._open_quotes = 0  # 1 when a quote is open before the last byte
        self.header = b""  # the bytes of the first record, when the count is exact

    @property
    def records(self) -> int | None:
        """The number of records that were read, the header included; None when only ``csv.reader`` can tell."""
        return self._records if self._is_exact and not self._open_quotes else None

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        if self._problem is not None:
            raise self._problem
        view = memoryview(target).cast("B")
        try:
            chunk = self._source.read(min(len(view), CHUNK_BYTES))
            self._scan(chunk)
        except FileRejected as error:
            self._problem = error
            raise
        view[: len(chunk)] = chunk
        return len(chunk)

    def _scan(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._first_bytes = self._first_bytes or chunk[:4]
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            self._reject_byte(error)
        if self._size == len(chunk) and chunk.startswith(codecs.BOM_UTF8):
            self.header, chunk = codecs.BOM_UTF8, chunk.removeprefix(codecs.BOM_UTF8)
        codes = np.frombuffer(self._last_byte + chunk, np.uint8)
        is_line_end = codes == ord("\n")
        if self._is_exact:
            self._count(chunk, codes, is_line_end)
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._unended_bytes = self._unended_bytes + len(chunk) if end < 0 else len(chunk) - 1 - end
        self._lines += int(np.count_nonzero(is_line_end[1:]))
        if self._unended_bytes > MAX_RECORD_BYTES:
            reject_long(self._lines + 1)
        self._last_byte = chunk[-1:] or self._last_byte

    def _count(self, chunk: bytes, codes: Codes, is_line_end: Mask) -> None:
        """Count the records of a chunk. ``codes`` has the last byte of the chunk before in front of it."""
        if b"\r" in chunk or (is_line_end[1:] & is_line_end[:-1]).any():
            self._is_exact = False
        elif self._open_quotes or b'"' in chunk or codes[0] == ord('"'):
            ends = self._find_ends(codes, is_line_end)
            self._add(chunk, len(ends), ends[0] if ends else -1, ends[-1] if ends else -1)
        else:
            self._add(chunk, int(np.count_nonzero(is_line_end[1:])), chunk.find(b"\n"), chunk.rfind(b"\n"))

    def _find_ends(self, codes: Codes, is_line_end: Mask) -> list[int]:
        """Return where in the chunk a line end stands outside quotes."""
        quotes = np.flatnonzero(codes == ord('"'))
        opening, closing = quotes[self._open_quotes :: 2], quotes[1 - self._open_quotes :: 2]
        before, after = codes[opening[opening > 0] - 1], codes[closing[closing < len(codes) - 1] + 1]
        self._is_exact = bool(self._is_edge[before].all() and self._is_edge[after].all())
        line_ends = np.flatnonzero(is_line_end[1:])
        is_inside = (np.searchsorted(quotes, line_ends + 1) + self._open_quotes) % 2 == 1
        self._open_quotes = (self._open_quotes + len(quotes) - int(codes[-1] == ord('"'))) % 2
        found: list[int] = line_ends[~is_inside].tolist()
        return found

    def _add(self, chunk: bytes, records: int, first_end: int, last_end: int) -> None:
        if not self._records:
            self.header += chunk if first_end < 0 else chunk[: first_end + 1]
        self._records += records
        self._unended_record_bytes = len(chunk) - 1 - last_end + (self._unended_record_bytes if last_end < 0 else 0)
        if self._unended_record_bytes > MAX_RECORD_BYTES - CHUNK_BYTES:  # `csv.reader` measures its fields
            self._is_exact = False

    def _reject_byte(self, error: UnicodeDecodeError) -> NoReturn:
        data = bytes(error.object)
        line = self._lines + data.count(b"\n", 0, error.start) + 1
        offset = self._size - len(data) + error.start
        kinds = [kind for start, kind in _SIGNATURES.items() if self._first_bytes.startswith(start)]
        hint = f"the content is {kinds[0]}" if kinds else "save the file as UTF-8; it may be Latin-1"
        raise FileRejected(
            f"byte {data[error.start]:#04x} at offset {offset} (line {line}) is not UTF-8", hint
        ) from None
