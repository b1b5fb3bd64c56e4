"""The mark of an environment that a server shows, so that no demonstration removes it meanwhile."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.errors import LakeBusy
from conf.settings import Settings


@contextmanager
def mark_in_use(settings: Settings) -> Iterator[None]:
    """Mark the environment as used by a server while the body runs. Several servers may use it at once."""
    mark = _mark(settings)
    mark.parent.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def check_not_in_use(settings: Settings) -> None:
    """Refuse where a server shows this environment.

    Raises
    ------
    LakeBusy : when one does
    """
    mark = _mark(settings)
    if not mark.exists():
        return
    with mark.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeBusy(f"`headwater ui` shows the environment {settings.env}", "stop it first") from None


def _mark(settings: Settings) -> Path:
    return Path(settings.project) / "lake" / settings.env / ".served"
