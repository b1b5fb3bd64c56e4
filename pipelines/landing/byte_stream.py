"""The bytes of a landed file on their way to a parser: hashed as they landed, then unzipped within bounds."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from conf.contract import Contract
from conf.errors import FileRejected

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_UNZIPPED_BYTES = 64 << 30
MAX_UNZIP_RATIO = 200
RATIO_COUNTS_FROM_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
OpenStream = Callable[[], BinaryIO]


class HashedStream(io.RawIOBase):
    """The bytes as they landed. Each byte that is read goes into the hash."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._sha = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        view = memoryview(target).cast("B")
        data = self._source.read(len(view))
        self._sha.update(data)
        self.size += len(data)
        view[: len(data)] = data
        return len(data)

    def digest(self) -> str:
        """Read what is left of the file and return the SHA-256 of all of it, hex."""
        while self.read(CHUNK_BYTES):
            pass
        return self._sha.hexdigest()


class UnzippedStream(io.RawIOBase):
    """The bytes to parse. A file that unzips to far too much is refused; text always ends with a line end."""

    def __init__(
        self, source: "io.BufferedReader[HashedStream] | gzip.GzipFile", hashed: HashedStream, is_text: bool
    ) -> None:
        self._source = source
        self._hashed = hashed
        self._is_text = is_text
        self._last_byte = b"\n"
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        view = memoryview(target).cast("B")
        try:
            data = self._source.read(min(len(view), CHUNK_BYTES))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            what = f"is not whole gzip after {self._size} unzipped bytes: {error}"
            raise FileRejected(what, "is the file cut short, or not gzip in spite of its name?") from None
        self._size += len(data)
        is_bomb = self._size > max(RATIO_COUNTS_FROM_BYTES, MAX_UNZIP_RATIO * self._hashed.size)
        if isinstance(self._source, gzip.GzipFile) and (is_bomb or self._size > MAX_UNZIPPED_BYTES):
            limit = f"{MAX_UNZIP_RATIO} times its size" if is_bomb else f"{MAX_UNZIPPED_BYTES >> 30} GiB"
            raise FileRejected(f"unzips to more than {limit}", "is it a gzip bomb? land it unzipped, or in parts")
        if self._is_text and not data and self._last_byte not in b"\r\n":
            data = b"\n"
        self._last_byte = data[-1:] or self._last_byte
        view[: len(data)] = data
        return len(data)


LandedStreams = tuple[io.BufferedReader, HashedStream]


@contextmanager
def open_landed(open_stream: OpenStream, contract: Contract, name: str) -> Iterator[LandedStreams]:
    """Open a file: yield the stream to parse, unzipped where the name ends with .gz, and the stream that is hashed."""
    with open_stream() as source:
        hashed = HashedStream(source)
        landed = io.BufferedReader(hashed, CHUNK_BYTES)
        plain = gzip.GzipFile(fileobj=landed) if name.endswith(".gz") else landed
        unzipped = UnzippedStream(plain, hashed, is_text=contract.landing.format != "parquet")
        yield io.BufferedReader(unzipped, CHUNK_BYTES), hashed
