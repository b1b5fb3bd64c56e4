"""Local files are admitted side by side: while one is read, hashed or parsed, Python can work on another."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from conf.contract import Contract
from conf.errors import FileRejected
from pipelines.landing.admission import Admission, admit
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.listing import LandedFile
from pipelines.landing.open_files import open_local

# A file under admission takes up to 200 MB, and Python itself works on one at a time.
MOST_AT_ONCE = 4


def admit_local(files: Sequence[LandedFile], contract: Contract, at_once: int | None = None) -> list[Admission]:
    """Return the verdict on each file, in the order of the files.

    Parameters
    ----------
    at_once : how many files are read at the same time; by default one for each core, but not many
    """
    with ThreadPoolExecutor(at_once or min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda file: admit_one(partial(open_local, file.uri), contract, file.name), files))


def admit_one(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """Admit one file. One that cannot be opened has no hash: it is not recorded, and the next load tries it again."""
    try:
        return admit(open_stream, contract, name)
    except FileRejected as error:
        return Admission("not-a-file", "failed", 0, error.what)
    except OSError as error:
        return Admission("", "failed", 0, f"cannot be read: {error.strerror or error}")
